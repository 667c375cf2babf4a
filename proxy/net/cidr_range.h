#pragma once

#include <cstdint>

#include "proxy/net/address.h"

namespace weir::net {

// Addresses that begin with the same bits (RFC 4632 3.1). Those of another family are outside.
struct CidrRange {
  Address address;
  uint32_t bits = 0;
  bool contains(const Address& other) const;
  friend bool operator==(const CidrRange& a, const CidrRange& b) {
    return a.bits == b.bits && a.contains(b.address);
  }
};

}  // namespace weir::net
