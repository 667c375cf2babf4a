#include "proxy/listener_config.h"

#include <algorithm>

namespace weir {

ListenerStats::ListenerStats(stats::Registry& registry, const std::string& prefix)
    : cx_total(registry.counter(prefix + "downstream_cx_total")),
      cx_destroy(registry.counter(prefix + "downstream_cx_destroy")),
      cx_overflow(registry.counter(prefix + "downstream_cx_overflow")),
      no_chain_match(registry.counter(prefix + "no_filter_chain_match")),
      pre_cx_timeout(registry.counter(prefix + "downstream_pre_cx_timeout")),
      handshake_timeout(
          registry.counter(prefix + "downstream_cx_transport_socket_connect_timeout")),
      filter_error(registry.counter(prefix + "downstream_listener_filter_error")),
      filter_remote_close(registry.counter(prefix + "downstream_listener_filter_remote_close")),
      cx_active(registry.gauge(prefix + "downstream_cx_active")),
      pre_cx_active(registry.gauge(prefix + "downstream_pre_cx_active")) {}

bool ListenerConfig::greets() const {
  const auto speaks_tls = [](const ChainConfig& chain) { return chain.tls != nullptr; };
  return !filters.empty() || std::any_of(chains.begin(), chains.end(), speaks_tls) ||
         (default_chain && speaks_tls(*default_chain));
}

const ChainConfig* ListenerConfig::single_chain() const {
  if (!chains.empty()) return nullptr;
  return default_chain ? &*default_chain : nullptr;
}

const ChainConfig* ListenerConfig::chain_for(const Approach& approach) const {
  ChainChooser chooser(approach);
  const ChainConfig* best = nullptr;
  for (const ChainConfig& chain : chains)
    if (chooser.offer(chain.match)) best = &chain;
  if (chooser.holds()) return best;
  return default_chain ? &*default_chain : nullptr;
}

}  // namespace weir
