#include "config/any_walk.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <vector>

#include "config/message_walk.h"

namespace weir::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_any(const Descriptor& type) {
  return type.well_known_type() == Descriptor::WELLKNOWNTYPE_ANY;
}

}  // namespace

AnyWalk::AnyWalk() : reach_(is_any) {}

void AnyWalk::visit(const Message& message, const FieldPath& path, const Visit& visit) {
  if (is_any(*message.GetDescriptor())) {
    return visit(static_cast<const google::protobuf::Any&>(message), path);
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) {
    const Descriptor* const type = child_type(*field);
    if (type == nullptr || !reach_.reaches(*type)) continue;
    for_each_child(message, *field, path, [&](const Message& child, const FieldPath& at) {
      this->visit(child, at, visit);
    });
  }
}

}  // namespace weir::config
