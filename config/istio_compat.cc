#include "config/istio_compat.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "config/istio_extensions.h"
#include "config/message_walk.h"
#include "config/mutable_walk.h"
#include "config/position.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using envoy::config::core::v3::ExtensionConfigSource;
using google::protobuf::Any;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kVersionKey = "ISTIO_VERSION";
constexpr std::array<std::string_view, 2> kTypedStructs = {"xds.type.v3.TypedStruct",
                                                           "udpa.type.v1.TypedStruct"};

constexpr std::string_view kGrpcStats = "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig";

// Of the bootstrap, in both spellings.
constexpr std::array<std::string_view, 2> kBootstrapParts = {"bootstrap_extensions",
                                                             "bootstrapExtensions"};

template <size_t kSize>
bool contains(const std::array<std::string_view, kSize>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string_view type_name(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

// The type that an Any stands for.
std::string type_in(const Any& any) {
  const std::string_view name = type_name(any.type_url());
  xds::type::v3::TypedStruct folded;
  if (contains(kTypedStructs, name) && folded.ParseFromString(any.value()))
    return std::string(type_name(folded.type_url()));
  return std::string(name);
}

// The Any of an element that is configured by one (`typed_config`), or of a map's entry (`value`).
const Any* config_of(const Message& element) {
  const auto& type = *element.GetDescriptor();
  const FieldDescriptor* field =
      type.FindFieldByName(type.options().map_entry() ? "value" : "typed_config");
  if (field == nullptr || field->message_type() != Any::descriptor()) return nullptr;
  if (!element.GetReflection()->HasField(element, field)) return nullptr;
  return static_cast<const Any*>(&element.GetReflection()->GetMessage(element, field));
}

// The first of the type_urls of an element's config_discovery, if all are of Istio's; else empty.
std::string discovered_type(const Message& element) {
  const FieldDescriptor* const field = element.GetDescriptor()->FindFieldByName("config_discovery");
  if (field == nullptr || field->message_type() != ExtensionConfigSource::descriptor()) return {};
  const auto& discovery = static_cast<const ExtensionConfigSource&>(
      element.GetReflection()->GetMessage(element, field));
  const auto& urls = discovery.type_urls();
  const auto is_own = [](const auto& url) { return is_istio_extension(type_name(url)); };
  if (urls.empty() || !std::all_of(urls.begin(), urls.end(), is_own)) return {};
  return std::string(type_name(urls[0]));
}

// Empty: the element stays.
std::string type_to_remove(const Message& element) {
  std::string type = discovered_type(element);
  const Any* const config = config_of(element);
  if (config != nullptr) type = type_in(*config);
  return is_istio_extension(type) ? type : std::string();
}

// The elements that stay keep their order.
bool remove_from(Message& message, const FieldDescriptor& field,
                 const std::function<void(const std::string&)>& removed) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  int kept = 0;
  for (int i = 0; i < size; ++i) {
    const std::string type = type_to_remove(reflection.GetRepeatedMessage(message, &field, i));
    if (!type.empty()) {
      removed(type);
      continue;
    }
    if (kept != i) reflection.SwapElements(&message, &field, kept, i);
    ++kept;
  }
  for (int i = kept; i < size; ++i) reflection.RemoveLast(&message, &field);
  return kept != size;
}

}  // namespace

bool is_istio_node(const envoy::config::core::v3::Node& node) {
  return node.metadata().fields().contains(std::string(kVersionKey));
}

bool is_istio_bootstrap(const YamlNode& root) {
  const YamlNode* const node = root.find("node");
  const YamlNode* const metadata = node == nullptr ? nullptr : node->find("metadata");
  return metadata != nullptr && metadata->find(kVersionKey) != nullptr;
}

void remove_istio_extensions(Message& message,
                             const std::function<void(const std::string&)>& removed) {
  change_messages(message, FieldPath::root(), [&](Message& part, const FieldPath&) {
    bool changed = false;
    std::vector<const FieldDescriptor*> fields;
    part.GetReflection()->ListFields(part, &fields);
    for (const FieldDescriptor* field : fields) {
      if (field->is_repeated() && field->message_type() != nullptr)
        changed |= remove_from(part, *field, removed);
      if (part.GetDescriptor()->full_name() != kGrpcStats || field->name() != "emit_filter_state")
        continue;
      part.GetReflection()->ClearField(&part, field);
      changed = true;
    }
    return changed;
  });
}

YamlNode without_istio_parts(YamlTree& tree, const Source& source, Diagnostics& diagnostics) {
  std::vector<YamlEntry> kept;
  for (const YamlEntry& entry : tree.root().entries()) {
    if (!contains(kBootstrapParts, entry.key.text())) {
      kept.push_back(entry);
      continue;
    }
    Diagnostic warning;
    warning.severity = Severity::kWarning;
    warning.code = Code::kNotSupported;
    warning.field_path = std::string(entry.key.text());
    warning.message = "'" + warning.field_path + "' is left out, as Istio's bootstrap may have it";
    place(warning, source, entry.key.offset());
    diagnostics.add(std::move(warning));
  }
  if (kept.size() == tree.root().entries().size()) return tree.root();
  auto* const copy = static_cast<YamlEntry*>(
      tree.arena().allocate(kept.size() * sizeof(YamlEntry), alignof(YamlEntry)));
  std::uninitialized_copy(kept.begin(), kept.end(), copy);
  return YamlNode::mapping(tree.root().offset(), {copy, kept.size()});
}

}  // namespace weir::config
