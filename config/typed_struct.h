#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Any;
class Message;
}  // namespace google::protobuf

namespace weir::config {

struct TypedStructOptions {
  // Unknown fields are warnings instead of errors.
  bool allow_unknown_fields = false;
  // Type names of the extensions that exist, for hints.
  std::vector<std::string_view> extension_types;
};

// For messages from the wire, what ProtoLoader (config/proto_loader.h) does for those from YAML:
// puts the message that a TypedStruct (xds.type.v3 or udpa.type.v1) in an Any stands for in its
// place, read by the JSON mapping; in all Anys of `message`, and in those that they hold. Errors
// have the path of the Any and, below it, that of the field in the message that is meant. `path` is
// that of the message.
void unfold_typed_structs(google::protobuf::Message& message, const FieldPath& path,
                          const TypedStructOptions& options, Diagnostics& diagnostics);

// Whether bytes of a message may hold a TypedStruct at all; most do not.
bool mentions_typed_struct(std::string_view bytes);

// The name of the type that an Any is of: of a TypedStruct, that which it stands for.
std::string meant_type(const google::protobuf::Any& any);

}  // namespace weir::config
