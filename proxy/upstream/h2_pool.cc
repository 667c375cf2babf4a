#include "proxy/upstream/h2_pool.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

class H2Pool::Member : public PoolConnection, private http::H2ClientOwner {
 public:
  Member(H2Pool& pool, net::Loop& loop, const http::H2Options& options, stats::Shard& shard)
      : PoolConnection(pool), client(loop, *this, options, shard), h2_pool_(pool) {}

  net::Connection& connection() override { return client.connection(); }
  int connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
              std::unique_ptr<net::TlsSession> tls) override {
    return client.connect(to, bind_to, buffer_limit, std::move(tls));
  }
  void close() override { client.close(); }
  bool ready() const { return established_ && client.may_open(); }
  bool is_established() const { return established_; }
  bool quiet() const { return client.active_streams() == 0; }

  http::H2Client client;

 private:
  void on_connected(http::H2Client& /*client*/, int error) override {
    h2_pool_.connected(*this, error);
  }
  void on_stream_capacity(http::H2Client& /*client*/) override { h2_pool_.has_room(*this); }
  void on_closed(http::H2Client& /*client*/) override { h2_pool_.closed(*this); }
  void on_idle() override {
    if (client.draining()) return;
    const bool old = h2_pool_.too_old(*this);
    if (!old && !quiet()) return h2_pool_.arm_age(*this);
    h2_pool_.count_idle_end(*this);
    old ? client.drain() : client.close();
  }

  H2Pool& h2_pool_;
};

H2Pool::~H2Pool() = default;

std::unique_ptr<PoolConnection> H2Pool::make_connection() {
  WorkerCluster& cluster = host_.cluster();
  return std::make_unique<Member>(*this, loop_, cluster.shared().h2, cluster.shard());
}

std::unique_ptr<net::TlsSession> H2Pool::new_session() const {
  return pools_.new_session(true);
}

void H2Pool::count_new() {
  host_.cluster().shard().inc(host_.cluster().stats().cx_http2_total);
}

bool H2Pool::can_lend() const {
  return std::any_of(connections_.begin(), connections_.end(), [this](const auto& connection) {
    const auto& member = static_cast<const Member&>(*connection);
    return member.ready() && !too_old(member);
  });
}

bool H2Pool::lend_now(ConnectionWaiter& waiter, Lent& lent) {
  for (const auto& connection : connections_) {
    auto& member = static_cast<Member&>(*connection);
    // Its timer is about to drain one that is too old.
    if (!member.ready() || too_old(member)) continue;
    http::ClientStream* stream = member.client.open_stream(waiter.stream_events());
    if (stream == nullptr) continue;
    fill(member, *stream, http::Protocol::kHttp2, lent);
    // Its last one: what is under way ends as ever.
    if (worn_out(member)) member.client.drain();
    return true;
  }
  return false;
}

void H2Pool::take_over(PoolConnection& connection, H1Pool& from) {
  auto& member = static_cast<Member&>(put_in(make_connection()));
  std::unique_ptr<PoolConnection> old = take_from(from, connection);
  inherit(member, *old);
  member.client.adopt(old->connection().release(), host_.cluster().config().buffer_limit_bytes);
  loop_.retire(std::move(old));
  arm_idle(member);
  take_waiters(from);
}

void H2Pool::on_established(PoolConnection& connection) {
  if (pools_.lost_http2(connection)) {
    // Those who wait go first: for none of them another connection is to be opened here.
    pools_.back_to_http1();
    return connection.close();
  }
  has_room(static_cast<Member&>(connection));
}

void H2Pool::has_room(Member& member) {
  if (member.quiet() && member.ready()) arm_idle(member);
  serve_waiters();
  if (first_waiter_ != nullptr && wants_connection(waiters_)) open_for_waiters();
}

void H2Pool::close_idle() {
  // From the end, because one that closes is replaced by the last one.
  for (size_t i = connections_.size(); i > 0; --i) {
    if (i > connections_.size()) continue;
    auto& member = static_cast<Member&>(*connections_[i - 1]);
    // One that is still being made is for those who wait.
    if (member.is_established()) member.client.drain();
  }
}

}  // namespace weir::upstream
