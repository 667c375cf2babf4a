#include "proxy/net/cidr_range.h"

#include <cstring>

namespace weir::net {

bool CidrRange::contains(const Address& other) const {
  if (other.family() != address.family() || !other.is_ip()) return false;
  const uint32_t bytes = bits / 8;
  if (std::memcmp(address.ip_bytes(), other.ip_bytes(), bytes) != 0) return false;
  const uint32_t rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((address.ip_bytes()[bytes] ^ other.ip_bytes()[bytes]) & mask) == 0;
}

}  // namespace weir::net
