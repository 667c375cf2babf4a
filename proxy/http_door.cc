#include "proxy/http_door.h"

#include "proxy/request.h"
#include "proxy/worker.h"

namespace weir {

HttpDoor::~HttpDoor() {
  close_all();
}

void HttpDoor::accept(int fd, const net::Address& peer, size_t buffer_limit) {
  auto* connection = new http::H1Server(worker_.loop(), *this, hcm_->h1);
  connection->slot = static_cast<uint32_t>(connections_.size());
  connections_.push_back(connection);
  worker_.stats().inc(hcm_->stats.cx_total);
  worker_.stats().add(hcm_->stats.cx_active, 1);
  connection->start(fd, worker_.next_connection_id(), peer, local_ ? &*local_ : nullptr,
                    buffer_limit);
}

void HttpDoor::drain(int64_t grace_ms) {
  draining_ = true;
  const std::vector<http::H1Server*> all = connections_;
  for (http::H1Server* connection : all) connection->drain(grace_ms);
  worker_.loop().flush();
}

void HttpDoor::close_all() {
  while (!connections_.empty()) connections_.back()->close();
}

http::ServerStreamEvents& HttpDoor::begin_stream(http::H1Server& connection) {
  Request& request = worker_.take_request();
  request.begin(connection, *hcm_);
  return request;
}

void HttpDoor::abandon_stream(http::ServerStreamEvents& events) {
  worker_.take_back(static_cast<Request&>(events));
}

bool HttpDoor::draining() const {
  return draining_ || worker_.draining();
}

void HttpDoor::on_closed(http::H1Server& connection) {
  worker_.stats().inc(hcm_->stats.cx_destroy);
  worker_.stats().add(hcm_->stats.cx_active, -1);
  connections_[connection.slot] = connections_.back();
  connections_[connection.slot]->slot = connection.slot;
  connections_.pop_back();
  worker_.loop().retire(std::unique_ptr<http::H1Server>(&connection));
}

std::string_view HttpDoor::date() {
  return worker_.date();
}

}  // namespace weir
