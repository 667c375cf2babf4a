#include "filters/grpc_json_transcoder/field_value.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "config/scalar.h"
#include "config/utf8.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;
using Kind = Scalar::Kind;

bool is_text(const Scalar& value) {
  return value.kind == Kind::kString || value.kind == Kind::kUrlText;
}

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string shown(text.substr(0, kShown));
  shown.resize(config::utf8_valid_prefix(shown));
  return "'" + shown + (text.size() > shown.size() ? "...'" : "'");
}

std::string in_words(const Scalar& value) {
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.boolean ? "true" : "false";
    case Kind::kInt:
      return std::to_string(value.integer);
    case Kind::kUint:
      return std::to_string(value.natural);
    case Kind::kDouble: {
      char text[32];
      const auto end = std::to_chars(text, text + sizeof(text), value.number).ptr;
      return {text, static_cast<size_t>(end - text)};
    }
    default:
      return quoted(value.text);
  }
}

std::string expected(const std::string& what, const Scalar& value) {
  return "expected " + what + ", not " + in_words(value);
}

// ---- numbers ----

std::optional<double> to_double(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text.back()))) return {};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

template <class Integer>
std::optional<Integer> from_double(double number) {
  constexpr auto kLow = static_cast<double>(std::numeric_limits<Integer>::min());
  const double kHigh = std::ldexp(1.0, std::numeric_limits<Integer>::digits);
  if (!(number >= kLow && number < kHigh) || std::trunc(number) != number) return {};
  return static_cast<Integer>(number);
}

template <class Integer>
std::optional<Integer> from_text(std::string_view text) {
  Integer out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error == std::errc() && end == text.data() + text.size()) return out;
  const std::optional<double> number = to_double(text);
  const bool plain = text.find_first_of(".eE") == std::string_view::npos;
  return plain || !number ? std::nullopt : from_double<Integer>(*number);
}

template <class Integer>
std::optional<Integer> to_integer(const Scalar& value) {
  using Limits = std::numeric_limits<Integer>;
  switch (value.kind) {
    case Kind::kUint:
      if (value.natural > static_cast<uint64_t>(Limits::max())) return {};
      return static_cast<Integer>(value.natural);
    case Kind::kInt:
      if (value.integer < static_cast<int64_t>(Limits::min())) return {};
      return static_cast<Integer>(value.integer);
    case Kind::kDouble:
      return from_double<Integer>(value.number);
    case Kind::kString:
    case Kind::kUrlText:
      return from_text<Integer>(value.text);
    default:
      return {};
  }
}

std::optional<double> to_double(const Scalar& value) {
  switch (value.kind) {
    case Kind::kUint:
      return static_cast<double>(value.natural);
    case Kind::kInt:
      // Of zeros only -0 comes with a sign.
      return value.integer == 0 ? -0.0 : static_cast<double>(value.integer);
    case Kind::kDouble:
      return value.number;
    case Kind::kString:
    case Kind::kUrlText:
      return to_double(value.text);
    default:
      return {};
  }
}

std::optional<float> to_float(const Scalar& value) {
  const std::optional<double> number = to_double(value);
  if (!number) return {};
  if (std::isfinite(*number) && std::abs(*number) > std::numeric_limits<float>::max()) return {};
  return static_cast<float>(*number);
}

std::optional<bool> to_bool(const Scalar& value) {
  if (value.kind == Kind::kBool) return value.boolean;
  if (value.kind != Kind::kUrlText) return {};
  if (value.text == "true") return true;
  if (value.text == "false") return false;
  return {};
}

// ---- enums ----

bool equals_upper(std::string_view name, std::string_view text) {
  if (name.size() != text.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = text[i] == '-' ? '_' : text[i];
    if (name[i] != (c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c)) return false;
  }
  return true;
}

std::optional<int> to_enum(const EnumDescriptor& type, const Scalar& value, bool ignore_case) {
  if (value.kind == Kind::kNull && type.full_name() == "google.protobuf.NullValue") return 0;
  if (is_text(value)) {
    const std::string name(value.text);
    if (const EnumValueDescriptor* found = type.FindValueByName(name)) return found->number();
    for (int i = 0; ignore_case && i < type.value_count(); ++i)
      if (equals_upper(type.value(i)->name(), name)) return type.value(i)->number();
    if (value.kind == Kind::kString) return {};
  }
  return to_integer<int32_t>(value);
}

std::string enum_in_words(const EnumDescriptor& type) {
  constexpr int kShown = 8;
  std::string out = "a value of " + type.full_name() + " (";
  for (int i = 0; i < type.value_count() && i < kShown; ++i)
    out += (i > 0 ? ", " : "") + type.value(i)->name();
  return out + (type.value_count() > kShown ? ", ...)" : ")");
}

// ---- text ----

std::optional<std::string> to_text(const FieldDescriptor& field, const Scalar& value) {
  if (!is_text(value)) return {};
  if (field.type() == FieldDescriptor::TYPE_BYTES) return config::parse_base64(value.text);
  if (config::utf8_valid_prefix(value.text) != value.text.size()) return {};
  return std::string(value.text);
}

// A field of one message, repeated or not.
struct Slot {
  Message& message;
  const FieldDescriptor& field;

  // `set` and `add` are the reflection's calls for the field's type.
  template <class Value>
  bool put(const std::optional<Value>& value,
           void (Reflection::*set)(Message*, const FieldDescriptor*, Value) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, Value) const) const {
    if (!value) return false;
    const Reflection& reflection = *message.GetReflection();
    (reflection.*(field.is_repeated() ? add : set))(&message, &field, *value);
    return true;
  }
};

