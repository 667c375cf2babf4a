#pragma once

#include <cstddef>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Message;
}

namespace weir::config {

// Reports the fields that a message from the wire has and that its type does not know, such as
// those of a newer API: in the message, in those within it, and in what its Anys hold. Each number
// is reported once for each message that has it, as Code::kUnknownField at that message's path.
// With Severity::kWarning they are meant to be ignored.
//
// What an Any holds is passed over if its type is unknown here or its bytes are not of that type:
// MessageCheck (config/message_check.h) refuses those. Anys within Anys are looked into up to a
// depth that no configuration needs; beyond it Code::kLimit is reported, always as an error.
//
// Returns how many unknown fields there are, for a counter. `path` is that of the message.
std::size_t report_unknown_fields(const google::protobuf::Message& message, const FieldPath& path,
                                  Severity severity, Diagnostics& diagnostics);

}  // namespace weir::config
