#pragma once

#include <memory>
#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/tls/verifier.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class CertificateValidationContext;
}

namespace weir::tls {

// What a CertificateValidationContext asks for, and bytes that stand for all of it: where they are
// equal, so is trust.
struct Trust {
  std::shared_ptr<const Verifier> verifier;
  std::string essence;
};

// Without a verifier on errors, which are then in the diagnostics, each at its field. Main thread.
Trust read_trust(
    const envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext& in,
    const config::FieldPath& path, config::Diagnostics& diagnostics);

}  // namespace weir::tls
