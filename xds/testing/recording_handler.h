#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "xds/types.h"

namespace weir::xds::testing {

// Notes what it is told, and refuses what it is asked to refuse.
class RecordingHandler : public ResourceHandler {
 public:
  std::vector<Rejection> apply(const Update& update) override {
    updates.push_back(update);
    if (on_apply) on_apply(update);
    std::vector<Rejection> rejections;
    for (const Resource& resource : update.added) {
      const auto found = refused.find(resource.name);
      if (found != refused.end()) rejections.push_back({resource.name, found->second});
    }
    return rejections;
  }
  void on_absent(ResourceType, const std::string& name) override {
    absent.push_back(name);
    if (on_absence) on_absence(name);
  }

  // Names added by the last update, as "a b"; "none" without one. Forgets all updates.
  std::string take_added() { return take(true); }
  std::string take_removed() { return take(false); }

  std::map<std::string, std::string> refused;
  std::function<void(const Update&)> on_apply;
  std::function<void(const std::string&)> on_absence;
  std::vector<Update> updates;
  std::vector<std::string> absent;

 private:
  std::string take(bool added) {
    if (updates.empty()) return "none";
    std::vector<std::string> names = updates.back().removed;
    if (added) {
      names.clear();
      for (const Resource& resource : updates.back().added) names.push_back(resource.name);
    }
    updates.clear();
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
  }
};

}  // namespace weir::xds::testing
