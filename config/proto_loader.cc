#include "config/proto_loader.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>

#include "config/nearest.h"
#include "config/proto_load_run.h"

namespace weir::config {

ProtoLoader::ProtoLoader(const Source& source, const ProtoLoadOptions& options,
                         Diagnostics& diagnostics)
    : run_(std::make_unique<Run>(source, options, diagnostics)) {}

ProtoLoader::~ProtoLoader() = default;

void ProtoLoader::load(const YamlNode& node, const FieldPath& path,
                       google::protobuf::Message& out) {
  run_->message(node, path, out);
}

void ProtoLoader::Run::message(const YamlNode& node, const FieldPath& path, Message& out) {
  message_of(tables_.of(*out.GetDescriptor()), node, path, out);
}

void ProtoLoader::Run::message_of(MessageTable& table, const YamlNode& node, const FieldPath& path,
                                  Message& out) {
  switch (table.form) {
    case MessageForm::kFields:
    case MessageForm::kTypedStruct:
      return fields(table, node, path, /*skip=*/{}, out);
    case MessageForm::kAny:
      return any(node, path, out);
    case MessageForm::kDuration:
      return duration(node, path, out);
    case MessageForm::kTimestamp:
      return timestamp(node, path, out);
    case MessageForm::kFieldMask:
      return field_mask(node, path, out);
    case MessageForm::kWrapper:
      return scalar(*table.descriptor->field(0), node, path, /*append=*/false, out);
    case MessageForm::kStruct:
      return struct_fields(node, path, static_cast<google::protobuf::Struct&>(out));
    case MessageForm::kValue:
      return value(node, static_cast<google::protobuf::Value&>(out));
    case MessageForm::kListValue:
      return list(node, path, static_cast<google::protobuf::ListValue&>(out));
  }
}

// `skip` is a key that is no field.
void ProtoLoader::Run::fields(MessageTable& table, const YamlNode& node, const FieldPath& path,
                              std::string_view skip, Message& out) {
  if (!node.is_mapping()) {
    return wrong_type(node, path, "a mapping of the fields of " + table.descriptor->full_name());
  }
  Given given;
  for (const YamlEntry& yaml : node.entries()) {
    FieldEntry* const entry = table.find(yaml.key.text());
    if (entry == nullptr) {
      if (skip.empty() || yaml.key.text() != skip) unknown_field(table, yaml, path);
    } else if (may_set(*entry, yaml, given, path, out) && !is_left_out(*entry, yaml, node, path)) {
      field(*entry, yaml, path, out);
    }
  }
}

// Whether the field is to be set: not when its value is null, and an error when it was given
// before under its other name or when another field of its oneof was.
bool ProtoLoader::Run::may_set(FieldEntry& entry, const YamlEntry& yaml, Given& given,
                               const FieldPath& path, const Message& out) {
  if (yaml.value.is_null() && !takes_null(entry)) return false;
  const Field& field = *entry.field;
  if (!given.add(field.index())) {
    error(Code::kDuplicateKey, yaml.key, path.field(field.name()),
          "field '" + field.name() + "' is given twice, as '" + field.name() + "' and as '" +
              field.json_name() + "'",
          "remove one of the two");
    return false;
  }
  const google::protobuf::OneofDescriptor* const oneof = field.containing_oneof();
  if (oneof == nullptr) return true;
  const Field* const other = out.GetReflection()->GetOneofFieldDescriptor(out, oneof);
  if (other == nullptr || other == &field) return true;
  error(Code::kOneofConflict, yaml.key, path.field(field.name()),
        "'" + field.name() + "' and '" + other->name() + "' cannot both be set",
        "remove one of the two");
  return false;
}

// Null leaves a field unset, except where null is a value.
bool ProtoLoader::Run::takes_null(FieldEntry& entry) {
  const Field& field = *entry.field;
  if (field.is_repeated()) return false;
  if (field.enum_type() != nullptr) {
    return field.enum_type()->full_name() == "google.protobuf.NullValue";
  }
  return field.message_type() != nullptr && tables_.content(entry).form == MessageForm::kValue;
}

void ProtoLoader::Run::field(FieldEntry& entry, const YamlEntry& yaml, const FieldPath& path,
                             Message& out) {
  const Field& field = *entry.field;
  const FieldPath at = path.field(field.name());
  if (field.is_map()) return map(entry, yaml.value, at, out);
  if (field.is_repeated()) return repeated(entry, yaml.value, at, out);
  if (field.message_type() == nullptr) return scalar(field, yaml.value, at, false, out);
  Message* const child = out.GetReflection()->MutableMessage(&out, &field);
  message_of(tables_.content(entry), yaml.value, at, *child);
}

void ProtoLoader::Run::repeated(FieldEntry& entry, const YamlNode& node, const FieldPath& path,
                                Message& out) {
  if (!node.is_sequence()) {
    return wrong_type(node, path, "a list", "begin each item with '- ', or write [item, item]");
  }
  int index = 0;
  for (const YamlNode& item : node.items()) {
    const FieldPath at = path.at(index++);
    if (entry.field->message_type() == nullptr) {
      scalar(*entry.field, item, at, /*append=*/true, out);
      continue;
    }
    MessageTable& table = tables_.content(entry);
    if (item.is_null() && table.form != MessageForm::kValue) {
      wrong_type(item, at, "an item of the list");
      continue;
    }
    message_of(table, item, at, *out.GetReflection()->AddMessage(&out, entry.field));
  }
}

void ProtoLoader::Run::map(FieldEntry& entry, const YamlNode& node, const FieldPath& path,
                           Message& out) {
  if (!node.is_mapping()) return wrong_type(node, path, "a mapping of names to values");
  const Field& key = *entry.field->message_type()->map_key();
  const Field& value = *entry.field->message_type()->map_value();
  for (const YamlEntry& yaml : node.entries()) {
    const FieldPath at = path.key(yaml.key.text());
    Message* const pair = out.GetReflection()->AddMessage(&out, entry.field);
    // The key of a mapping is a string whatever it looks like: `80: x` has the key "80".
    const bool is_text = key.cpp_type() == Field::CPPTYPE_STRING;
    const YamlNode key_node =
        YamlNode::scalar(yaml.key.offset(), yaml.key.text(), /*is_plain=*/!is_text);
    scalar(key, key_node, at, /*append=*/false, *pair);
    if (value.message_type() == nullptr) {
      scalar(value, yaml.value, at, /*append=*/false, *pair);
    } else {
      Message* const child = pair->GetReflection()->MutableMessage(pair, &value);
      message_of(tables_.content(entry), yaml.value, at, *child);
    }
  }
}

void ProtoLoader::Run::unknown_field(const MessageTable& table, const YamlEntry& yaml,
                                     const FieldPath& path) {
  const std::string name(yaml.key.text());
  std::string message = "unknown field '" + name + "' of " + table.descriptor->full_name();
  const Severity severity = options_.allow_unknown_fields ? Severity::kWarning : Severity::kError;
  std::string hint;
  if (diagnostics_.keeps(severity)) hint = did_you_mean(name, table.names());
  if (table.descriptor->IsReservedName(name)) {
    message = "field '" + name + "' was removed from " + table.descriptor->full_name();
    hint.clear();
  }
  if (name == "config" && table.fields.contains("typed_config")) {
    hint = "use 'typed_config', with the type of the extension in '@type'";
  }
  report(severity, Code::kUnknownField, yaml.key, path.field(name), std::move(message),
         std::move(hint));
}

}  // namespace weir::config
