#include "proxy/overload_watch.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "config/read_file.h"
#include "proxy/base/memory_use.h"

namespace weir {
namespace {

// Giving memory back takes the allocator's locks, so it is not done at each look.
constexpr int64_t kShrinkEveryMs = 10'000;

// A file with a pressure holds one number.
constexpr size_t kMaxPressureBytes = 4096;

std::string_view first_word(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_first_of(kBlanks));
}

std::optional<double> number_in(const std::string& path) {
  config::Diagnostics ignored;
  const std::optional<std::string> file = config::read_file(path, kMaxPressureBytes, ignored);
  if (!file) return std::nullopt;
  const std::string_view text = first_word(*file);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !(value >= 0 && value <= 1)) return std::nullopt;
  return value;
}

std::optional<double> pressure_of(const OverloadConfig::Monitor& monitor) {
  if (monitor.max_bytes == 0) return number_in(monitor.path);
  const std::optional<uint64_t> bytes = resident_bytes();
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes) / static_cast<double>(monitor.max_bytes);
}

int64_t percent_of(double share) {
  return std::lround(share * 100);
}

}  // namespace

void OverloadWatch::set(std::shared_ptr<const OverloadConfig> config) {
  if (config_ != nullptr)
    for (const auto& action : config_->actions)
      if (action.share != nullptr) (overload_.*action.share).set(0);
  timer_.cancel();
  monitors_.clear();
  actions_.clear();
  config_ = std::move(config);
  overload_.max_connections.store(config_->max_connections, std::memory_order_relaxed);
  for (const auto& monitor : config_->monitors) {
    const std::string prefix = "overload." + monitor.name + ".";
    monitors_.push_back(
        {0, stats_.gauge(prefix + "pressure"), stats_.counter(prefix + "failed_updates")});
  }
  for (const auto& action : config_->actions) {
    const std::string prefix = "overload." + action.name + ".";
    actions_.push_back({stats_.gauge(prefix + "active"), stats_.gauge(prefix + "scale_percent")});
  }
  look();
}

void OverloadWatch::on_timer(net::Timer& /*timer*/) {
  look();
}

void OverloadWatch::look() {
  if (config_->monitors.empty()) return;
  for (size_t i = 0; i < monitors_.size(); ++i) {
    MonitorState& state = monitors_[i];
    if (const std::optional<double> pressure = pressure_of(config_->monitors[i])) {
      state.pressure = *pressure;
      stats_.set(state.percent, percent_of(*pressure));
    } else {
      // The last known pressure counts on: not to know is no reason to take on more.
      stats_.main_shard().inc(state.failed);
    }
  }
  decide();
  timer_.set(loop_.timers(), loop_.now_ms() + config_->interval_ms);
}

void OverloadWatch::decide() {
  for (size_t i = 0; i < actions_.size(); ++i) {
    const OverloadConfig::Action& action = config_->actions[i];
    const double share = share_of(action);
    stats_.set(actions_[i].active, share >= 1 ? 1 : 0);
    stats_.set(actions_[i].percent, percent_of(share));
    if (action.share != nullptr)
      (overload_.*action.share).set(share);
    else if (share >= 1)
      shrink_heap();
  }
}

// The worst of its triggers.
double OverloadWatch::share_of(const OverloadConfig::Action& action) const {
  double share = 0;
  for (const auto& trigger : action.triggers) {
    const double pressure = monitors_[trigger.monitor].pressure;
    if (pressure >= trigger.to) return 1;
    if (pressure > trigger.from)
      share = std::max(share, (pressure - trigger.from) / (trigger.to - trigger.from));
  }
  return share;
}

void OverloadWatch::shrink_heap() {
  if (loop_.now_ms() - shrunk_ms_ < kShrinkEveryMs) return;
  shrunk_ms_ = loop_.now_ms();
  malloc_trim(0);
  stats_.main_shard().inc(
      stats_.counter("overload.envoy.overload_actions.shrink_heap.shrink_count"));
}

}  // namespace weir
