#pragma once

#include <cstdint>

namespace google::protobuf {
class Message;
}

namespace weir::config {

// Equal for equal messages, whatever the order of their map entries. Not for secrets.
uint64_t message_hash(const google::protobuf::Message& message, uint64_t seed = 0);

}  // namespace weir::config
