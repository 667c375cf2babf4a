#include "proxy/tcp_proxy.h"

#include <algorithm>
#include <cerrno>

#include "proxy/entrance.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/worker.h"

namespace weir {
namespace {

constexpr int kMaxReadsPerEvent = 32;
// More that fail at once wait for later turns, so that nobody else waits for them.
constexpr int kMaxAttemptsPerTurn = 8;
// Without an idle timeout: how long the last bytes wait for a peer that takes none of them.
constexpr int64_t kLastBytesMs = 60'000;
// When it is looked whether they are with the peer: each time after twice as long, up to a limit.
constexpr int64_t kFirstLookMs = 8;
constexpr int64_t kMaxLookMs = 500;

}  // namespace

TcpRelay::TcpRelay(Worker& worker, Entrance& entrance, std::shared_ptr<const TcpProxyConfig> config,
                   std::string chain_name)
    : worker_(worker),
      entrance_(entrance),
      config_(std::move(config)),
      client_(*this, worker.loop()),
      timer_(*this),
      chain_name_(std::move(chain_name)),
      bytes_{worker.stats().cell(config_->rx_bytes), worker.stats().cell(config_->tx_bytes)} {}

TcpRelay::~TcpRelay() = default;

void TcpRelay::start(http::Arrival arrival, std::string server_name) {
  net::Loop& loop = worker_.loop();
  started_ms_ = last_activity_ms_ = loop.now_ms();
  buffer_limit_ = arrival.buffer_limit;
  server_name_ = std::move(server_name);
  note_arrival(arrival);
  worker_.stats().inc(config_->cx_total);
  client_.connection.set_limit(buffer_limit_);
  client_.connection.count_bytes(bytes_);
  client_.connection.adopt(std::move(arrival.socket));
  info_.tls = client_.connection.tls();
  info_.requested_server_name =
      server_name_.empty() && info_.tls != nullptr ? info_.tls->sni() : server_name_;
  client_.connection.pause_reading(true);
  connect();
}

void TcpRelay::note_arrival(const http::Arrival& arrival) {
  net::Loop& loop = worker_.loop();
  const int64_t now_ns = loop.now_ns();
  // With TLS, the handshake is over in this turn.
  info_.start_ns = arrival.accepted_ns != 0 ? arrival.accepted_ns : now_ns;
  info_.start_wall_us = loop.wall_us() - (now_ns - info_.start_ns) / 1000;
  if (arrival.socket.tls != nullptr) info_.handshake_end_ns = now_ns;
  info_.connection_id = arrival.id;
  info_.filter_chain = chain_name_;
  peer_ = arrival.peer;
  direct_peer_ = arrival.relay != nullptr ? arrival.relay->direct_peer : peer_;
  if (arrival.relay != nullptr) relayed_tlvs_ = arrival.relay->tlvs;
  if (arrival.own_local != nullptr) {
    local_ = *arrival.own_local;
  } else {
    local_ = arrival.local != nullptr ? *arrival.local : entrance_.local_of(arrival.socket.fd);
  }
  info_.downstream_remote = &peer_;
  info_.downstream_direct_remote = &direct_peer_;
  info_.downstream_local = &local_;
}

std::string_view TcpRelay::choose_cluster() {
  if (config_->total_weight == 0) return config_->cluster;
  uint64_t at = worker_.loop().random() % config_->total_weight;
  for (const TcpProxyConfig::Weighted& entry : config_->weighted) {
    if (at < entry.weight) return entry.cluster;
    at -= entry.weight;
  }
  return {};
}

// Null: there is none.
upstream::Host* TcpRelay::choose_host() {
  using Discovery = upstream::ClusterConfig::Discovery;
  if (cluster_->config().discovery != Discovery::kOriginalDst)
    return cluster_->pick(std::nullopt, {});
  const net::Address to = net::destination_beyond(client_.connection.fd(), local_);
  return to.is_ip() ? cluster_->host_for(to) : nullptr;
}

void TcpRelay::take_host(upstream::Host& host) {
  host_ = &host;
  cluster_->begin(host);
  info_.attempts = ++attempts_;
  upstream_address_ = host.endpoint().address;
  info_.upstream_remote = &upstream_address_;
  info_.upstream_hostname = &host.hostname();
  if (info_.pool_asked_ns == 0) info_.pool_asked_ns = worker_.loop().now_ns();
}

void TcpRelay::connect() {
  for (int i = 0; i < kMaxAttemptsPerTurn; ++i) {
    if (!find_host()) return;
    const int error = begin_attempt();
    if (error == 0 || !attempt_failed(error)) return;
  }
  arm();
}

// False: there is none, and it was given up.
bool TcpRelay::find_host() {
  if (cluster_ == nullptr) cluster_ = worker_.cluster(choose_cluster());
  if (cluster_ == nullptr) {
    worker_.stats().inc(config_->cx_no_route);
    give_up("cluster_not_found", http::kNoClusterFound);
    return false;
  }
  info_.cluster = cluster_->config().name;
  info_.cluster_alias = cluster_->config().alias;
  if (!holds_slot_ && !cluster_->connections(false).try_acquire()) {
    worker_.stats().inc(cluster_->stats().cx_overflow);
    give_up("overflow", http::kUpstreamOverflow);
    return false;
  }
  holds_slot_ = true;
  upstream::Host* chosen = choose_host();
  if (chosen == nullptr) {
    worker_.stats().inc(cluster_->stats().cx_none_healthy);
    give_up("no_healthy_upstream", http::kNoHealthyUpstream);
    return false;
  }
  take_host(*chosen);
  return true;
}

// An errno when it failed at once.
int TcpRelay::begin_attempt() {
  worker_.stats().inc(cluster_->stats().cx_total);
  worker_.stats().add(cluster_->stats().cx_active, 1);
  upstream_ = std::make_unique<End>(*this, worker_.loop());
  upstream_->other = &client_;
  client_.other = upstream_.get();
  upstream_->connection.set_limit(buffer_limit_);
  upstream_->connection.count_bytes(cluster_->byte_counts());
  connect_began_ms_ = worker_.loop().now_ms();
  const auto& config = cluster_->config();
  const net::Address* from = config.bind_address ? &*config.bind_address : nullptr;
  const int error = upstream_->connection.connect(upstream_address_, from, host_->new_session());
  if (error != 0) return error;
  net::set_keep_alive(config.keep_alive, upstream_->connection.fd());
  connecting_ = true;
  if (const tls::ClientTls* tls = host_->tls())
    tls->log_keys(upstream_->connection, upstream_address_);
  upstream::Wish wish;
  wish.source = &peer_;
  wish.destination = &local_;
  wish.tlvs = relayed_tlvs_;
  host_->introduce(upstream_->connection, wish);
  connect_deadline_ms_ = connect_began_ms_ + config.connect_timeout_ms;
  arm();
  return 0;
}

void TcpRelay::connected(int error) {
  connecting_ = false;
  net::TlsSession* tls = upstream_->connection.tls();
  if (tls != nullptr && (error == 0 || error == EPROTO)) {
    host_->tls()->stats().on_handshake(worker_.stats(), *tls, error);
    upstream_failure_ = tls->error_details();
    info_.upstream_failure = upstream_failure_;
  }
  if (error != 0) {
    if (attempt_failed(error)) connect();
    return;
  }
  note_connected(0);
  cluster_->attach(*host_);
  attached_ = true;
  worker_.stats().record(cluster_->stats().cx_connect_ms,
                         static_cast<uint64_t>(worker_.loop().now_ms() - connect_began_ms_));
  info_.upstream_tls = tls;
  info_.pool_ready_ns = worker_.loop().now_ns();
  touch();
  arm();
  client_.connection.pause_reading(false);
}

// Whether another may follow; if not, it was given up.
bool TcpRelay::attempt_failed(int error) {
  note_connected(error);
  worker_.stats().inc(cluster_->stats().cx_connect_fail);
  if (error == ETIMEDOUT) worker_.stats().inc(cluster_->stats().cx_connect_timeout);
  count_upstream_end();
  release_host();
  // Else what else is told of this socket would be taken for the upstream's end.
  upstream_->connection.close();
  worker_.loop().retire(std::move(upstream_));
  client_.other = nullptr;
  if (attempts_ < config_->max_connect_attempts) return true;
  give_up("upstream_connection_failure", http::kUpstreamConnectionFailure);
  return false;
}

// For those who judge the host by how it is reached.
void TcpRelay::note_connected(int error) {
  upstream::HostFeedback* feedback = host_->feedback();
  if (feedback == nullptr) return;
  if (error == 0) return feedback->on_relay();
  error == ETIMEDOUT ? feedback->on_timeout() : feedback->on_broken();
}

void TcpRelay::count_upstream_end() {
  stats::Shard& stats = worker_.stats();
  stats.inc(cluster_->stats().cx_destroy);
  stats.add(cluster_->stats().cx_active, -1);
  stats.record(cluster_->stats().cx_length_ms,
               static_cast<uint64_t>(worker_.loop().now_ms() - connect_began_ms_));
}

void TcpRelay::release_host() {
  if (host_ == nullptr) return;
  if (std::exchange(attached_, false)) cluster_->detach(*host_);
  cluster_->end(*host_);
  host_ = nullptr;
}

void TcpRelay::give_up(std::string_view details, uint32_t flags) {
  info_.flags |= flags;
  info_.details = details;
  close();
}

// The timer stays where it is: it looks for itself what happened since.
void TcpRelay::touch() {
  last_activity_ms_ = worker_.loop().now_ms();
}

// All that is left to do is to send what waits.
bool TcpRelay::ending() const {
  if (upstream_ == nullptr) return false;
  return client_.broken() || upstream_->broken() || (client_.ended && upstream_->ended);
}

// How long nothing may happen; 0: for ever.
int64_t TcpRelay::patience_ms() const {
  if (config_->idle_timeout_ms > 0) return config_->idle_timeout_ms;
  return ending() ? kLastBytesMs : 0;
}

// Sets the timer to the first of what may have to be done.
void TcpRelay::arm() {
  const int64_t idle = patience_ms();
  const int64_t most = config_->max_connection_duration_ms;
  int64_t at = look_at_ms_;
  if (upstream_ == nullptr)
    at = worker_.loop().now_ms();
  else if (connecting_)
    at = connect_deadline_ms_;
  else if (idle > 0)
    at = std::min(at, last_activity_ms_ + idle);
  if (most > 0) at = std::min(at, started_ms_ + most);
  if (at != INT64_MAX)
    timer_.set(worker_.loop().timers(), at);
  else
    timer_.cancel();
}

void TcpRelay::on_timer(net::Timer& /*timer*/) {
  if (closed_) return;
  const int64_t now = worker_.loop().now_ms();
  const int64_t idle = patience_ms();
  const int64_t most = config_->max_connection_duration_ms;
  if (most > 0 && now >= started_ms_ + most) {
    worker_.stats().inc(config_->max_duration);
    return give_up("max_duration", http::kDurationTimeout);
  }
  if (upstream_ == nullptr) return connect();
  if (connecting_) {
    if (now < connect_deadline_ms_) return arm();
    upstream_->connection.close();
    return connected(ETIMEDOUT);
  }
  if (idle > 0 && now >= last_activity_ms_ + idle) {
    if (config_->idle_timeout_ms == 0) return close();
    worker_.stats().inc(config_->idle_timeout);
    return give_up("idle_timeout", http::kStreamIdleTimeout);
  }
  if (look_at_ms_ != INT64_MAX) return end_rest();
  arm();
}

void TcpRelay::side_ended(End& end) {
  if (end.ended) return;  // told again, because its other direction ended too
  end.ended = true;
  if (end.other == nullptr) return close();
  end.other->connection.shutdown_when_sent();
  touch();
  arm();
}

void TcpRelay::side_finished(End& end) {
  end.finished = true;
  // With a side that broke it is not enough that the kernel has all.
  if (upstream_ == nullptr || client_.broken() || upstream_->broken()) return;
  if (client_.finished && upstream_->finished) close();
}

// It cannot be written to. What came from it before is still good: it is read to its end.
void TcpRelay::side_failed(End& end) {
  if (closed_ || end.gone) return;
  end.failed = true;
  if (end.other == nullptr || end.other->broken()) return give_up("connection_reset", 0);
  end.other->connection.pause_reading(true);
  end.connection.request_resume();
  touch();
  arm();
}

// Nobody is left to hear the other side. It gets what was said before, then it ends too.
void TcpRelay::side_gone(End& end) {
  info_.details = "connection_reset";
  end.gone = true;
  worker_.loop().flush();
  if (closed_) return;
  end.connection.close();
  if (end.other == nullptr || end.other->broken()) return close();
  end.other->connection.pause_reading(true);
  touch();
  end_rest();
}

// A reset throws away what is under way: it has to wait until the peer has everything.
void TcpRelay::end_rest() {
  const net::Connection& rest = (client_.gone ? *upstream_ : client_).connection;
  const size_t left = rest.bytes_waiting() + rest.bytes_unacknowledged();
  if (left == 0) return close();
  if (left != left_behind_) touch();
  left_behind_ = left;
  look_after_ms_ = std::clamp(look_after_ms_ * 2, kFirstLookMs, kMaxLookMs);
  look_at_ms_ = worker_.loop().now_ms() + look_after_ms_;
  arm();
}

void TcpRelay::close() {
  if (closed_) return;
  closed_ = true;
  timer_.cancel();
  worker_.loop().flush();
  const bool broken = client_.broken() || (upstream_ != nullptr && upstream_->broken());
  client_.leave(broken);
  if (upstream_ != nullptr) {
    upstream_->leave(broken);
    count_upstream_end();
  }
  release_host();
  if (holds_slot_) cluster_->connections(false).release();
  holds_slot_ = false;
  log();
  entrance_.connection_closed(info_.start_ns / 1'000'000);
  worker_.remove_relay(*this);
}

// What `to` took of what `from` said.
uint64_t TcpRelay::passed_on(const End& from, const End& to) {
  return from.bytes_read - std::min<uint64_t>(from.bytes_read, to.connection.bytes_lost());
}

void TcpRelay::log() {
  if (config_->access_logs == nullptr && !entrance_.logs()) return;
  info_.end_ns = worker_.loop().now_ns();
  info_.bytes_received = client_.bytes_read;
  if (upstream_ != nullptr) {
    info_.bytes_sent = passed_on(*upstream_, client_);
    info_.upstream_body_bytes_sent = passed_on(client_, *upstream_);
    info_.upstream_body_bytes_received = upstream_->bytes_read;
  }
  if (config_->access_logs != nullptr) {
    http::FormatInput input;
    input.info = &info_;
    input.log_type = "TcpConnectionEnd";
    worker_.log(*config_->access_logs, input);
  }
  entrance_.log(info_);
}

// ---- one side ----

void TcpRelay::End::on_connected(int error) {
  relay_.connected(error);
}

void TcpRelay::End::on_readable() {
  net::Loop& loop = connection.loop();
  for (int i = 0; i < kMaxReadsPerEvent; ++i) {
    char* const scratch = loop.read_scratch();
    const net::Connection::Read read = connection.read(scratch, net::Loop::kReadBytes);
    if (read.bytes <= 0) return read_nothing(read.bytes);
    bytes_read += static_cast<uint64_t>(read.bytes);
    relay_.touch();
    if (other == nullptr) return;
    other->connection.expect_more(read.more);
    other->connection.write({scratch, static_cast<size_t>(read.bytes)});
    loop.flush(read.more);
    // Also after a short read: a reset that came together with data is told by no event of its own.
    if (relay_.closed_ || connection.reading_paused()) return;
  }
  connection.pause_reading(connection.reading_paused());
  if (failed) connection.request_resume();
}

// `why`: see net::Connection::Read. What is read after a failure ends somehow, often as if cleanly.
void TcpRelay::End::read_nothing(ssize_t why) {
  if (why == -2 || failed) return relay_.side_gone(*this);
  if (why == 0) relay_.side_ended(*this);
}

void TcpRelay::End::on_full(bool full) {
  if (other == nullptr) return;
  other->connection.pause_reading(full);
  if (!full && other->failed) other->connection.request_resume();
}

void TcpRelay::End::on_finished() {
  relay_.side_finished(*this);
}

void TcpRelay::End::on_write_error(int /*error*/) {
  relay_.side_failed(*this);
}

// A stream that was cut off does not end as if that were all of it: in the clear with a reset,
// within TLS without close_notify.
void TcpRelay::End::leave(bool cut_off) {
  const bool in_the_clear = connection.tls() == nullptr;
  if (in_the_clear && (cut_off || connection.bytes_waiting() > 0))
    connection.abort();
  else
    connection.close();
}

}  // namespace weir
