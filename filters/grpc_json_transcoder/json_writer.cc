#include "filters/grpc_json_transcoder/json_writer.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <cmath>
#include <memory>
#include <vector>

#include "filters/grpc_json_transcoder/json_text.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

// What sends deeper messages than this is written with nulls below.
constexpr int kMaxDepth = 200;

class MessageWriter {
 public:
  MessageWriter(const Types& types, const JsonWriteOptions& options, std::string& out)
      : types_(types), options_(options), text_(out, options.add_whitespace) {}

  void write(const Message& message);
  void write_field(const Message& message, const FieldDescriptor& field);
  void finish() { text_.finish(); }

 private:
  void write_members(const Message& message);
  void write_object(const Message& message);
  void write_element(const Message& message, const FieldDescriptor& field, int index);
  void write_map(const Message& message, const FieldDescriptor& field);
  void write_enum(const FieldDescriptor& field, int number);
  void write_number(double number, bool is_float);
  void write_any(const Message& message);
  void write_value(const Message& message);
  template <class Time>
  void write_time(const Message& message);
  void write_field_mask(const Message& message);
  bool is_written(const Message& message, const FieldDescriptor& field) const;

  template <class Number>
  void raw_number(Number number) {
    char text[32];
    text_.raw(
        {text, static_cast<size_t>(std::to_chars(text, text + sizeof(text), number).ptr - text)});
  }
  // JavaScript cannot hold all integers of 64 bits: they are strings.
  template <class Number>
  void quoted_number(Number number) {
    text_.raw("\"");
    raw_number(number);
    text_.raw("\"");
  }

  const Types& types_;
  const JsonWriteOptions& options_;
  JsonText text_;
  int depth_ = 0;
};

// ---- scalars ----

void MessageWriter::write_number(double number, bool is_float) {
  if (std::isnan(number)) return text_.raw("\"NaN\"");
  if (std::isinf(number)) return text_.raw(number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  if (is_float) return raw_number(static_cast<float>(number));
  raw_number(number);
}

void MessageWriter::write_enum(const FieldDescriptor& field, int number) {
  if (field.enum_type()->full_name() == "google.protobuf.NullValue") return text_.raw("null");
  const auto* value = field.enum_type()->FindValueByNumber(number);
  if (options_.enums_as_ints || value == nullptr) return raw_number(number);
  text_.string(value->name());
}

// A field that is not repeated when `index` is negative.
void MessageWriter::write_element(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return raw_number(one ? r.GetInt32(message, &field)
                            : r.GetRepeatedInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return raw_number(one ? r.GetUInt32(message, &field)
                            : r.GetRepeatedUInt32(message, &field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return quoted_number(one ? r.GetInt64(message, &field)
                               : r.GetRepeatedInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_UINT64:
      return quoted_number(one ? r.GetUInt64(message, &field)
                               : r.GetRepeatedUInt64(message, &field, index));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return write_number(
          one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index),
          /*is_float=*/false);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return write_number(
          one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index),
          /*is_float=*/true);
    case FieldDescriptor::CPPTYPE_BOOL:
      return text_.raw(
          (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index)) ? "true"
                                                                                         : "false");
    case FieldDescriptor::CPPTYPE_ENUM:
      return write_enum(field, one ? r.GetEnumValue(message, &field)
                                   : r.GetRepeatedEnumValue(message, &field, index));
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text =
          one ? r.GetStringReference(message, &field, &scratch)
              : r.GetRepeatedStringReference(message, &field, index, &scratch);
      return field.type() == FieldDescriptor::TYPE_BYTES ? text_.base64(text) : text_.string(text);
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return write(one ? r.GetMessage(message, &field)
                       : r.GetRepeatedMessage(message, &field, index));
  }
}

// ---- fields ----

std::string key_text(const Message& entry, const FieldDescriptor& key) {
  const Reflection& r = *entry.GetReflection();
  switch (key.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(r.GetInt32(entry, &key));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(r.GetUInt32(entry, &key));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(r.GetInt64(entry, &key));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(r.GetUInt64(entry, &key));
    case FieldDescriptor::CPPTYPE_BOOL:
      return r.GetBool(entry, &key) ? "true" : "false";
    default:
      return r.GetString(entry, &key);
  }
}

void MessageWriter::write_map(const Message& message, const FieldDescriptor& field) {
  const Reflection& r = *message.GetReflection();
  const Descriptor& entry_type = *field.message_type();
  text_.start('{');
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    text_.key(key_text(entry, *entry_type.map_key()));
    write_element(entry, *entry_type.map_value(), -1);
  }
  text_.end('}');
}

