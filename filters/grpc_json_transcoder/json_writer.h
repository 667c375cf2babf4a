#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "filters/grpc_json_transcoder/field_value.h"
#include "filters/grpc_json_transcoder/types.h"

// proto3's JSON mapping, from messages to JSON.
namespace weir::filters::transcoder {

// As GrpcJsonTranscoder.PrintOptions.
struct JsonWriteOptions {
  bool add_whitespace = false;  // a line for each member, indented by one space
  bool always_print_primitive_fields = false;
  bool enums_as_ints = false;
  bool preserve_proto_field_names = false;
};

// Appends the message, always as valid JSON. An Any of a type that is not in `types` is written
// with its bytes: {"@type": ..., "value": "<base64>"}.
void write_json(const google::protobuf::Message& message, const Types& types,
                const JsonWriteOptions& options, std::string& out);

// Appends only the part of the message that `chain` leads to, whatever its type.
void write_json_field(const google::protobuf::Message& message, const FieldChain& chain,
                      const Types& types, const JsonWriteOptions& options, std::string& out);

}  // namespace weir::filters::transcoder
