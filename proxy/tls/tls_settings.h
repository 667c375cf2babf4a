#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/tls/client_context.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/server_context.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class DownstreamTlsContext;
class UpstreamTlsContext;
}  // namespace envoy::extensions::transport_sockets::tls::v3

namespace weir::tls {

// What reading a context's message needs, and what it found out. Main thread.
struct SettingsRead {
  Secrets& secrets;
  config::Diagnostics& diagnostics;
  std::vector<std::string> files;  // of the secrets that were looked up
};

// Whether a secret of a control plane has not come yet: then there is nothing to read. `read.files`
// says what is waited for.
bool waits_for_secrets(
    const envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext& in,
    const config::FieldPath& path, SettingsRead& read);
bool waits_for_secrets(const envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext& in,
                       const config::FieldPath& path, SettingsRead& read);

// Nothing on errors, which are then in the diagnostics, each at its field.
std::optional<ServerSettings> read_settings(
    const envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext& in,
    const config::FieldPath& path, SettingsRead& read);
std::optional<ClientSettings> read_settings(
    const envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext& in,
    const config::FieldPath& path, SettingsRead& read);

}  // namespace weir::tls
