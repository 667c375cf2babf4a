#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/address.h"

namespace weir::net {

// The PROXY protocol, versions 1 and 2, as haproxy.org's proxy-protocol.txt has it: who a relay in
// front speaks for.
struct ProxyTlv {
  uint8_t type = 0;
  std::string value;
};

struct ProxyHeader {
  enum class State : uint8_t {
    kNeedsMore,
    kAbsent,     // the connection begins with something else
    kMalformed,  // see `problem`
    kComplete,
  };

  State state = State::kNeedsMore;
  uint8_t version = 0;  // 1 or 2, as soon as it is known
  // The relay speaks for itself, or does not say for whom (LOCAL, UNKNOWN): the connection's own
  // addresses count, and the ones here are empty.
  bool local = false;
  Address source;
  Address destination;
  std::vector<ProxyTlv> tlvs;  // of version 2, in their order
  size_t bytes = 0;            // when complete: the header's length
  std::string_view problem;    // a literal
};

inline constexpr size_t kMaxProxyV1Bytes = 107;
inline constexpr size_t kMaxProxyV2Bytes = 16 * 1024;
inline constexpr uint8_t kProxyTlvChecksum = 0x03;  // PP2_TYPE_CRC32C

// Reads a connection's first bytes, all that came so far. Strict: one space between words, numbers
// without leading zeros, TCP only, and a checksum, where there is one, that holds.
ProxyHeader read_proxy_protocol(std::string_view bytes);

// "PROXY TCP4 ...\r\n"; UNKNOWN unless both addresses are of one IP family.
void write_proxy_v1(const Address& source, const Address& destination, std::string& out);
// LOCAL unless both addresses are of one IP family. The TLVs that do not fit in 64 KiB are left
// out.
void write_proxy_v2(const Address& source, const Address& destination,
                    std::span<const ProxyTlv> tlvs, std::string& out);

// Which TLVs go on to the next (core.v3.ProxyProtocolPassThroughTLVs). By default none.
struct TlvFilter {
  bool all = false;
  std::bitset<256> types;
  bool passes(uint8_t type) const { return all || types[type]; }
};

// Who relayed a connection here, when its addresses are those that a PROXY header named.
struct ProxyRelay {
  Address direct_peer;  // the socket's other end
  std::vector<ProxyTlv> tlvs;
};

// How the next server is told for whom a connection speaks (core.v3.ProxyProtocolConfig).
struct ProxyIntroduction {
  int version = 1;
  TlvFilter tlvs;  // of version 2

  // Addresses that are of no IP family introduce nobody: UNKNOWN or LOCAL, and the connection's own
  // addresses count.
  void write(const Address& source, const Address& destination, std::span<const ProxyTlv> known,
             std::string& out) const;
};

// CRC-32C (RFC 3385), the Castagnoli polynomial. Continues from the sum of what came before.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace weir::net
