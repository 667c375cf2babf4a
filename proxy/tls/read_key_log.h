#pragma once

#include <memory>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/tls/key_log.h"

namespace envoy::extensions::transport_sockets::tls::v3 {
class TlsKeyLog;
}
namespace weir::stats {
class LogWriters;
}

namespace weir::tls {

// Null on errors, which are then in the diagnostics. A file that is created is its user's alone
// (0600). Main thread.
std::shared_ptr<const KeyLog> read_key_log(
    const envoy::extensions::transport_sockets::tls::v3::TlsKeyLog& in,
    const config::FieldPath& path, config::Diagnostics& diagnostics, stats::LogWriters& writers);

}  // namespace weir::tls
