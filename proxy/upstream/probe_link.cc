#include "proxy/upstream/probe_link.h"

#include <utility>

namespace weir::upstream {

void ProbeLink::ask(const ProbeTarget& target, http::ClientStreamEvents& events) {
  events_ = &events;
  http::ClientStream* stream = target == target_ ? open_stream() : nullptr;
  if (stream != nullptr) return owner_.on_link(*stream);
  drop();
  target_ = target;
  std::unique_ptr<net::TlsSession> session;
  if (!new_probe_session(*needs_.cluster, target, session)) return owner_.on_no_link();
  if (connect(std::move(session)) == 0) return;
  drop();
  owner_.on_no_link();
}

int ProbeLink::connect(std::unique_ptr<net::TlsSession> session) {
  const ClusterConfig& cluster = *needs_.cluster;
  const net::Address* from = cluster.bind_address ? &*cluster.bind_address : nullptr;
  const size_t limit = cluster.buffer_limit_bytes;
  int error = 0;
  if (cluster.health_check->http2) {
    h2_ = std::make_unique<http::H2Client>(needs_.loop, *this, cluster.http2, needs_.shard);
    error = h2_->connect(target_.address, from, limit, std::move(session));
  } else {
    h1_ = std::make_unique<http::H1Client>(needs_.loop, *this, h1_options_);
    error = h1_->connect(target_.address, from, limit, std::move(session));
  }
  if (error != 0) return error;
  net::Connection& connection = h2_ != nullptr ? h2_->connection() : h1_->connection();
  net::set_keep_alive(cluster.keep_alive, connection.fd());
  const std::string introduction = probe_introduction(cluster, target_);
  if (!introduction.empty()) connection.send_in_clear(introduction);
  return 0;
}

http::ClientStream* ProbeLink::open_stream() {
  if (!established_) return nullptr;
  if (h2_ != nullptr) return h2_->open_stream(*events_);
  if (h1_ == nullptr || h1_->busy()) return nullptr;
  h1_->attach(*events_);
  return h1_.get();
}

void ProbeLink::on_connected(http::H1Client& /*connection*/, int error) {
  connected(error);
}

void ProbeLink::on_connected(http::H2Client& /*connection*/, int error) {
  connected(error);
}

void ProbeLink::connected(int error) {
  established_ = error == 0;
  if (http::ClientStream* stream = open_stream()) {
    owner_.on_link(*stream);
    return needs_.loop.flush();
  }
  drop();
  owner_.on_no_link();
}

void ProbeLink::on_closed(http::H1Client& connection) {
  if (h1_.get() == &connection) needs_.loop.retire(std::move(h1_));
}

void ProbeLink::on_closed(http::H2Client& connection) {
  if (h2_.get() == &connection) needs_.loop.retire(std::move(h2_));
}

void ProbeLink::drop() {
  established_ = false;
  if (auto gone = std::move(h1_)) {
    gone->close();
    needs_.loop.retire(std::move(gone));
  }
  if (auto gone = std::move(h2_)) {
    gone->close();
    needs_.loop.retire(std::move(gone));
  }
}

}  // namespace weir::upstream