void MessageWriter::write_field(const Message& message, const FieldDescriptor& field) {
  if (field.is_map()) return write_map(message, field);
  if (!field.is_repeated()) {
    const bool unset = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                       !message.GetReflection()->HasField(message, &field);
    return unset ? text_.raw("null") : write_element(message, field, -1);
  }
  text_.start('[');
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    text_.element();
    write_element(message, field, i);
  }
  text_.end(']');
}

bool MessageWriter::is_written(const Message& message, const FieldDescriptor& field) const {
  if (field.is_repeated()) return true;
  if (message.GetReflection()->HasField(message, &field)) return true;
  // What knows whether it is set, and is not, has nothing to show.
  return !field.has_presence();
}

void MessageWriter::write_members(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  if (options_.always_print_primitive_fields) {
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i)
      if (is_written(message, *type.field(i))) fields.push_back(type.field(i));
  } else {
    message.GetReflection()->ListFields(message, &fields);
  }
  for (const FieldDescriptor* field : fields) {
    if (field->is_extension()) continue;  // JSON has no names for them
    text_.key(options_.preserve_proto_field_names ? field->name() : field->json_name());
    write_field(message, *field);
  }
}

void MessageWriter::write_object(const Message& message) {
  text_.start('{');
  write_members(message);
  text_.end('}');
}

// ---- types with a JSON form of their own ----

template <class Time>
void MessageWriter::write_time(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& r = *message.GetReflection();
  Time time;
  time.set_seconds(r.GetInt64(message, type.FindFieldByNumber(1)));
  time.set_nanos(r.GetInt32(message, type.FindFieldByNumber(2)));
  text_.string(TimeUtil::ToString(time));
}

void MessageWriter::write_field_mask(const Message& message) {
  const FieldDescriptor* paths = message.GetDescriptor()->FindFieldByNumber(1);
  const Reflection& r = *message.GetReflection();
  std::string out;
  for (int i = 0; i < r.FieldSize(message, paths); ++i) {
    if (i > 0) out += ',';
    bool upper = false;
    for (const char c : r.GetRepeatedString(message, paths, i)) {
      if (c != '_') out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      upper = c == '_';
    }
  }
  text_.string(out);
}

void MessageWriter::write_value(const Message& message) {
  std::vector<const FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  if (set.empty()) return text_.raw("null");
  write_element(message, *set[0], -1);
}

void MessageWriter::write_any(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& r = *message.GetReflection();
  const std::string url = r.GetString(message, type.FindFieldByNumber(1));
  const std::string bytes = r.GetString(message, type.FindFieldByNumber(2));
  text_.start('{');
  if (!url.empty()) {
    text_.key("@type");
    text_.string(url);
    const Message* prototype = types_.find_by_url(url);
    const std::unique_ptr<Message> content(prototype == nullptr ? nullptr : prototype->New());
    if (content == nullptr || !content->ParsePartialFromString(bytes)) {
      text_.key("value");
      text_.base64(bytes);
    } else if (content->GetDescriptor()->well_known_type() !=
               Descriptor::WELLKNOWNTYPE_UNSPECIFIED) {
      text_.key("value");
      write(*content);
    } else {
      write_members(*content);
    }
  }
  text_.end('}');
}

void MessageWriter::write(const Message& message) {
  if (depth_ >= kMaxDepth) return text_.raw("null");
  ++depth_;
  const Descriptor& type = *message.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      write_object(message);
      break;
    case Descriptor::WELLKNOWNTYPE_ANY:
      write_any(message);
      break;
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      write_time<google::protobuf::Timestamp>(message);
      break;
    case Descriptor::WELLKNOWNTYPE_DURATION:
      write_time<google::protobuf::Duration>(message);
      break;
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      write_field_mask(message);
      break;
    case Descriptor::WELLKNOWNTYPE_VALUE:
      write_value(message);
      break;
    default:
      // A wrapper's value, a Struct's map, a ListValue's list: their only field.
      write_field(message, *type.FindFieldByNumber(1));
  }
  --depth_;
}

}  // namespace

void write_json(const Message& message, const Types& types, const JsonWriteOptions& options,
                std::string& out) {
  MessageWriter writer(types, options, out);
  writer.write(message);
  writer.finish();
}

void write_json_field(const Message& message, const FieldChain& chain, const Types& types,
                      const JsonWriteOptions& options, std::string& out) {
  const Message* owner = &message;
  for (size_t i = 0; i + 1 < chain.size(); ++i)
    owner = &owner->GetReflection()->GetMessage(*owner, chain[i]);
  MessageWriter writer(types, options, out);
  writer.write_field(*owner, *chain.back());
  writer.finish();
}

}  // namespace weir::filters::transcoder
