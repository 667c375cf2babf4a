#include "proxy/admin/redact.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "udpa/annotations/sensitive.pb.h"

namespace weir::admin {
namespace {

using google::protobuf::Any;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kRedacted[] = "[redacted]";

void redact_message(Message& message, bool sensitive);

std::unique_ptr<Message> unpack(const Any& any) {
  const std::string name = any.type_url().substr(any.type_url().rfind('/') + 1);
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return nullptr;
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  std::unique_ptr<Message> out(prototype->New());
  return any.UnpackTo(out.get()) ? std::move(out) : nullptr;
}

void redact_any(Any& any, bool sensitive) {
  const std::unique_ptr<Message> content = unpack(any);
  if (content == nullptr) {
    any.Clear();
    return;
  }
  redact_message(*content, sensitive);
  // The URL's prefix is the configuration's own.
  any.set_value(content->SerializeAsString());
}

void redact_children(Message& message, const FieldDescriptor& field, bool sensitive) {
  const Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    redact_message(*reflection.MutableMessage(&message, &field), sensitive);
    return;
  }
  // Entries of a map are messages of a key and a value; keys are names and stay.
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
    redact_message(*reflection.MutableRepeatedMessage(&message, &field, i), sensitive);
}

// A field of a plain type below a sensitive one.
void redact_value(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    reflection.ClearField(&message, &field);
  } else if (!field.is_repeated()) {
    reflection.SetString(&message, &field, kRedacted);
  } else {
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i)
      reflection.SetRepeatedString(&message, &field, i, kRedacted);
  }
}

bool is_map_key(const FieldDescriptor& field) {
  return field.containing_type()->options().map_entry() && field.number() == 1;
}

void redact_field(Message& message, const FieldDescriptor& field, bool inherited) {
  const bool sensitive = inherited || field.options().GetExtension(udpa::annotations::sensitive);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    redact_children(message, field, sensitive);
  } else if (sensitive && !is_map_key(field)) {
    redact_value(message, field);
  }
}

void redact_message(Message& message, bool sensitive) {
  if (auto* any = dynamic_cast<Any*>(&message)) {
    redact_any(*any, sensitive);
    return;
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) redact_field(message, *field, sensitive);
}

}  // namespace

void redact(Message& message) {
  redact_message(message, false);
}

}  // namespace weir::admin
