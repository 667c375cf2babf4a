// Who is asked for names: what clusters, and the bootstrap for all of them, say of DNS resolvers.
#include <optional>
#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "proxy/upstream/cluster_config_parts.h"

namespace weir::upstream {

namespace core = envoy::config::core::v3;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;

namespace {

// `list` is the place of the repeated field.
template <class Addresses>
void read_servers(const Addresses& addresses, const FieldPath& list, Diagnostics& diagnostics,
                  DnsResolvers& out) {
  for (int i = 0; i < addresses.size(); ++i) {
    const FieldPath at = list.at(i);
    if (!addresses[i].has_socket_address()) {
      diagnostics.error(Code::kSemantic, at, "a DNS resolver needs a socket_address");
      continue;
    }
    core::SocketAddress address = addresses[i].socket_address();
    address.set_protocol(core::SocketAddress::TCP);  // resolvers are mostly written as UDP
    if (address.port_value() == 0) address.set_port_value(53);
    const FieldPath socket = at.field("socket_address");
    if (auto read =
            read_socket_address(diagnostics, address, socket, "a resolver is an IP address"))
      out.servers.push_back(*read);
  }
}

void read_options(const core::DnsResolverOptions& options, DnsResolvers& out) {
  out.over_tcp = options.use_tcp_for_dns_lookups();
  out.search_domains = !options.no_default_search_domain();
}

// udp_max_queries needs nothing: each lookup has sockets of its own.
void read_extension(const core::TypedExtensionConfig& extension, const FieldPath& path,
                    Diagnostics& diagnostics, DnsResolvers& out) {
  CaresDnsResolverConfig cares;
  if (!extension.typed_config().UnpackTo(&cares))
    return refuse(diagnostics, path, "a DNS resolver other than c-ares");
  if (cares.use_resolvers_as_fallback())
    refuse(diagnostics, path.field("use_resolvers_as_fallback"), "use_resolvers_as_fallback");
  if (cares.filter_unroutable_families())
    refuse(diagnostics, path.field("filter_unroutable_families"), "filter_unroutable_families");
  read_servers(cares.resolvers(), path.field("resolvers"), diagnostics, out);
  read_options(cares.dns_resolver_options(), out);
}

}  // namespace

std::optional<DnsResolvers> read_resolvers(const ResolverFields& fields, const FieldPath& path,
                                           Diagnostics& diagnostics) {
  DnsResolvers out;
  if (fields.extension != nullptr) {
    read_extension(*fields.extension, path.field("typed_dns_resolver_config.typed_config"),
                   diagnostics, out);
  } else if (fields.resolution != nullptr) {
    read_servers(fields.resolution->resolvers(), path.field("dns_resolution_config.resolvers"),
                 diagnostics, out);
    read_options(fields.resolution->dns_resolver_options(), out);
  } else if (fields.addresses != nullptr) {
    read_servers(*fields.addresses, path.field("dns_resolvers"), diagnostics, out);
  } else {
    return std::nullopt;
  }
  return out;
}

DnsResolvers compile_default_resolvers(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                       const FieldPath& path, Diagnostics& diagnostics) {
  ResolverFields fields;
  if (bootstrap.has_typed_dns_resolver_config())
    fields.extension = &bootstrap.typed_dns_resolver_config();
  if (bootstrap.has_dns_resolution_config()) fields.resolution = &bootstrap.dns_resolution_config();
  DnsResolvers out = read_resolvers(fields, path, diagnostics).value_or(DnsResolvers());
  out.over_tcp = out.over_tcp || bootstrap.use_tcp_for_dns_lookups();
  return out;
}

}  // namespace weir::upstream
