#include "proxy/listener_config.h"

#include <algorithm>
#include <cstring>

namespace weir {
namespace {

// Room for one criterion's digit in a rank: the longest prefix of an IPv6 address is 128.
constexpr int64_t kBase = 256;

// One criterion of a match: 0 when it does not hold, 1 when nothing is asked, else how specific it
// is.
int64_t longest(const std::vector<CidrRange>& ranges, const net::Address& address) {
  int64_t best = ranges.empty() ? 1 : 0;
  for (const CidrRange& range : ranges)
    if (range.contains(address)) best = std::max<int64_t>(best, range.bits + 1);
  return best;
}

int64_t one_of(const std::vector<uint16_t>& ports, uint16_t port) {
  if (ports.empty()) return 1;
  return std::find(ports.begin(), ports.end(), port) == ports.end() ? 0 : 2;
}

int64_t origin(ChainMatch::SourceType type, const net::Address& local, const net::Address& peer) {
  if (type == ChainMatch::SourceType::kAny) return 1;
  const bool is_local = peer.is_loopback() || peer.ip_text() == local.ip_text();
  return is_local == (type == ChainMatch::SourceType::kLocal) ? 2 : 0;
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

ChainMatch::Rank ChainMatch::rank(const net::Address& local, const net::Address& peer) const {
  Rank rank;
  const auto add = [&rank](int64_t digit) {
    rank.order = rank.order * kBase + digit;
    if (digit == 0) rank.holds = false;
  };
  if (destination_port) {
    add(*destination_port == local.port() ? 2 : 0);
  } else {
    add(1);
  }
  add(longest(destinations, local));
  add(needs_tls ? 0 : 1);
  add(origin(source_type, local, peer));
  add(longest(sources, peer));
  add(one_of(source_ports, peer.port()));
  return rank;
}

const ChainConfig* ListenerConfig::single_chain() const {
  if (!chains.empty()) return nullptr;
  return default_chain ? &*default_chain : nullptr;
}

const ChainConfig* ListenerConfig::chain_for(const net::Address& local,
                                             const net::Address& peer) const {
  const ChainConfig* best = nullptr;
  ChainMatch::Rank best_rank;
  for (const ChainConfig& chain : chains) {
    const ChainMatch::Rank rank = chain.match.rank(local, peer);
    if (best != nullptr && rank.order <= best_rank.order) continue;
    best = &chain;
    best_rank = rank;
  }
  if (best != nullptr && best_rank.holds) return best;
  return default_chain ? &*default_chain : nullptr;
}

}  // namespace weir
