#include "proxy/http/rate_limit.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "proxy/http/route.h"
#include "proxy/net/address.h"

namespace weir::http {
namespace {

// What an action says of a request.
enum class Told : uint8_t {
  kEntry,    // an entry
  kNothing,  // no entry, but the descriptor may go on
  kNoLimit,  // the request has no such descriptor
};

std::string_view address_text(const net::Address& address, Arena& arena) {
  char text[net::Address::kMaxTextBytes];
  return arena.copy({text, address.write_ip_text(text)});
}

// The network that the address is in, as "10.1.0.0/16".
std::string_view network_text(const net::Address& address, int bits, Arena& arena) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  const bool v4 = address.family() == net::Address::Family::kIpv4;
  auto* bytes = v4 ? reinterpret_cast<uint8_t*>(&reinterpret_cast<sockaddr_in&>(storage).sin_addr)
                   : reinterpret_cast<sockaddr_in6&>(storage).sin6_addr.s6_addr;
  for (int bit = bits; bit < (v4 ? 32 : 128); ++bit)
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] & ~(0x80u >> bit % 8));
  const auto masked =
      net::Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof(digits), bits).ptr;
  return arena.concat(
      {address_text(masked, arena), "/", {digits, static_cast<size_t>(end - digits)}});
}

Told tell_address(const RateLimitAction& action, const RateLimitInput& input,
                  std::string_view& value) {
  const net::Address* remote = input.info.downstream_remote;
  if (remote == nullptr || !remote->is_ip()) return Told::kNoLimit;
  const bool v4 = remote->family() == net::Address::Family::kIpv4;
  const int bits = v4 ? action.v4_prefix_bits : action.v6_prefix_bits;
  value = bits < 0 ? address_text(*remote, input.arena) : network_text(*remote, bits, input.arena);
  return Told::kEntry;
}

// The first line of the header alone, as in Envoy.
Told tell_header(const RateLimitAction& action, const RateLimitInput& input,
                 std::string_view& value) {
  const Header* line = input.request.headers.find(action.header);
  if (line != nullptr) {
    value = line->value;
  } else {
    bool present = false;
    value = input.request.value_of(action.header, present);
  }
  if (!value.empty()) return Told::kEntry;
  return action.skip_if_absent ? Told::kNothing : Told::kNoLimit;
}

Told tell_cluster(const RateLimitInput& input, std::string_view& value) {
  value = input.info.cluster;
  const auto* forward =
      input.route == nullptr ? nullptr : std::get_if<ForwardAction>(&input.route->action);
  if (!value.empty() || forward == nullptr) return value.empty() ? Told::kNoLimit : Told::kEntry;
  value = forward->cluster;
  if (!forward->cluster_header.empty()) {
    bool present = false;
    value = input.request.value_of(forward->cluster_header, present);
  }
  return value.empty() ? Told::kNoLimit : Told::kEntry;
}

Told tell_match(const RateLimitAction& action, const RateLimitInput& input,
                std::string_view& value) {
  const auto fits = [&](const auto& match) { return match.matches(input.request); };
  const bool matches = action.kind == RateLimitAction::Kind::kHeadersMatch
                           ? std::all_of(action.headers.begin(), action.headers.end(), fits)
                           : std::all_of(action.query.begin(), action.query.end(), fits);
  value = action.value;
  return matches == action.expect_match ? Told::kEntry : Told::kNoLimit;
}

Told tell(const RateLimitAction& action, const RateLimitInput& input, std::string_view& value) {
  switch (action.kind) {
    case RateLimitAction::Kind::kSourceCluster:
      value = input.service_cluster;
      return Told::kEntry;
    case RateLimitAction::Kind::kDestinationCluster:
      return tell_cluster(input, value);
    case RateLimitAction::Kind::kRequestHeader:
      return tell_header(action, input, value);
    case RateLimitAction::Kind::kRemoteAddress:
      return tell_address(action, input, value);
    case RateLimitAction::Kind::kGenericKey:
      value = action.value;
      return Told::kEntry;
    case RateLimitAction::Kind::kHeadersMatch:
    case RateLimitAction::Kind::kQueryMatch:
      return tell_match(action, input, value);
  }
  return Told::kNoLimit;
}

}  // namespace

Descriptor RateLimit::descriptor(const RateLimitInput& input) const {
  auto* entries = input.arena.array<DescriptorEntry>(actions.size());
  size_t count = 0;
  for (const RateLimitAction& action : actions) {
    std::string_view value;
    const Told told = tell(action, input, value);
    if (told == Told::kNoLimit) return {};
    if (told == Told::kEntry) entries[count++] = {action.key, value};
  }
  return {entries, count};
}

}  // namespace weir::http
