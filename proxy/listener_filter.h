#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>

#include "proxy/chain_match.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/stats/registry.h"

namespace weir {

// What a listener filter makes of a connection's first bytes.
struct FilterVerdict {
  enum class Kind : uint8_t {
    kPass,    // it knows what it wanted to know
    kWait,    // for more bytes
    kRefuse,  // the connection is to be closed
  };
  Kind kind = Kind::kPass;
  size_t consumed = 0;  // with kPass: so many bytes belong to nobody else
};

// The listener filters. Each looks at all bytes that a connection has sent so far, and writes what
// it learns into the Approach. Immutable configuration; any thread.

// extensions.filters.listener.original_dst.v3
struct OriginalDst {
  FilterVerdict look(int fd, Approach& approach) const;
};

// extensions.filters.listener.proxy_protocol.v3
struct ProxyProtocolFilter {
  struct VersionStats {
    stats::CounterId found, disallowed, error;
  };

  FilterVerdict look(std::string_view bytes, Approach& approach, stats::Shard& stats) const;

  bool allow_without_header = false;
  net::TlvFilter kept_tlvs;          // pass_through_tlvs
  std::array<bool, 3> disallowed{};  // by version; 0: never
  std::array<VersionStats, 3> versions;
  stats::CounterId not_found_allowed, not_found_disallowed;
};

// extensions.filters.listener.tls_inspector.v3
struct TlsInspector {
  FilterVerdict look(std::string_view bytes, Approach& approach, stats::Shard& stats) const;

  stats::CounterId client_hello_too_large, tls_found, tls_not_found, alpn_found, alpn_not_found,
      sni_found, sni_not_found;
};

// extensions.filters.listener.http_inspector.v3
struct HttpInspector {
  FilterVerdict look(std::string_view bytes, Approach& approach, stats::Shard& stats) const;

  stats::CounterId http10_found, http11_found, http2_found, http_not_found;
};

using ListenerFilter = std::variant<OriginalDst, ProxyProtocolFilter, TlsInspector, HttpInspector>;

// A filter in a listener's list.
struct ConfiguredListenerFilter {
  ListenerFilter filter;
  // filter_disabled: the destination ports for which it is left out; null: for none.
  std::shared_ptr<const std::bitset<65536>> disabled_ports;

  bool is_disabled(const Approach& approach) const {
    return disabled_ports != nullptr && disabled_ports->test(approach.local.port());
  }
};

// `bytes` is empty when nothing came yet.
FilterVerdict look(const ListenerFilter& filter, int fd, std::string_view bytes, Approach& approach,
                   stats::Shard& stats);
// Whether it never waits for bytes.
bool needs_no_bytes(const ListenerFilter& filter);

}  // namespace weir
