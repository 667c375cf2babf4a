#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/base/result.h"
#include "proxy/http/filter.h"
#include "proxy/http/kept_state.h"
#include "proxy/stats/registry.h"

namespace google::protobuf {
class Message;
}

namespace weir::http {

// What a filter may use while its config is compiled, on the main thread.
struct FilterBuild {
  config::Diagnostics& diagnostics;
  const config::FieldPath& path;  // of the filter's own message
  stats::Registry& stats;
  std::string stat_prefix;  // "http.<HCM's stat_prefix>."
  uint32_t workers = 1;
  // What of the process a filter may look at. Null or empty where there is none, as in tests.
  const std::atomic<bool>* health_check_failing = nullptr;  // set by /healthcheck/fail
  KeptState* kept = nullptr;
  std::function<uint32_t(std::string_view key, uint32_t fallback)> runtime;  // any thread
  std::string service_cluster;                                               // --service-cluster
  // Tells of bytes outside of the message that the config is made of, as those of a file: on a
  // reload, other bytes make another listener although the message is the same. May be empty.
  std::function<void(std::string_view bytes)> depends_on;
};

// One entry of the registry: an HTTP filter and how its messages become configs.
struct FilterType {
  using Compile = std::unique_ptr<FilterConfig> (*)(const google::protobuf::Message&,
                                                    const FilterBuild&);
  std::string_view message;  // full name, e.g. "envoy.extensions.filters.http.router.v3.Router"
  Compile compile;           // null on errors, which are then in `diagnostics`
  std::string_view route_message;  // of the per-route message; empty: none
  Compile compile_route;           // null: none
  bool terminal = false;           // must be last in a chain
};

}  // namespace weir::http
