#include "proxy/upstream/h1_pool.h"

#include <utility>

#include "proxy/upstream/worker_cluster.h"

namespace weir::upstream {

class H1Pool::Member : public PoolConnection, private http::H1ClientOwner {
 public:
  Member(H1Pool& pool, net::Loop& loop, const http::H1ClientOptions& options)
      : PoolConnection(pool), client(loop, *this, options), h1_pool_(pool) {}

  net::Connection& connection() override { return client.connection(); }
  int connect(const net::Address& to, const net::Address* bind_to, size_t buffer_limit,
              std::unique_ptr<net::TlsSession> tls) override {
    return client.connect(to, bind_to, buffer_limit, std::move(tls));
  }
  void close() override { client.close(); }

  http::H1Client client;
  Member* next_idle = nullptr;
  Member* previous_idle = nullptr;
  bool idle = false;

 private:
  void on_connected(http::H1Client& /*client*/, int error) override {
    h1_pool_.connected(*this, error);
  }
  void on_reusable(http::H1Client& /*client*/) override { h1_pool_.give_back(*this); }
  void on_closed(http::H1Client& /*client*/) override {
    if (idle) h1_pool_.unlink_idle(*this);
    h1_pool_.closed(*this);
  }
  void on_idle() override {
    if (!idle) return;  // give_back() looks at its age
    h1_pool_.count_idle_end(*this);
    client.close();
  }

  H1Pool& h1_pool_;
};

H1Pool::~H1Pool() = default;

std::unique_ptr<PoolConnection> H1Pool::make_connection() {
  return std::make_unique<Member>(*this, loop_, host_.cluster().h1_options());
}

std::unique_ptr<net::TlsSession> H1Pool::new_session() const {
  return pools_.new_session(false);
}

void H1Pool::count_new() {
  host_.cluster().shard().inc(host_.cluster().stats().cx_http1_total);
}

bool H1Pool::can_lend() const {
  return first_idle_ != nullptr;
}

bool H1Pool::lend_now(ConnectionWaiter& waiter, Lent& lent) {
  while (first_idle_ != nullptr && too_old(*first_idle_)) {
    count_idle_end(*first_idle_);
    first_idle_->client.close();
  }
  if (first_idle_ == nullptr) return false;
  Member& member = *first_idle_;
  unlink_idle(member);
  fill(member, member.client, http::Protocol::kHttp11, lent);
  member.client.attach(waiter.stream_events());
  return true;
}

void H1Pool::on_established(PoolConnection& connection) {
  if (pools_.agreed_on_http2(connection)) return pools_.move_to_http2(connection);
  push_idle(static_cast<Member&>(connection));
  serve_waiters();
}

// One whose host answered before it read the request: what still waits to be written would hold up
// the next request, and nobody would tell that one when to stop.
void H1Pool::give_back(Member& member) {
  if (member.connection().bytes_waiting() > 0 || worn_out(member)) return member.client.close();
  push_idle(member);
  if (first_waiter_ != nullptr || draining_) serve_waiters();
}

void H1Pool::push_idle(Member& member) {
  member.idle = true;
  member.previous_idle = nullptr;
  member.next_idle = first_idle_;
  if (first_idle_ != nullptr) first_idle_->previous_idle = &member;
  first_idle_ = &member;
  arm_idle(member);
}

void H1Pool::unlink_idle(Member& member) {
  member.idle = false;
  (member.previous_idle == nullptr ? first_idle_ : member.previous_idle->next_idle) =
      member.next_idle;
  if (member.next_idle != nullptr) member.next_idle->previous_idle = member.previous_idle;
  member.next_idle = member.previous_idle = nullptr;
}

void H1Pool::close_idle() {
  while (first_idle_ != nullptr) first_idle_->client.close();
}

}  // namespace weir::upstream
