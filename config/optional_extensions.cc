#include "config/optional_extensions.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "config/extension_type.h"
#include "config/mutable_walk.h"
#include "config/typed_struct.h"

namespace weir::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_optional(const Message& owner) {
  const FieldDescriptor* const field = owner.GetDescriptor()->FindFieldByName("is_optional");
  return field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL &&
         owner.GetReflection()->GetBool(owner, field);
}

bool leave_out_of(Message& owner, const FieldPath& path,
                  const std::function<bool(std::string_view)>& has, Diagnostics& diagnostics) {
  if (!is_optional(owner)) return false;
  bool changed = false;
  std::vector<const FieldDescriptor*> fields;
  owner.GetReflection()->ListFields(owner, &fields);
  for (const FieldDescriptor* const field : fields) {
    const Descriptor* const type = field->message_type();
    if (field->is_repeated() || type == nullptr ||
        type->well_known_type() != Descriptor::WELLKNOWNTYPE_ANY)
      continue;
    const std::string meant =
        meant_type(static_cast<const Any&>(owner.GetReflection()->GetMessage(owner, field)));
    if (meant.empty() || has(meant)) continue;
    diagnostics.warning(Code::kNotSupported, path.field(field->name()), left_out_text(meant));
    owner.GetReflection()->ClearField(&owner, field);
    changed = true;
  }
  return changed;
}

}  // namespace

// HTTP filters stand in the messages of two extensions, and what routes say of them is one itself.
bool mentions_optional_extension(std::string_view bytes) {
  for (const std::string_view type :
       {"v3.HttpConnectionManager", "v3.HttpProtocolOptions", "route.v3.FilterConfig"})
    if (bytes.find(type) != std::string_view::npos) return true;
  return false;
}

void leave_out_optional(Message& message, const FieldPath& path,
                        const std::function<bool(std::string_view type)>& has,
                        Diagnostics& diagnostics) {
  change_messages(message, path, [&](Message& part, const FieldPath& at) {
    return leave_out_of(part, at, has, diagnostics);
  });
}

}  // namespace weir::config
