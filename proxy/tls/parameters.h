#pragma once

#include <openssl/base.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace weir::tls {

// Of envoy.extensions.transport_sockets.tls.v3.TlsParameters, and ALPN.
struct Parameters {
  uint16_t min_version = 0;  // of the wire, 0x0303 is TLS 1.2
  uint16_t max_version = 0;
  std::vector<std::string> ciphers;  // up to TLS 1.2; empty: the default
  std::vector<std::string> curves;
  std::vector<std::string> signature_algorithms;
  std::vector<std::string> alpn;  // the best first
};

// Whether BoringSSL knows it; the error names what it knows instead.
Result<void> check_cipher(const std::string& name);
Result<void> check_curve(const std::string& name);
Result<void> check_signature_algorithm(const std::string& name);
Result<void> check_alpn(const std::vector<std::string>& names);

// The list as it is on the wire (RFC 7301 3.1).
std::string alpn_wire(const std::vector<std::string>& names);

// Sets all but ALPN. Fails when each item is known and the whole leaves nothing to agree on.
Result<void> apply(const Parameters& parameters, SSL_CTX& context);

}  // namespace weir::tls
