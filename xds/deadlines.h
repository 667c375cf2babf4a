#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::xds {

// At most one point in time for each name.
class Deadlines {
 public:
  // Replaces the one that the name has.
  void arm(const std::string& name, int64_t when_ms) {
    disarm(name);
    by_name_.emplace(name, when_ms);
    by_time_.emplace(when_ms, name);
  }
  void disarm(const std::string& name) {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return;
    by_time_.erase({found->second, name});
    by_name_.erase(found);
  }
  std::optional<int64_t> of(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<int64_t> next() const {
    return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
  }
  // The names whose time has come, which have none then.
  std::vector<std::string> take_due(int64_t now_ms) {
    std::vector<std::string> due;
    while (!by_time_.empty() && by_time_.begin()->first <= now_ms) {
      due.push_back(by_time_.begin()->second);
      by_name_.erase(due.back());
      by_time_.erase(by_time_.begin());
    }
    return due;
  }

 private:
  std::unordered_map<std::string, int64_t> by_name_;
  std::set<std::pair<int64_t, std::string>> by_time_;
};

}  // namespace weir::xds
