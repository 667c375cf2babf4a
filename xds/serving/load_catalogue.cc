#include "xds/serving/load_catalogue.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "config/resolve.h"

namespace weir::xds {
namespace {

using config::Code;
using config::Diagnostics;
using Files = std::deque<CatalogueFile>;

bool has_ending_of_resources(const std::string& name) {
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

void io_error(const std::string& place, const std::string& reason, Diagnostics& diagnostics) {
  config::Diagnostic item;
  item.code = Code::kIo;
  item.message = "cannot read '" + place + "': " + reason;
  item.file = place;
  diagnostics.add(std::move(item));
}

void warn_of_folder(const std::string& path, Diagnostics& diagnostics) {
  config::Diagnostic item;
  item.severity = config::Severity::kWarning;
  item.code = Code::kIo;
  item.message = "this folder is not read";
  item.hint = "resources are read from one directory only";
  item.file = path;
  diagnostics.add(std::move(item));
}

// The paths of the files with resources, sorted.
std::vector<std::string> list_files(const std::string& directory, Diagnostics& diagnostics) {
  namespace fs = std::filesystem;
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (name.starts_with(".")) continue;
    std::error_code unknown;
    if (entries->is_directory(unknown)) {
      warn_of_folder(entries->path().string(), diagnostics);
    } else if (has_ending_of_resources(name)) {
      paths.push_back(entries->path().string());
    }
  }
  if (error) io_error(directory, error.message(), diagnostics);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string kind_of(ResourceType type) {
  const std::string_view url = type_url(type);
  return std::string(url.substr(url.rfind('.') + 1));
}

// All resources by type and name; of a name that is given twice, the first.
Catalogue::ByType gather(Files& files) {
  Catalogue::ByType out;
  for (CatalogueFile& file : files) {
    for (const CatalogueFile::Item& item : file.items()) {
      ServedResource served{.resource = item.resource, .file = file.path()};
      for (const PlacedReference& placed : item.references)
        served.needs.push_back(placed.reference);
      auto& resources = out[static_cast<size_t>(item.type)];
      const auto [first, added] = resources.try_emplace(item.resource.name, std::move(served));
      if (added) continue;
      file.diagnostics().error(Code::kDuplicateKey, item.path.empty() ? "@type" : item.path,
                               "there is a " + kind_of(item.type) + " named '" +
                                   item.resource.name + "' already, in " + first->second.file,
                               "each name is given once per type");
    }
  }
  return out;
}

void check_references(const Catalogue::ByType& resources, Files& files) {
  for (CatalogueFile& file : files) {
    for (const CatalogueFile::Item& item : file.items()) {
      for (const PlacedReference& placed : item.references) {
        const auto& [type, name] = placed.reference;
        if (resources[static_cast<size_t>(type)].contains(name)) continue;
        file.diagnostics().warning(Code::kReference, placed.path,
                                   "there is no " + kind_of(type) + " named '" + name + "' here",
                                   "clients wait for it, or have it from elsewhere");
      }
    }
  }
}

void report(Files& files, Diagnostics& diagnostics) {
  for (CatalogueFile& file : files) {
    config::resolve_positions(file.diagnostics());
    for (config::Diagnostic item : file.diagnostics().items()) {
      if (item.file.empty()) item.file = file.path();
      diagnostics.add(std::move(item));
    }
  }
}

}  // namespace

std::shared_ptr<const Catalogue> load_catalogue(const std::string& directory, ResourceCheck& check,
                                                Diagnostics& diagnostics) {
  const std::vector<std::string> paths = list_files(directory, diagnostics);
  if (paths.empty() && !diagnostics.has_errors())
    io_error(directory,
             "it has no *.yaml, *.yml or *.json; to serve nothing, a file may say "
             "'resources: []'",
             diagnostics);
  Files files;
  for (const std::string& path : paths) files.emplace_back(path).read(check);
  Catalogue::ByType resources = gather(files);
  // What a file with errors holds is not known.
  const bool all_read = std::none_of(files.begin(), files.end(), [](CatalogueFile& file) {
    return file.diagnostics().has_errors();
  });
  if (all_read) check_references(resources, files);
  report(files, diagnostics);
  if (diagnostics.has_errors()) return nullptr;
  return std::make_shared<const Catalogue>(std::move(resources), paths);
}

}  // namespace weir::xds
