#include "proxy/tls/read_key_log.h"

#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/stats/log_writers.h"

namespace weir::tls {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::transport_sockets::tls::v3::TlsKeyLog;
using net::CidrRange;

// Whoever holds the file can decrypt all that was sent.
constexpr unsigned kMode = 0600;

template <class Ranges>
std::vector<CidrRange> read_ranges(const Ranges& in, const FieldPath& path,
                                   Diagnostics& diagnostics) {
  std::vector<CidrRange> out;
  for (int i = 0; i < in.size(); ++i) {
    Result<net::Address> address = net::Address::ip(in[i].address_prefix(), 0);
    const uint32_t bits = in[i].prefix_len().value();
    const uint32_t most = address && address->family() == net::Address::Family::kIpv6 ? 128 : 32;
    if (address && bits <= most) {
      out.push_back({address.take(), bits});
      continue;
    }
    diagnostics.error(Code::kInvalidValue, path.at(i),
                      address
                          ? "prefix_len is at most " + std::to_string(most) + " for this address"
                          : address.error().message);
  }
  return out;
}

}  // namespace

std::shared_ptr<const KeyLog> read_key_log(const TlsKeyLog& in, const FieldPath& path,
                                           Diagnostics& diagnostics, stats::LogWriters& writers) {
  const size_t errors_before = diagnostics.error_count();
  KeyLog::Ranges local =
      read_ranges(in.local_address_range(), path.field("local_address_range"), diagnostics);
  KeyLog::Ranges remote =
      read_ranges(in.remote_address_range(), path.field("remote_address_range"), diagnostics);
  if (diagnostics.error_count() != errors_before) return nullptr;
  Result<std::shared_ptr<stats::LogFile>> file = writers.open(in.path(), kMode);
  if (!file) {
    diagnostics.error(Code::kIo, path.field("path"), file.error().message);
    return nullptr;
  }
  diagnostics.warning(Code::kSemantic, path,
                      "whoever reads this file can decrypt what these connections carry",
                      "leave key_log out unless somebody has to");
  return std::make_shared<KeyLog>(file.take(), std::move(local), std::move(remote));
}

}  // namespace weir::tls
