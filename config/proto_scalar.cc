// Scalars of the tree to scalar fields.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "config/nearest.h"
#include "config/proto_load_run.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_unsigned(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
}

std::string_view integer_name(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "a 32-bit integer";
    case FieldDescriptor::CPPTYPE_UINT32:
      return "a 32-bit unsigned integer";
    case FieldDescriptor::CPPTYPE_INT64:
      return "a 64-bit integer";
    default:
      return "a 64-bit unsigned integer";
  }
}

bool fits(const FieldDescriptor& field, Integer integer) {
  const bool is_32_bit = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
                         field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32;
  if (is_unsigned(field)) {
    if (integer.is_negative && integer.magnitude != 0) return false;
    return !is_32_bit || integer.magnitude <= std::numeric_limits<std::uint32_t>::max();
  }
  const std::optional<std::int64_t> value = to_int64(integer);
  if (!value) return false;
  return !is_32_bit || (*value >= std::numeric_limits<std::int32_t>::min() &&
                        *value <= std::numeric_limits<std::int32_t>::max());
}

// The integer must fit.
void set_integer(const FieldDescriptor& field, Integer integer, bool append, Message& out) {
  const google::protobuf::Reflection& reflection = *out.GetReflection();
  const std::int64_t value = to_int64(integer).value_or(0);
  const auto small = static_cast<std::int32_t>(value);
  const auto small_unsigned = static_cast<std::uint32_t>(integer.magnitude);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return append ? reflection.AddInt32(&out, &field, small)
                    : reflection.SetInt32(&out, &field, small);
    case FieldDescriptor::CPPTYPE_UINT32:
      return append ? reflection.AddUInt32(&out, &field, small_unsigned)
                    : reflection.SetUInt32(&out, &field, small_unsigned);
    case FieldDescriptor::CPPTYPE_INT64:
      return append ? reflection.AddInt64(&out, &field, value)
                    : reflection.SetInt64(&out, &field, value);
    default:
      return append ? reflection.AddUInt64(&out, &field, integer.magnitude)
                    : reflection.SetUInt64(&out, &field, integer.magnitude);
  }
}

std::optional<Integer> integer_of(const YamlNode& node) {
  return node.is_plain() ? parse_integer(node.text()) : parse_quoted_integer(node.text());
}

std::string_view unsigned_part(std::string_view text) {
  return text.substr(text.starts_with('-') || text.starts_with('+') ? 1 : 0);
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<std::string_view> value_names(const google::protobuf::EnumDescriptor& type) {
  std::vector<std::string_view> names;
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return names;
}

// For an enum of few values all of them, else the nearest.
std::string enum_hint(std::string_view text, const google::protobuf::EnumDescriptor& type) {
  std::string hint = did_you_mean(text, value_names(type));
  if (!hint.empty() || type.value_count() > 12) return hint;
  for (const std::string_view name : value_names(type)) {
    hint += (hint.empty() ? "one of " : ", ") + std::string(name);
  }
  return hint;
}

}  // namespace

void ProtoLoader::Run::scalar(const Field& field, const YamlNode& node, const FieldPath& path,
                              bool append, Message& out) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return bool_value(field, node, path, append, out);
    case Field::CPPTYPE_FLOAT:
    case Field::CPPTYPE_DOUBLE:
      return floating(field, node, path, append, out);
    case Field::CPPTYPE_STRING:
      return text(field, node, path, append, out);
    case Field::CPPTYPE_ENUM:
      return enumeration(field, node, path, append, out);
    default:
      return integer(field, node, path, append, out);
  }
}

void ProtoLoader::Run::bool_value(const Field& field, const YamlNode& node, const FieldPath& path,
                                  bool append, Message& out) {
  const std::optional<bool> value = parse_bool(node.text());
  if (!value) return wrong_type(node, path, "true or false");
  if (!node.is_plain()) return wrong_type(node, path, "true or false", "remove the quotes");
  const google::protobuf::Reflection& reflection = *out.GetReflection();
  append ? reflection.AddBool(&out, &field, *value) : reflection.SetBool(&out, &field, *value);
}

void ProtoLoader::Run::integer(const Field& field, const YamlNode& node, const FieldPath& path,
                               bool append, Message& out) {
  const std::optional<Integer> value = integer_of(node);
  if (!value) return no_integer(field, node, path);
  if (!fits(field, *value)) {
    return error(Code::kOutOfRange, node, path,
                 std::string(node.text()) + " is not " + std::string(integer_name(field)));
  }
  set_integer(field, *value, append, out);
}

