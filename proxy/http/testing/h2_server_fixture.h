#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/http/h2_server.h"
#include "proxy/http/testing/h2_peer.h"
#include "proxy/net/testing/loop_thread.h"

// An HTTP/2 server's connection between a hand-made peer and streams that keep what they hear.
namespace weir::http::h2::testing {

// One request: a trace of what the codec told, and a place for its head.
class HeardRequest : public ServerStreamEvents {
 public:
  explicit HeardRequest(ServerStream& s) : stream(s) {}

  RequestHead& request_head() override { return head; }
  void on_request_head(bool end) override {
    note("head " + std::string(head.method_text) + " " + std::string(head.path));
    if (end) note("end");
    complete = end;
    if (when_head) when_head(*this);
    if (end && when_end) when_end(*this);
  }
  void on_bad_request(uint16_t status, std::string_view details) override {
    note("bad " + std::to_string(status) + " " + std::string(details));
  }
  void on_request_body(std::string_view bytes, bool end) override {
    body += bytes;
    ++pieces;
    if (!end) return;
    note("body " + body);
    note("end");
    complete = true;
    if (when_end) when_end(*this);
  }
  void on_request_trailers(HeaderMap& map) override {
    trailers = &map;
    note("body " + body + "; trailers");
    complete = true;
    if (when_end) when_end(*this);
  }
  void on_downstream_reset(ResetReason why, std::string_view details) override {
    reason = why;
    note("reset " + std::string(details));
    gone = true;
    if (when_gone) when_gone();
  }
  void on_downstream_full(bool is_full) override {
    full = is_full;
    note(is_full ? "full" : "not full");
  }

  void answer(std::string_view text, uint16_t status = 200) {
    ResponseHead response(arena);
    response.status = status;
    response.content_length = static_cast<int64_t>(text.size());
    response.headers.add(Known::kContentLength, "");
    stream.send_head(response, false);
    stream.send_body(text, true);
  }
  void answer_head(uint16_t status, bool end) {
    ResponseHead response(arena);
    response.status = status;
    stream.send_head(response, end);
  }

  ServerStream& stream;
  std::string trace;
  std::string body;
  size_t pieces = 0;
  HeaderMap* trailers = nullptr;
  ResetReason reason = ResetReason::kLocal;
  bool complete = false;
  bool full = false;
  bool gone = false;
  std::function<void(HeardRequest&)> when_head;
  std::function<void(HeardRequest&)> when_end;
  std::function<void()> when_gone;
  Arena arena;
  RequestHead head{arena};

 private:
  void note(const std::string& what) { trace += (trace.empty() ? "" : "; ") + what; }
};

class ServerOwner : public ServerConnectionOwner {
 public:
  explicit ServerOwner(net::Loop& l) : loop(l) {}

  ServerStreamEvents& begin_stream(ServerConnection&, ServerStream& stream) override {
    requests.push_back(std::make_unique<HeardRequest>(stream));
    if (prepare) prepare(*requests.back());
    return *requests.back();
  }
  void abandon_stream(ServerStreamEvents&) override {
    ++abandoned;
    most_arena = std::max(most_arena, requests.back()->arena.overflow_bytes());
    requests.pop_back();
  }
  Draining draining() const override { return drains ? Draining::kDrain : Draining::kNo; }
  void on_closed(ServerConnection& connection) override {
    closed = true;
    ++closed_calls;
    cause = connection.end_cause();
    ended_by_peer = connection.ended_by_peer();
    loop.retire(std::move(server));
  }
  std::string_view date() override { return "Thu, 01 Jan 1970 00:00:00 GMT"; }

  net::Loop& loop;
  std::unique_ptr<H2Server> server;
  std::vector<std::unique_ptr<HeardRequest>> requests;
  std::function<void(HeardRequest&)> prepare;
  size_t abandoned = 0;
  size_t most_arena = 0;
  bool drains = false;
  bool closed = false;
  int closed_calls = 0;
  EndCause cause = EndCause::kNone;
  bool ended_by_peer = false;
};

class H2ServerFixture : public ::testing::Test {
 protected:
  H2ServerFixture() { options_.stats = H2Stats::create(registry_, "http2."); }
  void TearDown() override { close_server(); }

  void close_server() {
    if (owner_ == nullptr) return;
    t_.run([&] {
      if (owner_->server != nullptr) owner_->server->close();
    });
    t_.run([&] { owner_.reset(); });
  }

  // Opens a connection; `prepare` is told of each new request. The peer has sent nothing yet.
  Peer open_raw(std::function<void(HeardRequest&)> prepare = {}, std::string_view received = {}) {
    close_server();
    int fd = -1;
    Peer peer(net::RawSocket::pair(SOCK_STREAM, fd));
    t_.run([&] {
      owner_ = std::make_unique<ServerOwner>(t_.loop());
      owner_->prepare = std::move(prepare);
      owner_->server = std::make_unique<H2Server>(t_.loop(), *owner_, options_, shard_);
      Arrival arrival;
      arrival.socket.fd = fd;
      arrival.id = 1;
      arrival.peer = address_;
      arrival.local = &address_;
      arrival.buffer_limit = buffer_limit_;
      arrival.received = received;
      owner_->server->start(std::move(arrival));
    });
    return peer;
  }
  // As open_raw, past the preface and the first SETTINGS.
  Peer open(std::function<void(HeardRequest&)> prepare = {}, std::string_view entries = {}) {
    Peer peer = open_raw(std::move(prepare));
    peer.send(kPreface + settings(entries));
    peer.wait_for(kSettings);
    return peer;
  }

  // On the loop's thread, with the request of that number.
  template <class Task>
  void with(size_t number, Task task) {
    t_.run([&] { task(*owner_->requests.at(number)); });
  }
  // The trace of the request with that number, when it is as long as `wanted`.
  std::string trace(size_t request, const std::string& wanted) {
    std::string now;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < limit) {
      now = t_.run([&] {
        const auto& requests = owner_->requests;
        return request < requests.size() ? requests[request]->trace : std::string();
      });
      if (now == wanted) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return now;
  }
  // Why the server ended the connection, which its peer closes too.
  EndCause ended(Peer& peer) {
    EXPECT_TRUE(peer.closes());
    peer.socket().close();
    EXPECT_TRUE(closed());
    return t_.run([&] { return owner_->cause; });
  }
  // Whether the connection is closed before long.
  bool closed() {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < limit) {
      if (t_.run([&] { return owner_->closed; })) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  size_t request_count() {
    return t_.run([&] { return owner_->requests.size(); });
  }
  uint64_t counter(const std::string& name) { return registry_.value("http2." + name); }

  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  net::LoopThread t_;
  H2Options options_;
  size_t buffer_limit_ = 1 << 20;
  net::Address address_ = net::Address::ip("127.0.0.1", 80).take();
  std::unique_ptr<ServerOwner> owner_;
};

inline void echo(HeardRequest& request) {
  request.when_end = [](HeardRequest& r) { r.answer(r.body.empty() ? r.head.path : r.body); };
}

// A body of a quarter MiB.
inline const std::string& big() {
  static const std::string kBig(256 * 1024, 'b');
  return kBig;
}

#define EXPECT_TRACE(request, wanted) EXPECT_EQ(trace(request, wanted), wanted)

}  // namespace weir::http::h2::testing
