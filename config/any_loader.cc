// google.protobuf.Any, and TypedStruct in an Any.
#include <google/protobuf/any.pb.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <string>

#include "config/extension_type.h"
#include "config/proto_load_run.h"
#include "config/scalar.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::Message;

constexpr std::string_view kTypeKey = "@type";
constexpr std::string_view kTypePrefix = "type.googleapis.com/";

// Maps in the order of their keys, so that equal messages are equal bytes: configurations are
// compared by those.
void pack(const Message& content, Any& any) {
  any.set_type_url(std::string(kTypePrefix) + content.GetDescriptor()->full_name());
  google::protobuf::io::StringOutputStream bytes(any.mutable_value());
  google::protobuf::io::CodedOutputStream stream(&bytes);
  stream.SetSerializationDeterministic(true);
  content.SerializeToCodedStream(&stream);
}

const Descriptor* find_type(std::string_view url) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      std::string(url.substr(url.rfind('/') + 1)));
}

bool is_optional(const YamlNode& owner) {
  const YamlNode* says = owner.find("is_optional");
  if (says == nullptr) says = owner.find("isOptional");
  return says != nullptr && says->is_plain() && parse_bool(says->text()).value_or(false);
}

// Of a TypedStruct, that which it stands for. Null: none is given.
const YamlNode* meant_url(const YamlNode& any) {
  const YamlNode* url = any.find(kTypeKey);
  if (url == nullptr || !url->text().ends_with(".TypedStruct")) return url;
  url = any.find("type_url");
  return url == nullptr ? any.find("typeUrl") : url;
}

}  // namespace

void ProtoLoader::Run::any(const YamlNode& node, const FieldPath& path, Message& out) {
  if (!node.is_mapping()) return wrong_type(node, path, "a mapping with '@type'");
  const YamlNode* const url = node.find(kTypeKey);
  if (url == nullptr) {
    return error(Code::kWrongType, node, path, "this extension's type is not given",
                 "add \"@type\": type.googleapis.com/<full name of the message>");
  }
  const Descriptor* const type = type_of(*url, path);
  if (type == nullptr) return;
  if (tables_.of(*type).form == MessageForm::kTypedStruct) return typed_struct(node, path, out);
  content(*type, node, path, out);
}

bool ProtoLoader::Run::is_left_out(const FieldEntry& entry, const YamlEntry& yaml,
                                   const YamlNode& owner, const FieldPath& path) {
  const Field& field = *entry.field;
  if (!options_.leaves_out_optional || field.is_repeated() || field.message_type() == nullptr ||
      field.message_type()->well_known_type() != Descriptor::WELLKNOWNTYPE_ANY ||
      !is_optional(owner) || !yaml.value.is_mapping())
    return false;
  const YamlNode* const url = meant_url(yaml.value);
  const std::size_t slash = url == nullptr ? std::string_view::npos : url->text().rfind('/');
  if (slash == std::string_view::npos) return false;  // an error of its own
  const std::string_view type = url->text().substr(slash + 1);
  const auto& known = options_.extension_types;
  if (type.empty() || std::find(known.begin(), known.end(), type) != known.end()) return false;
  report(Severity::kWarning, Code::kNotSupported, yaml.value, path.field(field.name()),
         left_out_text(type), {});
  return true;
}

// The type that a URL names, or null after an error.
const Descriptor* ProtoLoader::Run::type_of(const YamlNode& url, const FieldPath& path) {
  if (!url.is_scalar()) {
    wrong_type(url, path, "a type URL");
    return nullptr;
  }
  const std::string_view text = url.text();
  const std::size_t slash = text.rfind('/');
  const std::string name(slash == std::string_view::npos ? text : text.substr(slash + 1));
  const Descriptor* const type = find_type(text);
  if (type != nullptr && slash != std::string_view::npos) return type;
  if (type != nullptr) {
    error(Code::kInvalidValue, url, path, "a type URL needs a prefix",
          "write " + std::string(kTypePrefix) + name);
    return nullptr;
  }
  const UnknownType unknown = describe_unknown_type(name, options_.extension_types);
  error(unknown.code, url, path, unknown.message, unknown.hint);
  return nullptr;
}

// {"@type": .../xds.type.v3.TypedStruct, type_url: X, value: {...}} is an X.
void ProtoLoader::Run::typed_struct(const YamlNode& node, const FieldPath& path, Message& out) {
  const YamlNode* url = node.find("type_url");
  if (url == nullptr) url = node.find("typeUrl");
  if (url == nullptr) {
    return error(Code::kWrongType, node, path, "a TypedStruct needs a 'type_url'");
  }
  MessageTable& fields_of = tables_.of(*type_of(*node.find(kTypeKey), path));
  for (const YamlEntry& entry : node.entries()) {
    if (entry.key.text() == kTypeKey || fields_of.find(entry.key.text()) != nullptr) continue;
    unknown_field(fields_of, entry, path);
  }
  if (is_passed_over(*url, path)) return pass_over(*url, path, out);
  const Descriptor* const type = type_of(*url, path);
  if (type == nullptr) return;
  const YamlNode* const value = node.find("value");
  const YamlNode empty = YamlNode::mapping(node.offset(), {});
  content(*type, value == nullptr || value->is_null() ? empty : *value, path, out);
}

bool ProtoLoader::Run::is_passed_over(const YamlNode& url, const FieldPath& path) {
  if (!url.is_scalar()) return false;
  const std::size_t slash = url.text().rfind('/');
  return slash != std::string_view::npos && find_type(url.text()) == nullptr &&
         may_be_passed_over(url.text().substr(slash + 1), path);
}

// What stays of it is a TypedStruct with its type alone: what it holds may be secret.
void ProtoLoader::Run::pass_over(const YamlNode& url, const FieldPath& path, Message& out) {
  xds::type::v3::TypedStruct folded;
  folded.set_type_url(std::string(url.text()));
  if (options_.on_any) options_.on_any(folded, path);
  pack(folded, static_cast<Any&>(out));
}

// Loads the message and packs it. A message with a JSON form of its own stands under "value".
void ProtoLoader::Run::content(const Descriptor& type, const YamlNode& node, const FieldPath& path,
                               Message& out) {
  google::protobuf::Arena arena;
  const Message* const prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type);
  Message& message = *prototype->New(&arena);
  MessageTable& table = tables_.of(type);
  if (table.form == MessageForm::kFields) {
    fields(table, node, path, kTypeKey, message);
  } else if (const YamlNode* const value = node.find("value")) {
    message_of(table, *value, path, message);
  }
  if (options_.on_any) options_.on_any(message, path);
  pack(message, static_cast<Any&>(out));
}

}  // namespace weir::config
