#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net {

// What a TLS client says first of whom it wants to reach (RFC 8446 4.1.2). A value.
struct ClientHello {
  enum class State : uint8_t {
    kNeedsMore,  // what is there is the beginning of a ClientHello
    kNotTls,     // some other protocol; SSL 2.0's hello too (RFC 6176)
    kMalformed,  // begins as a TLS handshake and breaks its rules
    kTooLarge,   // longer than kMaxClientHelloBytes
    kComplete,
  };

  State state = State::kNeedsMore;
  std::string server_name;               // lower case; empty without (RFC 6066 3)
  std::vector<std::string> application;  // ALPN, in the client's order (RFC 7301)
};

// The handshake message; browsers send below 2 KiB, key shares of later years a few more.
inline constexpr size_t kMaxClientHelloBytes = 16 * 1024;

// Reads a connection's first bytes, all that came so far. A hello may be spread over several
// records. Only what routing asks for is looked at: the handshake checks the rest.
ClientHello read_client_hello(std::string_view bytes);

}  // namespace weir::net
