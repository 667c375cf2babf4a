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
#include "proxy/http/fraction.h"
#include "proxy/http/kept_state.h"
#include "proxy/stats/registry.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class SdsSecretConfig;
}
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
  RuntimeLookup runtime;
  std::string service_cluster;  // --service-cluster
  // Has the text of a secret resource (GenericSecret) told to `take`: at once if it is there, and
  // on the main thread whenever it changes, for as long as what is returned is held. An error of
  // `take` refuses the text. Null on errors, which are then in `diagnostics`. May be empty: there
  // are none.
  using TakeSecret = std::function<Result<void>(std::string_view text)>;
  using SdsSecretConfig = envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
  std::function<std::shared_ptr<const void>(const SdsSecretConfig& wanted,
                                            const config::FieldPath& path, TakeSecret take)>
      use_secret;
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
