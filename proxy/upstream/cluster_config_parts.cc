#include "proxy/upstream/cluster_config_parts.h"

#include <algorithm>
#include <utility>

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::FieldPath;

int64_t to_ms(const google::protobuf::Duration& duration) {
  return duration.seconds() * 1000 + (duration.nanos() + 999'999) / 1'000'000;
}

bool has_error_under(const config::Diagnostics& diagnostics, std::string_view path) {
  const auto items = diagnostics.items();
  return std::any_of(items.begin(), items.end(), [path](const config::Diagnostic& item) {
    const std::string_view at = item.field_path;
    return item.severity == config::Severity::kError && at.starts_with(path) &&
           (path.empty() || at.size() == path.size() || at[path.size()] == '.' ||
            at[path.size()] == '[');
  });
}

void refuse(config::Diagnostics& diagnostics, const FieldPath& path, std::string_view what) {
  std::string text = path.str();
  if (has_error_under(diagnostics, text)) return;
  diagnostics.error(Code::kNotSupported, std::move(text),
                    std::string(what) + " exists in Envoy; Weir does not support it yet");
}

std::optional<net::Address> read_socket_address(config::Diagnostics& diagnostics,
                                                const core::SocketAddress& address,
                                                const FieldPath& path, std::string_view hint) {
  if (address.protocol() != core::SocketAddress::TCP) {
    refuse(diagnostics, path.field("protocol"), "a UDP address here");
    return std::nullopt;
  }
  if (!address.named_port().empty()) {
    diagnostics.error(Code::kSemantic, path.field("named_port"), "a port must be given as a number",
                      "use port_value");
    return std::nullopt;
  }
  Result<net::Address> read =
      net::Address::ip(address.address(), static_cast<uint16_t>(address.port_value()));
  if (read.ok()) return read.take();
  diagnostics.error(Code::kSemantic, path.field("address"), read.error().message,
                    std::string(hint));
  return std::nullopt;
}

}  // namespace weir::upstream