void ProtoLoader::Run::no_integer(const Field& field, const YamlNode& node, const FieldPath& path) {
  const std::string_view text = node.text();
  const std::string_view digits = unsigned_part(text);
  if (!is_digits(digits)) {
    const std::optional<double> number = parse_double(text);
    return wrong_type(node, path, integer_name(field),
                      number && std::isfinite(*number) ? "the number must be whole" : "");
  }
  const std::size_t first = digits.find_first_not_of('0');
  if (node.is_plain() && first != 0 && digits.find_first_of("89") != std::string_view::npos) {
    std::string decimal(digits.substr(first));
    if (text.starts_with('-')) decimal.insert(0, 1, '-');
    return wrong_type(node, path, integer_name(field),
                      "a leading 0 makes it octal, which has no 8 and 9; write " + decimal);
  }
  constexpr std::size_t kMaxShown = 40;
  error(Code::kOutOfRange, node, path,
        std::string(text.substr(0, kMaxShown)) + (text.size() > kMaxShown ? "..." : "") +
            " is not " + std::string(integer_name(field)));
}

void ProtoLoader::Run::floating(const Field& field, const YamlNode& node, const FieldPath& path,
                                bool append, Message& out) {
  std::optional<double> value = parse_double(node.text());
  if (const std::optional<Integer> whole = integer_of(node)) {
    value = static_cast<double>(whole->magnitude) * (whole->is_negative ? -1 : 1);
  }
  if (!value) return wrong_type(node, path, "a number");
  const google::protobuf::Reflection& reflection = *out.GetReflection();
  if (field.cpp_type() == Field::CPPTYPE_DOUBLE) {
    append ? reflection.AddDouble(&out, &field, *value)
           : reflection.SetDouble(&out, &field, *value);
    return;
  }
  if (std::isfinite(*value) && std::abs(*value) > std::numeric_limits<float>::max()) {
    return error(Code::kOutOfRange, node, path,
                 std::string(node.text()) + " is not a 32-bit floating-point number");
  }
  const auto narrow = static_cast<float>(*value);
  append ? reflection.AddFloat(&out, &field, narrow) : reflection.SetFloat(&out, &field, narrow);
}

void ProtoLoader::Run::text(const Field& field, const YamlNode& node, const FieldPath& path,
                            bool append, Message& out) {
  std::string value;
  if (!text_of(field, node, path, value)) return;
  const google::protobuf::Reflection& reflection = *out.GetReflection();
  append ? reflection.AddString(&out, &field, std::move(value))
         : reflection.SetString(&out, &field, std::move(value));
}

bool ProtoLoader::Run::text_of(const Field& field, const YamlNode& node, const FieldPath& path,
                               std::string& out) {
  if (!node.is_scalar()) {
    wrong_type(node, path, "a string");
    return false;
  }
  if (node.is_plain() && plain_type(node.text()) != PlainType::kText) {
    const bool is_bool = plain_type(node.text()) == PlainType::kBool;
    wrong_type(node, path, "a string",
               "unquoted, this is a " + std::string(is_bool ? "bool" : "number") + "; write \"" +
                   std::string(node.text()) + "\"");
    return false;
  }
  if (field.type() != Field::TYPE_BYTES) {
    out = node.text();
    return true;
  }
  std::optional<std::string> bytes = parse_base64(node.text());
  if (!bytes) {
    error(Code::kInvalidValue, node, path, "expected base64",
          "if the API has an 'inline_string' beside this field, that takes plain text");
    return false;
  }
  out = std::move(*bytes);
  return true;
}

void ProtoLoader::Run::enumeration(const Field& field, const YamlNode& node, const FieldPath& path,
                                   bool append, Message& out) {
  const google::protobuf::EnumDescriptor& type = *field.enum_type();
  const google::protobuf::EnumValueDescriptor* const named =
      node.is_scalar() ? type.FindValueByName(std::string(node.text())) : nullptr;
  std::optional<std::int64_t> number;
  if (named != nullptr) {
    number = named->number();
  } else if (node.is_null() && type.full_name() == "google.protobuf.NullValue") {
    number = 0;
  } else if (const std::optional<Integer> value = integer_of(node)) {
    number = to_int64(*value);
  }
  if (!node.is_scalar() && !number) return wrong_type(node, path, "a value of " + type.full_name());
  if (!number || *number > std::numeric_limits<std::int32_t>::max() ||
      *number < std::numeric_limits<std::int32_t>::min()) {
    return error(Code::kUnknownValue, node, path,
                 "'" + std::string(node.text()) + "' is no value of " + type.full_name(),
                 enum_hint(node.text(), type));
  }
  const google::protobuf::Reflection& reflection = *out.GetReflection();
  const auto value = static_cast<int>(*number);
  append ? reflection.AddEnumValue(&out, &field, value)
         : reflection.SetEnumValue(&out, &field, value);
}

}  // namespace weir::config
