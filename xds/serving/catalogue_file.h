#pragma once

#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/support.h"
#include "config/validation.h"
#include "config/yaml/yaml_node.h"
#include "xds/serving/references.h"

namespace weir::xds {

// What resources are held against: the API's own rules, whose violations are errors, and what Weir
// supports, which is a warning, because clients may be others.
struct ResourceCheck {
  config::Support support;
  config::Validator validator;
};

// One file of resources: a resource (a mapping with "@type"), a list of resources, or a mapping
// with `resources`, which is a DiscoveryResponse as Envoy's path_config_source reads it.
class CatalogueFile {
 public:
  struct Item {
    ResourceType type = ResourceType::kCluster;
    Resource resource;
    std::string path;  // within the file; empty for a file that is one resource
    std::vector<PlacedReference> references;
  };

  explicit CatalogueFile(std::string path) : path_(std::move(path)) {}

  // Once. Everything that is wrong goes to diagnostics().
  void read(ResourceCheck& check);

  const std::string& path() const { return path_; }
  const std::vector<Item>& items() const { return items_; }
  // With the text, so that positions are found for checks that follow.
  config::Diagnostics& diagnostics() { return diagnostics_; }

 private:
  void read_root(const config::YamlNode& root, ResourceCheck& check);
  void read_mapping(const config::YamlNode& root, ResourceCheck& check);
  void read_list(const config::YamlNode& list, const config::FieldPath& path, ResourceCheck& check);
  void read_resource(const config::YamlNode& node, const config::FieldPath& path,
                     ResourceCheck& check);
  bool has_served_type(const config::YamlNode& node, const config::FieldPath& path);
  void error(config::Code code, const config::YamlNode& node, const config::FieldPath& path,
             std::string message, std::string hint);
  void take_notes(const config::Diagnostics& notes);

  std::string path_;
  config::Diagnostics diagnostics_;
  std::vector<Item> items_;
};

}  // namespace weir::xds
