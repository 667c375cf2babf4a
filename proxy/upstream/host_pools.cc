#include "proxy/upstream/host_pools.h"

#include <array>
#include <span>

#include "proxy/http/host.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

using Versions = ClusterConfig::Versions;

namespace {

// What a certificate is to be for when nobody says: no certificate is.
constexpr std::string_view kNobody = "(no host)";

// Nothing where TLS cannot ask for it: an address is no name (RFC 6066 3).
std::string_view sni_of(std::string_view name) {
  return http::valid_host(name) && !net::Address::ip(name, 0) ? name : std::string_view();
}

}  // namespace

Pool& HostPools::for_request(http::Protocol downstream) {
  switch (host_.cluster().config().versions) {
    case Versions::kHttp1:
      return h1_;
    case Versions::kHttp2:
      return http2();
    case Versions::kDownstream:
      if (downstream != http::Protocol::kHttp2) return h1_;
      return http2();
    case Versions::kAuto:
      if (!speaks_http2_) return h1_;
      return http2();
  }
  return h1_;
}

H2Pool& HostPools::http2() {
  if (h2_ == nullptr) h2_ = std::make_unique<H2Pool>(*this);
  return *h2_;
}

// ---- TLS ----

const tls::ClientTls* HostPools::tls() const {
  return host_.tls();
}

void HostPools::introduce(net::Connection& connection) const {
  const net::ProxyIntroduction* how = host_.introduction();
  if (how == nullptr) return;
  if (!introduction_.empty()) return connection.send_in_clear(introduction_);
  std::string nobody;
  how->write({}, {}, {}, nobody);
  connection.send_in_clear(nobody);
}

std::unique_ptr<net::TlsSession> HostPools::new_session(bool http2) const {
  const tls::ClientTls* tls = this->tls();
  if (tls == nullptr) return nullptr;
  static const std::array<std::string, 2> kOffers = {"h2", "http/1.1"};
  WorkerCluster& cluster = host_.cluster();
  // Also where HTTP/2 was agreed on before: a host that has no more of it must be able to say so.
  const bool both = cluster.config().versions == Versions::kAuto;
  const std::span<const std::string> offers(kOffers);
  tls::ClientWanted wanted;
  if (cluster.config().auto_sni) wanted.sni = sni_of(name_);
  wanted.host_name = host_.endpoint().hostname;
  if (cluster.config().auto_san_validation)
    wanted.verify_name = name_.empty() ? kNobody : std::string_view(name_);
  if (tls->context()->alpn().empty() || both)
    wanted.alpn = both ? offers : http2 ? offers.first(1) : offers.last(1);
  wanted.cache = cluster.session_cache(*tls);
  return tls->new_session(wanted);
}

// ---- what handshakes agree on ----

bool HostPools::agreed_on_http2(PoolConnection& connection) const {
  if (host_.cluster().config().versions != Versions::kAuto) return false;
  const net::TlsSession* tls = connection.connection().tls();
  return tls != nullptr && tls->alpn() == "h2";
}

void HostPools::move_to_http2(PoolConnection& connection) {
  speaks_http2_ = true;
  http2().take_over(connection, h1_);
}

bool HostPools::lost_http2(PoolConnection& connection) const {
  return host_.cluster().config().versions == Versions::kAuto && !agreed_on_http2(connection);
}

void HostPools::back_to_http1() {
  speaks_http2_ = false;
  h1_.take_waiters(*h2_);
}

void HostPools::drain() {
  h1_.drain();
  if (h2_ != nullptr) h2_->drain();
}

void HostPools::revive() {
  h1_.revive();
  if (h2_ != nullptr) h2_->revive();
}

}  // namespace weir::upstream
