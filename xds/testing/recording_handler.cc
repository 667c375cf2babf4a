#include "xds/testing/recording_handler.h"

namespace weir::xds::testing {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

}  // namespace

std::vector<Rejection> RecordingHandler::apply(const Update& update) {
  updates.push_back(update);
  if (on_apply) on_apply(update);
  std::vector<Rejection> rejections;
  for (const Resource& resource : update.added) {
    const auto found = refused.find(resource.name);
    if (found != refused.end()) rejections.push_back({resource.name, found->second});
  }
  return rejections;
}

void RecordingHandler::on_absent(ResourceType, const std::string& name) {
  absent.push_back(name);
  if (on_absence) on_absence(name);
}

void RecordingHandler::on_unchanged(ResourceType, const std::vector<std::string>& names) {
  unchanged.insert(unchanged.end(), names.begin(), names.end());
}

std::string RecordingHandler::take_added() {
  if (updates.empty()) return "none";
  std::vector<std::string> names;
  for (const Resource& resource : updates.back().added) names.push_back(resource.name);
  updates.clear();
  return joined(names);
}

std::string RecordingHandler::take_removed() {
  if (updates.empty()) return "none";
  const std::vector<std::string> names = updates.back().removed;
  updates.clear();
  return joined(names);
}

}  // namespace weir::xds::testing
