#include "proxy/chain_match.h"

#include <algorithm>
#include <string_view>

namespace weir {
namespace {

// How specific one criterion of a match is for a connection: kNo when it does not hold, kUnasked
// when nothing is asked, else more for what goes before. Two matches with the same number ask the
// same, as far as this connection is concerned.
constexpr uint16_t kNo = 0;
constexpr uint16_t kUnasked = 1;
constexpr uint16_t kYes = 2;
constexpr uint16_t kExact = UINT16_MAX;

uint16_t longest(const std::vector<CidrRange>& ranges, const net::Address& address) {
  uint32_t best = ranges.empty() ? kUnasked : kNo;
  for (const CidrRange& range : ranges)
    if (range.contains(address)) best = std::max(best, range.bits + kYes);
  return static_cast<uint16_t>(best);
}

uint16_t destination_port(const ChainMatch& match, const Approach& approach) {
  if (!match.destination_port) return kUnasked;
  return approach.local.is_ip() && *match.destination_port == approach.local.port() ? kYes : kNo;
}

uint16_t destination_address(const ChainMatch& match, const Approach& approach) {
  return longest(match.destinations, approach.local);
}

// The name itself, or else its longest suffix.
uint16_t server_name(const ChainMatch& match, const Approach& approach) {
  if (match.server_names.empty()) return kUnasked;
  const std::string_view name = approach.server_name;
  size_t best = kNo;
  for (const std::string& wanted : match.server_names) {
    if (name == wanted) return kExact;
    const bool suffix = wanted[0] == '.' && name.size() > wanted.size() && name.ends_with(wanted);
    if (suffix) best = std::max(best, wanted.size() + kYes);
  }
  return static_cast<uint16_t>(std::min<size_t>(best, kExact - 1));
}

uint16_t transport_protocol(const ChainMatch& match, const Approach& approach) {
  if (match.transport_protocol.empty()) return kUnasked;
  return match.transport_protocol == (approach.tls ? "tls" : "raw_buffer") ? kYes : kNo;
}

// The client's first choice goes before its second.
uint16_t application_protocol(const ChainMatch& match, const Approach& approach) {
  const auto& wanted = match.application_protocols;
  if (wanted.empty()) return kUnasked;
  const auto& offered = approach.application_protocols;
  for (size_t i = 0; i < offered.size() && i < kExact - kYes; ++i)
    if (std::find(wanted.begin(), wanted.end(), offered[i]) != wanted.end())
      return static_cast<uint16_t>(kExact - i);
  return kNo;
}

uint16_t direct_source(const ChainMatch& match, const Approach& approach) {
  return longest(match.direct_sources, approach.direct_peer);
}

uint16_t source_type(const ChainMatch& match, const Approach& approach) {
  if (match.source_type == ChainMatch::SourceType::kAny) return kUnasked;
  const net::Address& peer = approach.peer;
  const bool same_ip = peer.with_port(0) == approach.local.with_port(0);
  const bool local = peer.is_loopback() || same_ip;
  return local == (match.source_type == ChainMatch::SourceType::kLocal) ? kYes : kNo;
}

uint16_t source_address(const ChainMatch& match, const Approach& approach) {
  return longest(match.sources, approach.peer);
}

uint16_t source_port(const ChainMatch& match, const Approach& approach) {
  const auto& ports = match.source_ports;
  if (ports.empty()) return kUnasked;
  return std::find(ports.begin(), ports.end(), approach.peer.port()) == ports.end() ? kNo : kYes;
}

using Criterion = uint16_t (*)(const ChainMatch&, const Approach&);

constexpr Criterion kPrecedence[] = {destination_port,   destination_address,  server_name,
                                     transport_protocol, application_protocol, direct_source,
                                     source_type,        source_address,       source_port};

template <class T>
bool share_one(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return std::find_first_of(a.begin(), a.end(), b.begin(), b.end()) != a.end();
}

}  // namespace

bool ChainMatch::needs_client_hello() const {
  if (!transport_protocol.empty()) return transport_protocol == "tls";
  return !server_names.empty() || !application_protocols.empty();
}

bool ChainMatch::overlaps(const ChainMatch& other) const {
  return destination_port == other.destination_port &&
         transport_protocol == other.transport_protocol && source_type == other.source_type &&
         share_one(server_names, other.server_names) &&
         share_one(application_protocols, other.application_protocols) &&
         share_one(destinations, other.destinations) &&
         share_one(direct_sources, other.direct_sources) && share_one(sources, other.sources) &&
         share_one(source_ports, other.source_ports);
}

bool ChainChooser::offer(const ChainMatch& match) {
  static_assert(std::size(kPrecedence) == kCriteria);
  bool ahead = !any_;
  any_ = true;
  for (size_t i = 0; i < kCriteria; ++i) {
    const uint16_t rank = kPrecedence[i](match, approach_);
    if (!ahead && rank < best_[i]) return false;
    ahead = ahead || rank > best_[i];
    best_[i] = rank;
  }
  return ahead;
}

bool ChainChooser::holds() const {
  return any_ && std::find(std::begin(best_), std::end(best_), kNo) == std::end(best_);
}

}  // namespace weir
