#include "proxy/http/server_connection.h"

#include <utility>

namespace weir::http {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

ServerConnection::Ends& ServerConnection::ends() {
  if (ends_ == nullptr) ends_ = std::make_unique<Ends>();
  return *ends_;
}

const net::Address& ServerConnection::local() {
  if (local_ == nullptr) {
    ends().local = connection_.local_address();
    local_ = &ends_->local;
  }
  return *local_;
}

void ServerConnection::adopt(Arrival& arrival) {
  id_ = arrival.id;
  opened_ms_ =
      arrival.accepted_ns != 0 ? arrival.accepted_ns / kNsPerMs : connection_.loop().now_ms();
  local_ = arrival.local;
  if (arrival.own_local != nullptr) {
    ends().local = *arrival.own_local;
    local_ = &ends_->local;
  }
  peer_ = arrival.peer;
  if (arrival.relay != nullptr) ends().relay = std::move(arrival.relay);
  connection_.set_limit(arrival.buffer_limit);
  connection_.adopt(std::move(arrival.socket));
}

Arrival ServerConnection::give_up_socket() {
  Arrival arrival;
  arrival.id = id_;
  arrival.accepted_ns = opened_ms_ * kNsPerMs;
  arrival.peer = peer_;
  if (owns_local()) {
    arrival.own_local = std::make_unique<const net::Address>(*local_);
    local_ = nullptr;
  }
  arrival.local = local_;
  if (ends_ != nullptr) arrival.relay = std::move(ends_->relay);
  arrival.buffer_limit = connection_.limit();
  arrival.socket = connection_.release();
  return arrival;
}

// ---- the connections of one owner ----

ServerConnection& ServerConnections::add(std::unique_ptr<ServerConnection> connection) {
  connection->slot = static_cast<uint32_t>(connections_.size());
  return *connections_.emplace_back(std::move(connection));
}

void ServerConnections::retire(ServerConnection& connection) {
  const uint32_t slot = connection.slot;
  std::unique_ptr<ServerConnection> gone = std::move(connections_[slot]);
  if (slot + 1 < connections_.size()) {
    connections_[slot] = std::move(connections_.back());
    connections_[slot]->slot = slot;
  }
  connections_.pop_back();
  gone->connection().loop().retire(std::move(gone));
}

void ServerConnections::drain(int64_t grace_ms) {
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = connections_.size(); i > 0; --i)
    if (i <= connections_.size()) connections_[i - 1]->drain(grace_ms);
}

void ServerConnections::drain_some(int64_t grace_ms, double share) {
  for (size_t i = connections_.size(); i > 0; --i) {
    if (i > connections_.size()) continue;
    ServerConnection& one = *connections_[i - 1];
    const uint64_t random = one.connection().loop().random() >> 11;
    if (static_cast<double>(random) * 0x1p-53 < share) one.drain(grace_ms);
  }
}

void ServerConnections::close_all() {
  while (!connections_.empty()) connections_.back()->close();
}

}  // namespace weir::http
