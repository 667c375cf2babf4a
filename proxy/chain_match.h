#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/net/address.h"
#include "proxy/net/cidr_range.h"
#include "proxy/net/proxy_protocol.h"

namespace weir {

using net::CidrRange;

// What is known of a connection when its filter chain is chosen.
struct Approach {
  net::Address local;               // where it was headed, before a relay or a redirection
  net::Address peer;                // who it comes from, as a relay in front says
  net::Address direct_peer;         // the socket's
  std::vector<net::ProxyTlv> tlvs;  // what a relay in front said besides, and may be passed on
  bool tls = false;                 // it begins with a ClientHello
  std::string server_name;          // lower case
  // In the client's order of preference; "http/1.0", "http/1.1" or "h2c" in the clear.
  std::vector<std::string> application_protocols;
};

// config.listener.v3.FilterChainMatch. An empty criterion asks nothing.
struct ChainMatch {
  std::optional<uint16_t> destination_port;
  std::vector<CidrRange> destinations;
  std::vector<std::string> server_names;  // lower case; "*.example.com" as ".example.com"
  std::string transport_protocol;         // "raw_buffer" or "tls"
  std::vector<std::string> application_protocols;
  std::vector<CidrRange> direct_sources;
  enum class SourceType : uint8_t { kAny, kLocal, kExternal };
  SourceType source_type = SourceType::kAny;
  std::vector<CidrRange> sources;
  std::vector<uint16_t> source_ports;

  // Whether it can only be decided with the TLS inspector's help.
  bool needs_client_hello() const;
  // Whether some connection would be equally right in both chains.
  bool overlaps(const ChainMatch& other) const;
};

// Chooses among matches in Envoy's order of precedence: destination port, destination address,
// server name, transport protocol, application protocol, direct source, source type, source
// address, source port. There is no way back, as in Envoy: of the matches that are the most
// specific in one criterion, and only of those, the next criterion chooses.
class ChainChooser {
 public:
  explicit ChainChooser(const Approach& approach) : approach_(approach) {}

  // True when `match` is better than all that were offered before.
  bool offer(const ChainMatch& match);
  // Whether the best one holds in every criterion.
  bool holds() const;

 private:
  static constexpr size_t kCriteria = 9;

  const Approach& approach_;
  uint16_t best_[kCriteria] = {};
  bool any_ = false;
};

}  // namespace weir
