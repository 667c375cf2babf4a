#pragma once

namespace google::protobuf {
class Message;
}

namespace weir::admin {

// Replaces every text and byte string below a field that its .proto marks as sensitive
// (`udpa.annotations.sensitive`) by "[redacted]" and clears what else is there, inside Any
// too. An Any whose type is not known is emptied.
void redact(google::protobuf::Message& message);

}  // namespace weir::admin
