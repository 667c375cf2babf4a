#include "xds/serving/catalogue_file.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <utility>

#include "config/position.h"
#include "config/proto_loader.h"
#include "config/read_file.h"
#include "config/read_yaml.h"

namespace weir::xds {
namespace {

using config::Code;
using config::Diagnostic;
using config::Diagnostics;
using config::FieldPath;
using config::YamlEntry;
using config::YamlNode;
using google::protobuf::Any;
using google::protobuf::Message;

constexpr size_t kMaxFileBytes = 16 << 20;
constexpr std::string_view kTypeKey = "@type";
constexpr std::string_view kTypePrefix = "type.googleapis.com/";
constexpr const char* kForms =
    "a file holds one resource, which has '@type', or a list of resources, or 'resources: [...]'";

bool is_served_type(const Message& message) {
  return type_of_url(std::string(kTypePrefix) + message.GetDescriptor()->full_name()).has_value();
}

}  // namespace

void CatalogueFile::read(ResourceCheck& check) {
  std::optional<std::string> text = config::read_file(path_, kMaxFileBytes, diagnostics_);
  if (!text) return;
  const config::Source& source = diagnostics_.add_source(path_, std::move(*text));
  const auto tree = config::read_yaml(source, {.max_bytes = kMaxFileBytes}, diagnostics_);
  if (tree != nullptr) read_root(tree->root(), check);
}

void CatalogueFile::read_root(const YamlNode& root, ResourceCheck& check) {
  const FieldPath path = FieldPath::root();
  if (root.is_null())
    return error(Code::kSyntax, root, path, "the file is empty",
                 "to serve nothing of it, write 'resources: []' or remove it");
  if (root.is_sequence()) return read_list(root, path, check);
  if (root.is_mapping()) return read_mapping(root, check);
  error(Code::kWrongType, root, path, "this is no resource", kForms);
}

void CatalogueFile::read_mapping(const YamlNode& root, ResourceCheck& check) {
  const FieldPath path = FieldPath::root();
  if (root.find(kTypeKey) != nullptr) return read_resource(root, path, check);
  for (const char* const key : {"static_resources", "dynamic_resources"}) {
    if (const YamlNode* const found = root.find(key))
      return error(Code::kUnknownField, *found, path.field(key),
                   "this is a bootstrap configuration, no resource",
                   "write its listeners and clusters as a list, each with its '@type'");
  }
  const YamlNode* const resources = root.find("resources");
  for (const YamlEntry& entry : root.entries()) {
    const std::string key(entry.key.text());
    if (key == "resources") continue;
    const FieldPath at = path.field(key);
    if (resources != nullptr && key == "version_info") {
      diagnostics_.warning(Code::kSemantic, at, "'version_info' is not used",
                           "versions are made from the content; leave it out");
    } else {
      error(Code::kUnknownField, entry.key, at, "unknown field '" + key + "'", kForms);
    }
  }
  if (resources != nullptr) return read_list(*resources, path.field("resources"), check);
  if (root.entries().empty()) error(Code::kWrongType, root, path, "this is no resource", kForms);
}

void CatalogueFile::read_list(const YamlNode& list, const FieldPath& path, ResourceCheck& check) {
  if (!list.is_sequence() && !list.is_null())
    return error(Code::kWrongType, list, path, "this is no list of resources", kForms);
  int index = 0;
  for (const YamlNode& node : list.items()) read_resource(node, path.at(index++), check);
}

bool CatalogueFile::has_served_type(const YamlNode& node, const FieldPath& path) {
  const YamlNode* const url = node.find(kTypeKey);
  if (url == nullptr) {
    error(Code::kWrongType, node, path, "this resource has no '@type'",
          "e.g. \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster");
    return false;
  }
  if (type_of_url(url->text())) return true;
  std::string known;
  for (size_t i = 0; i < kResourceTypes; ++i)
    known += (i == 0 ? "" : ", ") + std::string(type_url(static_cast<ResourceType>(i)));
  error(Code::kInvalidValue, *url, path,
        "'" + std::string(url->text()) + "' is no type of resource that is served",
        "there are " + known);
  return false;
}

void CatalogueFile::read_resource(const YamlNode& node, const FieldPath& path,
                                  ResourceCheck& check) {
  if (!has_served_type(node, path)) return;
  Item item;
  std::string name;
  Diagnostics notes;
  config::ProtoLoadOptions options;
  options.is_json = path_.ends_with(".json");
  options.extension_types = check.support.extension_types();
  // Innermost first: the resource itself comes last.
  options.on_any = [&](const Message& content, const FieldPath& at) {
    check.validator.check(content, at, diagnostics_);
    const std::string& type = content.GetDescriptor()->full_name();
    if (is_served_type(content) || check.support.check_extension(type, at, notes))
      check.support.check(content, at, notes);
    collect_references(content, at, item.references);
    name = resource_name(content);
  };
  const size_t errors_before = diagnostics_.error_count();
  auto content = std::make_shared<Any>();
  config::ProtoLoader(diagnostics_.sources().front(), options, diagnostics_)
      .load(node, path, *content);
  take_notes(notes);
  if (diagnostics_.error_count() != errors_before) return;
  if (name.empty())
    return error(Code::kConstraint, node, path, "this resource has no name",
                 "clients ask for resources by name");
  item.type = *type_of_url(content->type_url());
  item.resource = {.name = std::move(name), .version = content_version(content->value())};
  item.resource.content = std::move(content);
  item.path = path.str();
  items_.push_back(std::move(item));
}

void CatalogueFile::error(Code code, const YamlNode& node, const FieldPath& path,
                          std::string message, std::string hint) {
  Diagnostic item;
  item.code = code;
  item.message = std::move(message);
  item.field_path = path.str();
  item.hint = std::move(hint);
  config::place(item, diagnostics_.sources().front(), node.offset());
  diagnostics_.add(std::move(item));
}

void CatalogueFile::take_notes(const Diagnostics& notes) {
  for (const Diagnostic& note : notes.items())
    diagnostics_.warning(note.code, note.field_path, note.message,
                         "a client that is Weir will refuse it");
}

}  // namespace weir::xds
