#include "config/message_table.h"

#include <google/protobuf/descriptor.h>

namespace weir::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

MessageForm form_of(const Descriptor& descriptor) {
  const std::string& name = descriptor.full_name();
  if (name == "xds.type.v3.TypedStruct" || name == "udpa.type.v1.TypedStruct") {
    return MessageForm::kTypedStruct;
  }
  switch (descriptor.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_ANY:
      return MessageForm::kAny;
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return MessageForm::kDuration;
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return MessageForm::kTimestamp;
    case Descriptor::WELLKNOWNTYPE_FIELDMASK:
      return MessageForm::kFieldMask;
    case Descriptor::WELLKNOWNTYPE_STRUCT:
      return MessageForm::kStruct;
    case Descriptor::WELLKNOWNTYPE_VALUE:
      return MessageForm::kValue;
    case Descriptor::WELLKNOWNTYPE_LISTVALUE:
      return MessageForm::kListValue;
    case Descriptor::WELLKNOWNTYPE_UNSPECIFIED:
      return MessageForm::kFields;
    default:
      return MessageForm::kWrapper;
  }
}

}  // namespace

FieldEntry* MessageTable::find(std::string_view name) {
  const auto found = fields.find(name);
  return found == fields.end() ? nullptr : &found->second;
}

std::vector<std::string_view> MessageTable::names() const {
  std::vector<std::string_view> out;
  for (int i = 0; i < descriptor->field_count(); ++i) out.push_back(descriptor->field(i)->name());
  return out;
}

MessageTable& MessageTables::of(const Descriptor& descriptor) {
  std::unique_ptr<MessageTable>& slot = tables_[&descriptor];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<MessageTable>();
  slot->descriptor = &descriptor;
  slot->form = form_of(descriptor);
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor* const field = descriptor.field(i);
    slot->fields.emplace(field->name(), FieldEntry{.field = field});
    slot->fields.emplace(field->json_name(), FieldEntry{.field = field});
  }
  return *slot;
}

MessageTable& MessageTables::content(FieldEntry& entry) {
  if (entry.content != nullptr) return *entry.content;
  const FieldDescriptor* const field = entry.field;
  const FieldDescriptor* const value = field->is_map() ? field->message_type()->map_value() : field;
  entry.content = &of(*value->message_type());
  return *entry.content;
}

}  // namespace weir::config
