#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::filters::transcoder {

// What is wrong with a request, and where: google.rpc.BadRequest.FieldViolation.
struct Violation {
  std::string field;  // e.g. "book.pages[3].title"; empty: the body as a whole
  std::string description;
};

// Fields from a message down to one of its parts.
using FieldChain = std::vector<const google::protobuf::FieldDescriptor*>;

// A value that is neither object nor array, as JSON or a URL has it.
struct Scalar {
  enum class Kind : uint8_t { kNull, kBool, kInt, kUint, kDouble, kString, kUrlText };
  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;    // kInt: negative numbers, and -0
  uint64_t natural = 0;   // kUint
  double number = 0;      // kDouble
  std::string_view text;  // kString; kUrlText: of any type

  static Scalar from_url(std::string_view text) { return {.kind = Kind::kUrlText, .text = text}; }
};

// Sets the field (adds to it, when it is repeated) by proto3's JSON mapping. The field is not of a
// message type. Returns what is wrong with the value, or an empty text.
std::string set_field(google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field, const Scalar& value,
                      bool case_insensitive_enums);

// The same for a message that JSON writes as a scalar: Timestamp, Duration, FieldMask, a wrapper, a
// Value.
std::string set_message(google::protobuf::Message& message, const Scalar& value);

// Whether JSON may write messages of this type as a scalar.
bool is_scalar_message(const google::protobuf::Descriptor& type);

// A field by the name it has in the proto or in JSON; null when there is none.
const google::protobuf::FieldDescriptor* find_field(const google::protobuf::Descriptor& type,
                                                    std::string_view name);

// As people call it: "a 32-bit integer", "a string", "google.type.Date".
std::string type_in_words(const google::protobuf::FieldDescriptor& field);

}  // namespace weir::filters::transcoder
