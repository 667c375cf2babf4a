#pragma once

#include <utility>

#include "config/any_walk.h"
#include "config/diagnostic.h"
#include "config/field_path.h"
#include "config/support.h"
#include "config/validation.h"

namespace google::protobuf {
class Any;
class Message;
}  // namespace google::protobuf

namespace weir::config {

// All that can be checked of a message without knowing what it is for: the API's own rules, and
// whether Weir supports what is set. Serves many messages; not thread-safe.
class MessageCheck {
 public:
  explicit MessageCheck(Support support) : support_(std::move(support)) {}

  // The message, without what its Anys hold.
  void check(const google::protobuf::Message& message, const FieldPath& path,
             Diagnostics& diagnostics);
  // What an Any at `path` holds: also whether its type is an extension that exists. One that does
  // not, and may be passed over (config/extension_type.h), is a warning.
  void check_extension(const google::protobuf::Message& content, const FieldPath& path,
                       Diagnostics& diagnostics);
  // The message and what its Anys hold, at every depth. For messages that did not come from YAML.
  void check_all(const google::protobuf::Message& message, const FieldPath& path,
                 Diagnostics& diagnostics);

  const Support& support() const { return support_; }

 private:
  void check_any(const google::protobuf::Any& any, const FieldPath& path, Diagnostics& diagnostics);
  void check_contents(const google::protobuf::Message& message, const FieldPath& path,
                      Diagnostics& diagnostics);

  Support support_;
  Validator validator_;
  AnyWalk any_walk_;
};

}  // namespace weir::config
