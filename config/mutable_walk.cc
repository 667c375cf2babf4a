#include "config/mutable_walk.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "config/message_walk.h"

namespace weir::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Maps in the order of their keys: configurations are compared by their bytes.
void pack_again(const Message& content, Any& any) {
  any.clear_value();
  google::protobuf::io::StringOutputStream bytes(any.mutable_value());
  google::protobuf::io::CodedOutputStream stream(&bytes);
  stream.SetSerializationDeterministic(true);
  content.SerializeToCodedStream(&stream);
}

bool change_content(Any& any, const FieldPath& path, const ChangeMessage& change) {
  std::string name;
  if (!Any::ParseAnyTypeUrl(any.type_url(), &name)) return false;
  const Descriptor* const type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return false;
  google::protobuf::Arena arena;
  Message& content =
      *google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New(&arena);
  if (!content.ParseFromString(any.value()) || !change_messages(content, path, change))
    return false;
  pack_again(content, any);
  return true;
}

bool change_field(Message& message, const FieldDescriptor& field, const FieldPath& path,
                  const ChangeMessage& change) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated())
    return change_messages(*reflection.MutableMessage(&message, &field), path.field(field.name()),
                           change);
  bool changed = false;
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    Message& item = *reflection.MutableRepeatedMessage(&message, &field, i);
    if (!field.is_map()) {
      changed |= change_messages(item, path.field(field.name(), i), change);
      continue;
    }
    const std::string key = map_key_text(item);
    const FieldDescriptor& value = *field.message_type()->map_value();
    changed |= change_messages(*item.GetReflection()->MutableMessage(&item, &value),
                               path.entry(field.name(), key), change);
  }
  return changed;
}

}  // namespace

bool change_messages(Message& message, const FieldPath& path, const ChangeMessage& change) {
  bool changed = change(message, path);
  if (message.GetDescriptor()->well_known_type() == Descriptor::WELLKNOWNTYPE_ANY)
    return changed || change_content(static_cast<Any&>(message), path, change);
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields)
    if (child_type(*field) != nullptr) changed |= change_field(message, *field, path, change);
  return changed;
}

}  // namespace weir::config
