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
  std::vector<Rejection> apply(const Update& update) override;
  void on_absent(ResourceType type, const std::string& name) override;
  void on_unchanged(ResourceType type, const std::vector<std::string>& names) override;

  // The names that the last update added or removed, as "a b"; "none" without one. Forgets all.
  std::string take_added();
  std::string take_removed();

  std::map<std::string, std::string> refused;  // name to details
  std::function<void(const Update&)> on_apply;
  std::function<void(const std::string&)> on_absence;
  std::vector<Update> updates;
  std::vector<std::string> absent;
  std::vector<std::string> unchanged;
};

}  // namespace weir::xds::testing
