#pragma once

#include <optional>
#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/tls/identity.h"
#include "proxy/tls/ticket_keys.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class TlsCertificate;
class TlsSessionTicketKeys;
}  // namespace envoy::extensions::transport_sockets::tls::v3

namespace weir::tls {

// Nothing on errors, which are then in the diagnostics, each at its field. Main thread.
std::optional<Identity> read_certificate(
    const envoy::extensions::transport_sockets::tls::v3::TlsCertificate& in,
    const config::FieldPath& path, config::Diagnostics& diagnostics);
std::optional<TicketKeys> read_ticket_keys(
    const envoy::extensions::transport_sockets::tls::v3::TlsSessionTicketKeys& in,
    const config::FieldPath& path, config::Diagnostics& diagnostics);

}  // namespace weir::tls
