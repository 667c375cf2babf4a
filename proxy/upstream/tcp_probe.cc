#include "proxy/upstream/tcp_probe.h"

#include <utility>

namespace weir::upstream {
namespace {

// An answer that goes on for longer without what is expected will not have it.
constexpr size_t kMaxAnswerBytes = 64 * 1024;

}  // namespace

void TcpProbe::start(const ProbeTarget& target) {
  asking_ = true;
  received_.clear();
  if (connection_ != nullptr && target == target_) return ask();
  close();
  asking_ = true;
  target_ = target;
  if (!connect()) finish(CheckResult::kNetwork);
}

bool TcpProbe::connect() {
  const ClusterConfig& cluster = *needs_.cluster;
  std::unique_ptr<net::TlsSession> session;
  if (!new_probe_session(cluster, target_, session)) return false;
  connection_ = std::make_unique<net::Connection>(needs_.loop, *this);
  const net::Address* from = cluster.bind_address ? &*cluster.bind_address : nullptr;
  if (connection_->connect(target_.address, from, std::move(session)) != 0) return false;
  net::set_keep_alive(cluster.keep_alive, connection_->fd());
  const std::string introduction = probe_introduction(cluster, target_);
  if (!introduction.empty()) connection_->send_in_clear(introduction);
  return true;
}

void TcpProbe::on_connected(int error) {
  if (error != 0) return finish(CheckResult::kNetwork);
  ask();
}

void TcpProbe::ask() {
  if (!check().send.empty()) connection_->write(check().send);
  needs_.loop.flush();
  if (check().receive.empty() && asking_) finish(CheckResult::kHealthy);
}

void TcpProbe::on_readable() {
  while (connection_ != nullptr) {
    char* const scratch = needs_.loop.read_scratch();
    const net::Connection::Read read = connection_->read(scratch, net::Loop::kReadBytes);
    if (read.bytes == 0 || read.bytes == -2) return finish(CheckResult::kNetwork);
    if (read.bytes < 0) return;
    take({scratch, static_cast<size_t>(read.bytes)});
  }
}

void TcpProbe::take(std::string_view bytes) {
  if (!asking_) return;
  received_.append(bytes);
  if (payload_found(check().receive, received_)) return finish(CheckResult::kHealthy);
  if (received_.size() > kMaxAnswerBytes) finish(CheckResult::kNetwork);
}

void TcpProbe::on_write_error(int /*error*/) {
  finish(CheckResult::kNetwork);
}

// A connection that ends between checks says nothing: the next check makes another.
void TcpProbe::finish(CheckResult result) {
  const bool keep =
      result == CheckResult::kHealthy && check().reuse_connection && !check().receive.empty();
  const bool told = std::exchange(asking_, false);
  if (!keep) close();
  if (told) events_.on_probed(result, false);
}

void TcpProbe::close() {
  asking_ = false;
  if (connection_ == nullptr) return;
  connection_->close();
  needs_.loop.retire(std::move(connection_));
}

}  // namespace weir::upstream
