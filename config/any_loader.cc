// google.protobuf.Any, and TypedStruct in an Any.
#include <google/protobuf/any.pb.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>

#include "config/istio_extensions.h"
#include "config/nearest.h"
#include "config/proto_load_run.h"

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

std::string_view last_component(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// A type of the same last name in another package is the likeliest, e.g. after a wrong version.
std::string type_hint(std::string_view name, const std::vector<std::string_view>& known) {
  if (is_istio_extension(name)) return istio_hint(name);
  std::vector<std::string_view> same_name;
  for (const std::string_view candidate : known) {
    if (last_component(candidate) == last_component(name)) same_name.push_back(candidate);
  }
  const std::string hint = did_you_mean(name, known);
  if (!hint.empty() || same_name.size() != 1) return hint;
  return "did you mean '" + std::string(same_name[0]) + "'?";
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

// The type that a URL names, or null after an error.
const Descriptor* ProtoLoader::Run::type_of(const YamlNode& url, const FieldPath& path) {
  if (!url.is_scalar()) {
    wrong_type(url, path, "a type URL");
    return nullptr;
  }
  const std::string_view text = url.text();
  const std::size_t slash = text.rfind('/');
  const std::string name(slash == std::string_view::npos ? text : text.substr(slash + 1));
  const Descriptor* const type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type != nullptr && slash != std::string_view::npos) return type;
  if (type != nullptr) {
    error(Code::kInvalidValue, url, path, "a type URL needs a prefix",
          "write " + std::string(kTypePrefix) + name);
    return nullptr;
  }
  error(Code::kUnknownExtension, url, path, "there is no extension of type '" + name + "' here",
        type_hint(name, options_.extension_types));
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
  const Descriptor* const type = type_of(*url, path);
  if (type == nullptr) return;
  const YamlNode* const value = node.find("value");
  const YamlNode empty = YamlNode::mapping(node.offset(), {});
  content(*type, value == nullptr || value->is_null() ? empty : *value, path, out);
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
