#include "proxy/listener_filter.h"

#include <utility>
#include <vector>

#include "proxy/net/client_hello.h"
#include "proxy/net/http_version.h"
#include "proxy/net/proxy_protocol.h"

namespace weir {
namespace {

constexpr FilterVerdict kPass{FilterVerdict::Kind::kPass, 0};
constexpr FilterVerdict kWait{FilterVerdict::Kind::kWait, 0};
constexpr FilterVerdict kRefuse{FilterVerdict::Kind::kRefuse, 0};

}  // namespace

FilterVerdict OriginalDst::look(int fd, Approach& approach) const {
  approach.local = net::original_destination(fd, approach.local);
  return kPass;
}

FilterVerdict ProxyProtocolFilter::look(std::string_view bytes, Approach& approach,
                                        stats::Shard& stats) const {
  using State = net::ProxyHeader::State;
  net::ProxyHeader header = net::read_proxy_protocol(bytes);
  const VersionStats& version = versions[header.version];
  // Before the header is whole: what is not allowed needs not be waited for.
  if (disallowed[header.version]) {
    stats.inc(version.disallowed);
    return kRefuse;
  }
  switch (header.state) {
    case State::kNeedsMore:
      return kWait;
    case State::kAbsent:
      stats.inc(allow_without_header ? not_found_allowed : not_found_disallowed);
      return allow_without_header ? kPass : kRefuse;
    case State::kMalformed:
      stats.inc(version.error);
      return kRefuse;
    case State::kComplete:
      break;
  }
  stats.inc(version.found);
  if (!header.local) {
    approach.peer = std::move(header.source);
    approach.local = std::move(header.destination);
    std::erase_if(header.tlvs, [this](const auto& tlv) { return !kept_tlvs.passes(tlv.type); });
    approach.tlvs = std::move(header.tlvs);
  }
  return {FilterVerdict::Kind::kPass, header.bytes};
}

FilterVerdict TlsInspector::look(std::string_view bytes, Approach& approach,
                                 stats::Shard& stats) const {
  using State = net::ClientHello::State;
  net::ClientHello hello = net::read_client_hello(bytes);
  switch (hello.state) {
    case State::kNeedsMore:
      return kWait;
    case State::kTooLarge:
      stats.inc(client_hello_too_large);
      return kRefuse;
    case State::kMalformed:
      // Whatever a chain would make of it: it is no hello, and nothing else either.
      stats.inc(tls_not_found);
      return kRefuse;
    case State::kNotTls:
      stats.inc(tls_not_found);
      return kPass;
    case State::kComplete:
      break;
  }
  stats.inc(tls_found);
  stats.inc(hello.server_name.empty() ? sni_not_found : sni_found);
  stats.inc(hello.application.empty() ? alpn_not_found : alpn_found);
  approach.tls = true;
  approach.server_name = std::move(hello.server_name);
  approach.application_protocols = std::move(hello.application);
  return kPass;
}

FilterVerdict HttpInspector::look(std::string_view bytes, Approach& approach,
                                  stats::Shard& stats) const {
  if (approach.tls) return kPass;
  switch (net::sniff_http_version(bytes)) {
    case net::HttpVersion::kNeedsMore:
      return kWait;
    case net::HttpVersion::kNotHttp:
      stats.inc(http_not_found);
      return kPass;
    case net::HttpVersion::kHttp10:
      stats.inc(http10_found);
      approach.application_protocols = {"http/1.0"};
      return kPass;
    case net::HttpVersion::kHttp11:
      stats.inc(http11_found);
      approach.application_protocols = {"http/1.1"};
      return kPass;
    case net::HttpVersion::kHttp2:
      stats.inc(http2_found);
      approach.application_protocols = {"h2c"};
      return kPass;
  }
  return kPass;
}

FilterVerdict look(const ListenerFilter& filter, int fd, std::string_view bytes, Approach& approach,
                   stats::Shard& stats) {
  if (const auto* original = std::get_if<OriginalDst>(&filter)) return original->look(fd, approach);
  if (const auto* proxy = std::get_if<ProxyProtocolFilter>(&filter))
    return proxy->look(bytes, approach, stats);
  if (const auto* tls = std::get_if<TlsInspector>(&filter))
    return tls->look(bytes, approach, stats);
  return std::get<HttpInspector>(filter).look(bytes, approach, stats);
}

bool needs_no_bytes(const ListenerFilter& filter) {
  return std::holds_alternative<OriginalDst>(filter);
}

}  // namespace weir
