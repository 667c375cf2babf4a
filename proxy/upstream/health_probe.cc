#include "proxy/upstream/health_probe.h"

#include <array>
#include <span>

#include "proxy/net/proxy_protocol.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/exchange_probe.h"
#include "proxy/upstream/tcp_probe.h"

namespace weir::upstream {
namespace {

int32_t transport_of(const ClusterConfig& cluster, const ProbeTarget& target) {
  return cluster.health_check->transport.value_or(target.transport);
}

const tls::ClientTls* tls_of(const ClusterConfig& cluster, const ProbeTarget& target) {
  const int32_t transport = transport_of(cluster, target);
  if (transport < 0) return cluster.tls.get();
  return cluster.transport_matches[static_cast<size_t>(transport)].tls.get();
}

}  // namespace

std::unique_ptr<HealthProbe> make_probe(const ProbeNeeds& needs, ProbeEvents& events) {
  switch (needs.cluster->health_check->kind) {
    case HealthCheckConfig::Kind::kHttp:
      return std::make_unique<HttpProbe>(needs, events);
    case HealthCheckConfig::Kind::kTcp:
      return std::make_unique<TcpProbe>(needs, events);
    case HealthCheckConfig::Kind::kGrpc:
      return std::make_unique<GrpcProbe>(needs, events);
  }
  return nullptr;
}

bool new_probe_session(const ClusterConfig& cluster, const ProbeTarget& target,
                       std::unique_ptr<net::TlsSession>& session) {
  const tls::ClientTls* tls = tls_of(cluster, target);
  if (tls == nullptr) return true;
  if (!tls->ready()) return false;
  static const std::array<std::string, 2> kOffers = {"h2", "http/1.1"};
  const HealthCheckConfig& check = *cluster.health_check;
  tls::ClientWanted wanted;
  wanted.host_name = target.hostname;
  if (!check.alpn.empty()) {
    wanted.alpn = check.alpn;
  } else if (tls->context()->alpn().empty() && check.kind != HealthCheckConfig::Kind::kTcp) {
    const std::span<const std::string> offers(kOffers);
    wanted.alpn = check.http2 ? offers.first(1) : offers.last(1);
  }
  session = tls->new_session(wanted);
  return session != nullptr;
}

bool probe_has_tls(const ClusterConfig& cluster, const ProbeTarget& target) {
  return tls_of(cluster, target) != nullptr;
}

std::string probe_introduction(const ClusterConfig& cluster, const ProbeTarget& target) {
  const int32_t transport = transport_of(cluster, target);
  const auto& how = transport < 0
                        ? cluster.introduction
                        : cluster.transport_matches[static_cast<size_t>(transport)].introduction;
  std::string nobody;
  if (how) how->write({}, {}, {}, nobody);
  return nobody;
}

}  // namespace weir::upstream