bool put_value(const Slot& slot, const Scalar& value, bool ignore_case) {
  const FieldDescriptor& field = slot.field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return slot.put(to_integer<int32_t>(value), &Reflection::SetInt32, &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return slot.put(to_integer<int64_t>(value), &Reflection::SetInt64, &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return slot.put(to_integer<uint32_t>(value), &Reflection::SetUInt32, &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return slot.put(to_integer<uint64_t>(value), &Reflection::SetUInt64, &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return slot.put(to_double(value), &Reflection::SetDouble, &Reflection::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return slot.put(to_float(value), &Reflection::SetFloat, &Reflection::AddFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return slot.put(to_bool(value), &Reflection::SetBool, &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return slot.put(to_enum(*field.enum_type(), value, ignore_case), &Reflection::SetEnumValue,
                      &Reflection::AddEnumValue);
    case FieldDescriptor::CPPTYPE_STRING:
      return slot.put(to_text(field, value), &Reflection::SetString, &Reflection::AddString);
    default:
      return false;
  }
}

// ---- messages that JSON writes as one value ----

// Seconds and nanoseconds, which Timestamp and Duration have under the same numbers.
template <class Time>
void set_time(Message& message, const Time& time) {
  const Descriptor& type = *message.GetDescriptor();
  message.GetReflection()->SetInt64(&message, type.FindFieldByNumber(1), time.seconds());
  message.GetReflection()->SetInt32(&message, type.FindFieldByNumber(2), time.nanos());
}

std::string set_timestamp(Message& message, const Scalar& value) {
  google::protobuf::Timestamp time;
  if (!is_text(value) || !TimeUtil::FromString(std::string(value.text), &time))
    return expected("a time such as '2024-01-31T12:00:00Z'", value);
  set_time(message, time);
  return {};
}

std::string set_duration(Message& message, const Scalar& value) {
  const auto span = is_text(value) ? config::parse_duration(value.text) : std::nullopt;
  if (!span) return expected("a duration such as '1.5s'", value);
  google::protobuf::Duration duration;
  duration.set_seconds(span->seconds);
  duration.set_nanos(span->nanos);
  set_time(message, duration);
  return {};
}

// "user.displayName,photo" is the paths user.display_name and photo. In a URL, where fields may
// have either name, the paths may too.
std::string set_field_mask(Message& message, const Scalar& value) {
  const bool is_json_name =
      value.kind == Kind::kUrlText || value.text.find('_') == std::string_view::npos;
  if (!is_text(value) || !is_json_name)
    return expected("field paths in lowerCamelCase with commas between them", value);
  const FieldDescriptor* paths = message.GetDescriptor()->FindFieldByNumber(1);
  std::string path;
  const auto add = [&] {
    if (!path.empty()) message.GetReflection()->AddString(&message, paths, path);
    path.clear();
  };
  for (const char c : value.text) {
    if (c == ',') {
      add();
    } else if (c >= 'A' && c <= 'Z') {
      path += {'_', static_cast<char>(c + 32)};
    } else {
      path += c;
    }
  }
  add();
  return {};
}

// google.protobuf.Value: null 1, number 2, string 3, bool 4.
std::string set_value(Message& message, const Scalar& value) {
  const auto number_of = [&] {
    if (value.kind == Kind::kNull) return 1;
    if (value.kind == Kind::kBool) return 4;
    return is_text(value) ? 3 : 2;
  };
  return set_field(message, *message.GetDescriptor()->FindFieldByNumber(number_of()), value, false);
}

}  // namespace

std::string type_in_words(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return "a 32-bit integer";
    case FieldDescriptor::CPPTYPE_INT64:
      return "a 64-bit integer";
    case FieldDescriptor::CPPTYPE_UINT32:
      return "a 32-bit unsigned integer";
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a 64-bit unsigned integer";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return enum_in_words(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "bytes in base64" : "a string";
    default:
      return "a message " + field.message_type()->full_name();
  }
}

std::string set_field(Message& message, const FieldDescriptor& field, const Scalar& value,
                      bool case_insensitive_enums) {
  if (put_value({message, field}, value, case_insensitive_enums)) return {};
  return expected(type_in_words(field), value);
}

bool is_scalar_message(const Descriptor& type) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
    case Descriptor::WELLKNOWNTYPE_ANY:
    case Descriptor::WELLKNOWNTYPE_STRUCT:
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return false;
    default:
      return true;
  }
}

std::string set_message(Message& message, const Scalar& value) {
  const Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return set_timestamp(message, value);
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return set_duration(message, value);
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return set_field_mask(message, value);
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return set_value(message, value);
    default:
      break;
  }
  // The others that are scalars wrap one in their field `value`.
  if (is_scalar_message(type)) return set_field(message, *type.FindFieldByNumber(1), value, false);
  return expected("an object", value);
}

const FieldDescriptor* find_field(const Descriptor& type, std::string_view name) {
  const std::string text(name);
  if (const FieldDescriptor* field = type.FindFieldByName(text)) return field;
  // JSON names of a message are unique; messages are small.
  for (int i = 0; i < type.field_count(); ++i)
    if (type.field(i)->json_name() == text) return type.field(i);
  return nullptr;
}

}  // namespace weir::filters::transcoder
