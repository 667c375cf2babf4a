#include "proxy/http_door.h"

#include "proxy/entrance.h"
#include "proxy/http/h2_server.h"
#include "proxy/request.h"
#include "proxy/worker.h"

namespace weir {

HttpDoor::HttpDoor(Worker& worker, Entrance& entrance, std::shared_ptr<const HcmConfig> hcm,
                   std::string_view chain_name)
    : worker_(worker),
      entrance_(entrance),
      hcm_(std::move(hcm)),
      bytes_{worker.stats().cell(hcm_->stats.rx_bytes), worker.stats().cell(hcm_->stats.tx_bytes)},
      chain_name_(chain_name) {}

HttpDoor::~HttpDoor() {
  close_all();
}

void HttpDoor::accept(http::Arrival arrival) {
  worker_.stats().inc(hcm_->stats.cx_total);
  worker_.stats().add(hcm_->stats.cx_active, 1);
  if (arrival.socket.tls != nullptr) count(hcm_->stats.cx_ssl);
  if (speaks_http2(arrival)) return start_http2(std::move(arrival));
  http::ServerConnection& connection =
      connections_.add(std::make_unique<http::H1Server>(worker_.loop(), *this, hcm_->h1));
  connection.connection().count_bytes(bytes_);
  connection.start(std::move(arrival));
}

// As configured, or else as TLS's handshake agreed on (RFC 9113 3.2).
bool HttpDoor::speaks_http2(const http::Arrival& arrival) const {
  if (hcm_->codec != HcmConfig::Codec::kAuto) return hcm_->codec == HcmConfig::Codec::kHttp2;
  return arrival.socket.tls != nullptr && arrival.socket.tls->alpn() == "h2";
}

void HttpDoor::start_http2(http::Arrival arrival) {
  http::ServerConnection& connection = connections_.add(
      std::make_unique<http::H2Server>(worker_.loop(), *this, hcm_->h2, worker_.stats()));
  connection.http_version = 2;
  count(hcm_->stats.cx_http2);
  connection.connection().count_bytes(bytes_);
  connection.start(std::move(arrival));
}

void HttpDoor::count(const HcmStats::Connections& which) {
  worker_.stats().inc(which.total);
  worker_.stats().add(which.active, 1);
}

void HttpDoor::on_http2_preface(http::ServerConnection& connection, std::string_view bytes) {
  http::Arrival arrival = connection.give_up_socket();
  connections_.retire(connection);
  arrival.received = bytes;
  start_http2(std::move(arrival));
}

void HttpDoor::drain(int64_t grace_ms) {
  draining_ = true;
  connections_.drain(grace_ms);
  worker_.loop().flush();
}

void HttpDoor::drain_some(int64_t grace_ms, double share) {
  connections_.drain_some(grace_ms, share);
  worker_.loop().flush();
}

http::ServerStreamEvents& HttpDoor::begin_stream(http::ServerConnection& connection,
                                                 http::ServerStream& stream) {
  // Before its first request it might have turned out to be HTTP/2.
  if (connection.http_version == 0) {
    connection.http_version = 1;
    count(hcm_->stats.cx_http1);
  }
  Request& request = worker_.take_request();
  request.begin(connection, stream, *hcm_);
  request.info().filter_chain = chain_name_;
  return request;
}

void HttpDoor::abandon_stream(http::ServerStreamEvents& events) {
  worker_.take_back(static_cast<Request&>(events));
}

http::Draining HttpDoor::draining() const {
  using http::Draining;
  if (draining_ || worker_.draining() || entrance_.ends_connection()) return Draining::kDrain;
  const Overload* overload = hcm_->overload;
  if (overload == nullptr || !overload->ended_connections.hits(worker_.loop().random()))
    return Draining::kNo;
  worker_.stats().inc(hcm_->stats.cx_overload);
  return Draining::kOverload;
}

void HttpDoor::count_end(const http::ServerConnection& connection) {
  stats::Shard& stats = worker_.stats();
  const HcmStats& names = hcm_->stats;
  stats.inc(names.cx_destroy);
  stats.record(names.cx_length_ms,
               static_cast<uint64_t>(worker_.loop().now_ms() - connection.opened_ms()));
  stats.inc(connection.ended_by_peer() ? names.cx_destroy_remote : names.cx_destroy_local);
  using http::EndCause;
  const EndCause cause = connection.end_cause();
  if (cause == EndCause::kIdle) stats.inc(names.cx_idle_timeout);
  if (cause == EndCause::kMaxDuration) stats.inc(names.cx_max_duration_reached);
  if (cause == EndCause::kMaxRequests) stats.inc(names.cx_max_requests_reached);
  if (cause == EndCause::kDrain) stats.inc(names.cx_drain_close);
  if (cause == EndCause::kLateHead) stats.inc(names.rq_header_timeout);
}

// For the listener's log.
void HttpDoor::log_end(http::ServerConnection& connection) {
  if (!entrance_.logs()) return;
  http::StreamInfo info;
  info.start_ns = connection.opened_ms() * 1'000'000;
  if (connection.http_version != 0)
    info.protocol = connection.http_version == 2 ? http::Protocol::kHttp2 : http::Protocol::kHttp11;
  info.connection_id = connection.id();
  info.filter_chain = chain_name_;
  info.downstream_local = &connection.local();
  info.downstream_remote = &connection.peer();
  info.downstream_direct_remote = &connection.direct_peer();
  info.tls = connection.connection().tls();
  if (info.tls != nullptr) info.requested_server_name = info.tls->sni();
  entrance_.log(info);
}

void HttpDoor::on_closed(http::ServerConnection& connection) {
  count_end(connection);
  log_end(connection);
  worker_.stats().add(hcm_->stats.cx_active, -1);
  if (connection.connection().tls() != nullptr) worker_.stats().add(hcm_->stats.cx_ssl.active, -1);
  if (connection.http_version != 0)
    worker_.stats().add(
        (connection.http_version == 2 ? hcm_->stats.cx_http2 : hcm_->stats.cx_http1).active, -1);
  connections_.retire(connection);
  entrance_.connection_closed(connection.opened_ms());
}

std::string_view HttpDoor::date() {
  return worker_.date();
}

}  // namespace weir
