#include <algorithm>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/overload/v3/overload.pb.h"
#include "envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.pb.h"
#include "envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap.pb.h"
#include "envoy/extensions/resource_monitors/injected_resource/v3/injected_resource.pb.h"
#include "proxy/http/compile_duration.h"
#include "proxy/overload_watch.h"

namespace weir {
namespace {

namespace overloadv3 = envoy::config::overload::v3;
namespace monitors = envoy::extensions::resource_monitors;
using config::Code;
using config::Diagnostics;
using config::FieldPath;

struct KnownAction {
  std::string_view name;
  OverloadShare Overload::*share;
};

constexpr KnownAction kActions[] = {
    {"envoy.overload_actions.stop_accepting_requests", &Overload::refused_requests},
    {"envoy.overload_actions.stop_accepting_connections", &Overload::unaccepted},
    {"envoy.overload_actions.reject_incoming_connections", &Overload::refused_connections},
    {"envoy.overload_actions.disable_http_keepalive", &Overload::ended_connections},
    {"envoy.overload_actions.shrink_heap", nullptr},
};

// Fills one OverloadConfig from its message.
class Reader {
 public:
  Reader(OverloadConfig& out, Diagnostics& diagnostics) : out_(out), diagnostics_(diagnostics) {}

  void read(const overloadv3::OverloadManager& in, const FieldPath& path) {
    if (in.has_refresh_interval()) {
      http::compile_duration_ms(in.refresh_interval(), path.field("refresh_interval"), diagnostics_,
                                out_.interval_ms);
      out_.interval_ms = std::max<int64_t>(1, out_.interval_ms);
    }
    const FieldPath monitors = path.field("resource_monitors");
    for (int i = 0; i < in.resource_monitors_size(); ++i)
      read_monitor(in.resource_monitors(i), monitors.at(i));
    const FieldPath actions = path.field("actions");
    for (int i = 0; i < in.actions_size(); ++i) read_action(in.actions(i), actions.at(i));
  }

 private:
  void read_monitor(const overloadv3::ResourceMonitor& in, const FieldPath& path) {
    monitors::fixed_heap::v3::FixedHeapConfig heap;
    monitors::injected_resource::v3::InjectedResourceConfig injected;
    monitors::downstream_connections::v3::DownstreamConnectionsConfig connections;
    const auto& any = in.typed_config();
    OverloadConfig::Monitor monitor{.name = in.name()};
    if (any.UnpackTo(&connections)) {
      out_.max_connections = static_cast<uint64_t>(connections.max_active_downstream_connections());
      return;  // it is a limit by itself: nothing can be triggered by it
    }
    if (any.UnpackTo(&heap)) {
      monitor.max_bytes = heap.max_heap_size_bytes();
    } else if (any.UnpackTo(&injected)) {
      monitor.path = injected.filename();
    } else {
      return diagnostics_.error(Code::kConstraint, path.field("typed_config"),
                                "it is not said what is watched",
                                "fixed_heap, global_downstream_max_connections and "
                                "injected_resource are supported");
    }
    if (find(in.name()) != out_.monitors.size())
      diagnostics_.error(Code::kSemantic, path.field("name"),
                         "there is another monitor named '" + in.name() + "'");
    out_.monitors.push_back(std::move(monitor));
  }

  void read_action(const overloadv3::OverloadAction& in, const FieldPath& path) {
    const auto* known = std::find_if(std::begin(kActions), std::end(kActions),
                                     [&](const KnownAction& one) { return one.name == in.name(); });
    if (known == std::end(kActions)) {
      std::string names;
      for (const KnownAction& one : kActions)
        names += (names.empty() ? "" : ", ") + std::string(one.name);
      return diagnostics_.error(Code::kNotSupported, path.field("name"),
                                "Weir has no overload action '" + in.name() + "'",
                                "the actions are " + names);
    }
    for (const auto& other : out_.actions)
      if (other.name == in.name())
        diagnostics_.error(Code::kSemantic, path.field("name"),
                           "'" + in.name() + "' is there twice", "give one all the triggers");
    OverloadConfig::Action action{.name = in.name(), .share = known->share, .triggers = {}};
    const FieldPath triggers = path.field("triggers");
    for (int i = 0; i < in.triggers_size(); ++i)
      read_trigger(in.triggers(i), triggers.at(i), action);
    out_.actions.push_back(std::move(action));
  }

  void read_trigger(const overloadv3::Trigger& in, const FieldPath& path,
                    OverloadConfig::Action& action) {
    OverloadConfig::Trigger trigger{.monitor = find(in.name())};
    if (trigger.monitor == out_.monitors.size())
      return diagnostics_.error(Code::kReference, path.field("name"),
                                "there is no resource monitor '" + in.name() + "'",
                                "name one of resource_monitors that has a pressure");
    trigger.from = in.has_scaled() ? in.scaled().scaling_threshold() : in.threshold().value();
    trigger.to = in.has_scaled() ? in.scaled().saturation_threshold() : in.threshold().value();
    if (in.has_scaled() && trigger.from >= trigger.to)
      diagnostics_.error(Code::kSemantic, path.field("scaled"),
                         "scaling_threshold has to be below saturation_threshold");
    action.triggers.push_back(trigger);
  }

  // Its index; that of none when there is no such monitor.
  size_t find(const std::string& name) const {
    const auto found =
        std::find_if(out_.monitors.begin(), out_.monitors.end(),
                     [&](const OverloadConfig::Monitor& one) { return one.name == name; });
    return static_cast<size_t>(found - out_.monitors.begin());
  }

  OverloadConfig& out_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::shared_ptr<const OverloadConfig> OverloadConfig::compile(const config::Bootstrap& bootstrap,
                                                              Diagnostics& diagnostics) {
  auto out = std::make_shared<OverloadConfig>();
  if (bootstrap.has_overload_manager())
    Reader(*out, diagnostics)
        .read(bootstrap.overload_manager(), FieldPath::root("overload_manager"));
  return out;
}

}  // namespace weir
