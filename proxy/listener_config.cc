#include "proxy/listener_config.h"

#include <cstring>

namespace weir {
namespace {

// Envoy's order of precedence: destination port, then address, then the source's criteria. Each
// gets its own digits, so that one comparison of ranks decides.
constexpr int64_t kPortRank = 1'000'000'000;
constexpr int64_t kDestinationRank = 1'000'000;
constexpr int64_t kSourceTypeRank = 100'000;
constexpr int64_t kSourceRank = 100;
constexpr int64_t kSourcePortRank = 1;

// 0: nothing was asked; -1: no match; else one more than the longest prefix that contains it.
int64_t longest(const std::vector<CidrRange>& ranges, const net::Address& address) {
  if (ranges.empty()) return 0;
  int64_t best = -1;
  for (const CidrRange& range : ranges)
    if (range.contains(address)) best = std::max<int64_t>(best, range.bits + 1);
  return best;
}

}  // namespace

bool CidrRange::contains(const net::Address& other) const {
  if (other.family() != address.family() || !other.is_ip()) return false;
  const uint32_t bytes = bits / 8;
  if (std::memcmp(address.ip_bytes(), other.ip_bytes(), bytes) != 0) return false;
  const uint32_t rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((address.ip_bytes()[bytes] ^ other.ip_bytes()[bytes]) & mask) == 0;
}

int64_t ChainMatch::rank(const net::Address& local, const net::Address& peer) const {
  if (needs_tls) return -1;
  int64_t sum = 0;
  if (destination_port) {
    if (*destination_port != local.port()) return -1;
    sum += kPortRank;
  }
  const int64_t destination = longest(destinations, local);
  if (destination < 0) return -1;
  sum += destination * kDestinationRank;
  if (source_type != SourceType::kAny) {
    const bool is_local = peer.is_loopback() || peer.ip_text() == local.ip_text();
    if (is_local != (source_type == SourceType::kLocal)) return -1;
    sum += kSourceTypeRank;
  }
  const int64_t source = longest(sources, peer);
  if (source < 0) return -1;
  sum += source * kSourceRank;
  if (source_ports.empty()) return sum;
  for (uint16_t port : source_ports)
    if (port == peer.port()) return sum + kSourcePortRank;
  return -1;
}

const ChainConfig* ListenerConfig::single_chain() const {
  if (!chains.empty()) return nullptr;
  return default_chain ? &*default_chain : nullptr;
}

const ChainConfig* ListenerConfig::chain_for(const net::Address& local,
                                             const net::Address& peer) const {
  const ChainConfig* best = nullptr;
  int64_t best_rank = -1;
  for (const ChainConfig& chain : chains) {
    const int64_t rank = chain.match.rank(local, peer);
    if (rank <= best_rank) continue;
    best = &chain;
    best_rank = rank;
  }
  if (best == nullptr && default_chain) best = &*default_chain;
  return best;
}

}  // namespace weir
