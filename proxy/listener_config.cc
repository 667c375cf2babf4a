#include "proxy/listener_config.h"

#include <algorithm>

namespace weir {

ListenerStats::ListenerStats(stats::Registry& registry, const std::string& prefix)
    : cx_total(registry.counter(prefix + "downstream_cx_total")),
      cx_destroy(registry.counter(prefix + "downstream_cx_destroy")),
      cx_overflow(registry.counter(prefix + "downstream_cx_overflow")),
      global_cx_overflow(registry.counter(prefix + "downstream_global_cx_overflow")),
      cx_overload_reject(registry.counter(prefix + "downstream_cx_overload_reject")),
      no_chain_match(registry.counter(prefix + "no_filter_chain_match")),
      pre_cx_timeout(registry.counter(prefix + "downstream_pre_cx_timeout")),
      handshake_timeout(
          registry.counter(prefix + "downstream_cx_transport_socket_connect_timeout")),
      secrets_not_ready(registry.counter(
          prefix + "server_ssl_socket_factory.downstream_context_secrets_not_ready")),
      filter_error(registry.counter(prefix + "downstream_listener_filter_error")),
      filter_remote_close(registry.counter(prefix + "downstream_listener_filter_remote_close")),
      cx_active(registry.gauge(prefix + "downstream_cx_active")),
      pre_cx_active(registry.gauge(prefix + "downstream_pre_cx_active")),
      cx_length_ms(registry.histogram(prefix + "downstream_cx_length_ms")) {}

const net::Address* ListenerConfig::common_address(const ListenerConfig& other) const {
  if (!bind_to_port || !other.bind_to_port) return nullptr;
  for (const net::Address& address : addresses) {
    // Each gets another port where any would do.
    if (address.is_ip() && address.port() == 0) continue;
    if (std::find(other.addresses.begin(), other.addresses.end(), address) != other.addresses.end())
      return &address;
  }
  return nullptr;
}

uint64_t ListenerConfig::max_connections_of_all() const {
  const uint64_t most = overload->max_connections.load(std::memory_order_relaxed);
  if (most > 0 || runtime == nullptr) return most;
  return runtime->limit("overload.global_downstream_max_connections", 0);
}

bool ListenerConfig::greets() const {
  bool tls = false;
  each_chain([&](const auto& chain) { tls |= chain->tls != nullptr; });
  return tls || !filters.empty();
}

std::shared_ptr<const ChainConfig> ListenerConfig::single_chain() const {
  return chains.empty() ? default_chain : nullptr;
}

std::shared_ptr<const ChainConfig> ListenerConfig::chain_for(const Approach& approach) const {
  ChainChooser chooser(approach);
  const std::shared_ptr<const ChainConfig>* best = &default_chain;
  for (const auto& chain : chains)
    if (chooser.offer(chain->match)) best = &chain;
  return chooser.holds() ? *best : default_chain;
}

}  // namespace weir
