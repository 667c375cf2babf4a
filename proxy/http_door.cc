#include "proxy/http_door.h"

#include "proxy/entrance.h"
#include "proxy/http/h2_server.h"
#include "proxy/request.h"
#include "proxy/worker.h"

namespace weir {

HttpDoor::~HttpDoor() {
  close_all();
}

void HttpDoor::accept(http::Arrival arrival) {
  worker_.stats().inc(hcm_->stats.cx_total);
  worker_.stats().add(hcm_->stats.cx_active, 1);
  if (arrival.socket.tls != nullptr) count(hcm_->stats.cx_ssl);
  if (speaks_http2(arrival)) return start_http2(std::move(arrival));
  connections_.add(std::make_unique<http::H1Server>(worker_.loop(), *this, hcm_->h1))
      .start(std::move(arrival));
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
  return request;
}

void HttpDoor::abandon_stream(http::ServerStreamEvents& events) {
  worker_.take_back(static_cast<Request&>(events));
}

bool HttpDoor::draining() const {
  if (draining_ || worker_.draining() || entrance_.ends_connection()) return true;
  const Overload* overload = hcm_->overload;
  if (overload == nullptr || !overload->ended_connections.hits(worker_.loop().random()))
    return false;
  worker_.stats().inc(hcm_->stats.cx_overload);
  return true;
}

void HttpDoor::on_closed(http::ServerConnection& connection) {
  worker_.stats().inc(hcm_->stats.cx_destroy);
  worker_.stats().add(hcm_->stats.cx_active, -1);
  if (connection.connection().tls() != nullptr) worker_.stats().add(hcm_->stats.cx_ssl.active, -1);
  if (connection.http_version != 0)
    worker_.stats().add(
        (connection.http_version == 2 ? hcm_->stats.cx_http2 : hcm_->stats.cx_http1).active, -1);
  connections_.retire(connection);
  entrance_.connection_closed();
}

std::string_view HttpDoor::date() {
  return worker_.date();
}

}  // namespace weir
