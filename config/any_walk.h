#pragma once

#include <functional>

#include "config/field_path.h"
#include "config/type_reach.h"

namespace google::protobuf {
class Any;
class Message;
}  // namespace google::protobuf

namespace weir::config {

// Finds every google.protobuf.Any in a message tree, without looking into what it holds.
class AnyWalk {
 public:
  using Visit = std::function<void(const google::protobuf::Any&, const FieldPath&)>;

  AnyWalk();
  void visit(const google::protobuf::Message& message, const FieldPath& path, const Visit& visit);

 private:
  TypeReach reach_;
};

}  // namespace weir::config
