#pragma once

#include <string>

namespace google::protobuf {
class Message;
}

namespace weir::admin {

// Keeps of a message what `mask` names: paths with dots, separated by commas (a FieldMask as text),
// which here lead through Any too. An empty mask keeps all. False, with the message in any state:
// the mask names a field that there is not, or one within a list.
bool keep_masked(const std::string& mask, google::protobuf::Message& message);

}  // namespace weir::admin
