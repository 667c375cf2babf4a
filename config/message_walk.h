#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

#include "config/field_path.h"

namespace weir::config {

inline std::string map_key_text(const google::protobuf::Message& entry) {
  using google::protobuf::FieldDescriptor;
  const FieldDescriptor& key = *entry.GetDescriptor()->map_key();
  const google::protobuf::Reflection& reflection = *entry.GetReflection();
  switch (key.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(entry, &key);
    case FieldDescriptor::CPPTYPE_INT32:
      return std::to_string(reflection.GetInt32(entry, &key));
    case FieldDescriptor::CPPTYPE_INT64:
      return std::to_string(reflection.GetInt64(entry, &key));
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::to_string(reflection.GetUInt32(entry, &key));
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(reflection.GetUInt64(entry, &key));
    default:
      return reflection.GetBool(entry, &key) ? "true" : "false";
  }
}

// Calls `visit(child, path_of_child)` for each message that stands in `field` of `message`: the one
// that is set, each item, or each value of a map of messages.
template <class Visit>
void for_each_child(const google::protobuf::Message& message,
                    const google::protobuf::FieldDescriptor& field, const FieldPath& path,
                    Visit visit) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    if (!reflection.HasField(message, &field)) return;
    visit(reflection.GetMessage(message, &field), path.field(field.name()));
    return;
  }
  const int size = reflection.FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    const google::protobuf::Message& item = reflection.GetRepeatedMessage(message, &field, i);
    if (!field.is_map()) {
      visit(item, path.field(field.name(), i));
      continue;
    }
    const std::string key = map_key_text(item);
    const google::protobuf::FieldDescriptor& value = *field.message_type()->map_value();
    visit(item.GetReflection()->GetMessage(item, &value), path.entry(field.name(), key));
  }
}

// The type of the messages that `for_each_child` finds in the field; null if it holds none.
inline const google::protobuf::Descriptor* child_type(
    const google::protobuf::FieldDescriptor& field) {
  return field.is_map() ? field.message_type()->map_value()->message_type() : field.message_type();
}

}  // namespace weir::config
