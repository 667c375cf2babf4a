#include "config/istio_extensions.h"

#include <algorithm>
#include <array>

namespace weir::config {
namespace {

constexpr std::array<std::string_view, 5> kExtensions = {
    "envoy.tcp.metadataexchange.config.MetadataExchange",
    "io.istio.http.peer_metadata.Config",
    "io.istio.network.authn.Config",
    "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
    "stats.PluginConfig",
};

}  // namespace

bool is_istio_extension(std::string_view type) {
  return std::find(kExtensions.begin(), kExtensions.end(), type) != kExtensions.end();
}

std::string istio_hint(std::string_view type) {
  return is_istio_extension(type)
             ? "it is Istio's own; of control planes, --istio-compat leaves it out"
             : std::string();
}

bool mentions_istio_part(std::string_view bytes) {
  if (bytes.find("envoy.extensions.filters.http.grpc_stats.") != std::string_view::npos)
    return true;
  return std::any_of(kExtensions.begin(), kExtensions.end(), [&](std::string_view type) {
    return bytes.find(type) != std::string_view::npos;
  });
}

}  // namespace weir::config
