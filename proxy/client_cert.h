#pragma once

#include <cstdint>

namespace weir {

class Request;

// What happens to x-forwarded-client-cert, which tells upstreams whose certificate the client
// showed: HttpConnectionManager.forward_client_cert_details and set_current_client_cert_details.
struct ForwardClientCert {
  enum class Mode : uint8_t {
    kSanitize,
    kForwardOnly,
    kAppendForward,
    kSanitizeSet,
    kAlwaysForwardOnly,
  };
  Mode mode = Mode::kSanitize;
  bool cert = false;
  bool chain = false;
  bool subject = false;
  bool uri = false;
  bool dns = false;
};

// Before routing.
void note_client_cert(Request& request);

}  // namespace weir
