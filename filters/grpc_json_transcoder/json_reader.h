#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <optional>
#include <string_view>

#include "filters/grpc_json_transcoder/field_value.h"
#include "filters/grpc_json_transcoder/types.h"

// proto3's JSON mapping, from JSON to messages: strict in what JSON is (RFC 8259), and errors name
// the field. What the message has already stays where the text says nothing of it.
namespace weir::filters::transcoder {

struct JsonReadOptions {
  const Types& types;  // what an Any may hold
  bool ignore_unknown_fields = true;
  bool case_insensitive_enums = false;
};

// Objects and arrays may stand in each other this deep.
inline constexpr int kMaxJsonDepth = 100;

// Reads `text`, one value, into the message. Nothing, or what is wrong; the message may then hold
// parts of the text.
std::optional<Violation> read_json(std::string_view text, google::protobuf::Message& message,
                                   const JsonReadOptions& options);

// Reads `text` into the part of `message` that `chain` leads to. Errors name the whole path.
std::optional<Violation> read_json_field(std::string_view text, google::protobuf::Message& message,
                                         const FieldChain& chain, const JsonReadOptions& options);

}  // namespace weir::filters::transcoder
