#include "config/message_check.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>

#include "config/extension_type.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::Message;

namespace {

// The type that a message in an Any stands for.
std::string meant_type(const Message& content) {
  const std::string& type = content.GetDescriptor()->full_name();
  if (content.GetDescriptor() != xds::type::v3::TypedStruct::descriptor()) return type;
  const std::string& url = static_cast<const xds::type::v3::TypedStruct&>(content).type_url();
  return url.substr(url.rfind('/') + 1);
}

}  // namespace

void MessageCheck::check(const Message& message, const FieldPath& path, Diagnostics& diagnostics) {
  validator_.check(message, path, diagnostics);
  support_.check(message, path, diagnostics);
}

void MessageCheck::check_extension(const Message& content, const FieldPath& path,
                                   Diagnostics& diagnostics) {
  const std::string& type = content.GetDescriptor()->full_name();
  if (!support_.has_extension(type))
    if (const std::string meant = meant_type(content); may_be_passed_over(meant, path))
      return warn_of_passed_over(meant, path, diagnostics);
  if (support_.check_extension(type, path, diagnostics)) check(content, path, diagnostics);
}

void MessageCheck::check_all(const Message& message, const FieldPath& path,
                             Diagnostics& diagnostics) {
  check(message, path, diagnostics);
  check_contents(message, path, diagnostics);
}

void MessageCheck::check_contents(const Message& message, const FieldPath& path,
                                  Diagnostics& diagnostics) {
  any_walk_.visit(message, path,
                  [&](const Any& any, const FieldPath& at) { check_any(any, at, diagnostics); });
}

void MessageCheck::check_any(const Any& any, const FieldPath& path, Diagnostics& diagnostics) {
  std::string name;
  if (!Any::ParseAnyTypeUrl(any.type_url(), &name)) {
    return diagnostics.error(Code::kUnknownExtension, path,
                             "'" + any.type_url() + "' is no type URL");
  }
  const Descriptor* const type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) {
    if (may_be_passed_over(name, path)) return warn_of_passed_over(name, path, diagnostics);
    const UnknownType unknown = describe_unknown_type(name, support_.extension_types());
    return diagnostics.error(unknown.code, path, unknown.message, unknown.hint);
  }
  google::protobuf::Arena arena;
  const Message* const prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  Message& content = *prototype->New(&arena);
  if (!content.ParseFromString(any.value())) {
    return diagnostics.error(Code::kInvalidValue, path, "this is no valid " + name);
  }
  check_extension(content, path, diagnostics);
  check_contents(content, path, diagnostics);
}

}  // namespace weir::config
