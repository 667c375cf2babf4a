#include "xds/serving/catalogue.h"

#include <utility>

#include "proxy/base/hash.h"

namespace weir::xds {

Catalogue::Catalogue(ByType resources, std::vector<std::string> files)
    : resources_(std::move(resources)), files_(std::move(files)) {
  std::string all;
  for (size_t i = 0; i < kResourceTypes; ++i) {
    std::string contents;
    for (const auto& [name, served] : resources_[i]) {
      contents += name;
      contents += '\0';
      contents += served.resource.version;
    }
    versions_[i] = content_version(contents);
    all += versions_[i];
  }
  version_ = content_version(all);
}

const ServedResource* Catalogue::find(ResourceType type, std::string_view name) const {
  const Resources& resources = of(type);
  const auto found = resources.find(name);
  return found == resources.end() ? nullptr : &found->second;
}

size_t Catalogue::size() const {
  size_t total = 0;
  for (const Resources& resources : resources_) total += resources.size();
  return total;
}

std::string content_version(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  uint64_t hash = xxhash64(bytes);
  std::string text(12, '0');
  for (char& digit : text) {
    digit = kDigits[hash & 15];
    hash >>= 4;
  }
  return text;
}

std::string inventory(const Catalogue& catalogue) {
  std::string out;
  for (size_t i = 0; i < kResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    if (catalogue.of(type).empty()) continue;
    if (!out.empty()) out += ", ";
    out += std::string(short_name(type)) + " " + std::to_string(catalogue.of(type).size());
  }
  return out.empty() ? "nothing" : out;
}

}  // namespace weir::xds
