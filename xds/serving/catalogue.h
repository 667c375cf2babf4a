#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "xds/types.h"

namespace weir::xds {

// A resource that another one leads to.
struct Reference {
  ResourceType type = ResourceType::kCluster;
  std::string name;
  friend bool operator==(const Reference&, const Reference&) = default;
};

struct ServedResource {
  Resource resource;  // its version is made from its content
  std::string file;
  std::vector<Reference> needs;
};

// All that is served at one time. Versions are made from the content: the same files have the same
// versions in another process, so a client that comes back is not sent what it has. Immutable.
class Catalogue {
 public:
  using Resources = std::map<std::string, ServedResource, std::less<>>;
  using ByType = std::array<Resources, kResourceTypes>;

  Catalogue(ByType resources, std::vector<std::string> files);

  const Resources& of(ResourceType type) const { return resources_[static_cast<size_t>(type)]; }
  // Null: there is none of that name.
  const ServedResource* find(ResourceType type, std::string_view name) const;

  const std::string& version() const { return version_; }
  const std::string& version(ResourceType type) const {
    return versions_[static_cast<size_t>(type)];
  }
  const std::vector<std::string>& files() const { return files_; }
  size_t size() const;

 private:
  ByType resources_;
  std::vector<std::string> files_;
  std::array<std::string, kResourceTypes> versions_;
  std::string version_;
};

// Twelve hexadecimal digits.
std::string content_version(std::string_view bytes);

// "CDS 2, EDS 1": how many resources there are of each type; "nothing".
std::string inventory(const Catalogue& catalogue);

}  // namespace weir::xds
