#pragma once

#include <functional>

#include "config/field_path.h"

namespace google::protobuf {
class Message;
}

namespace weir::config {

// Returns whether it changed the message: it may also take elements out of its fields.
using ChangeMessage = std::function<bool(google::protobuf::Message&, const FieldPath&)>;

// Calls `change` for each message of a tree, the outer ones first. What an Any holds is visited too
// if its type is known and its bytes are of it, and packed again if something of it was changed; an
// Any that `change` itself changed is not looked into. `path` is that of the message. Returns
// whether something was changed.
bool change_messages(google::protobuf::Message& message, const FieldPath& path,
                     const ChangeMessage& change);

}  // namespace weir::config
