#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/http/h2_client.h"
#include "proxy/http/testing/h2_peer.h"
#include "proxy/net/testing/loop_thread.h"

// An HTTP/2 client's connection between exchanges that keep what they hear and a hand-made server.
namespace weir::http::h2::testing {

// One exchange: a trace of what the codec told.
class Exchange : public ClientStreamEvents {
 public:
  ResponseHead& fresh_response_head() override {
    response.clear();
    return response;
  }
  Arena& trailer_arena() override { return arena; }
  void on_informational() override { note("info " + std::to_string(response.status)); }
  void on_response_head(bool end) override {
    note("head " + std::to_string(response.status));
    if (end) note("end");
  }
  void on_response_body(std::string_view bytes, bool end) override {
    body += bytes;
    if (end) note("body " + body + "; end");
  }
  void on_response_trailers(HeaderMap& map) override {
    trailers = &map;
    note("body " + body + "; trailers");
  }
  void on_stream_over() override {
    stream = nullptr;
    note("over");
  }
  void on_upstream_reset(ResetReason why, std::string_view details) override {
    stream = nullptr;
    reason = why;
    note("reset " + std::string(details));
    if (when_reset) when_reset();
  }
  void on_upstream_full(bool full) override {
    note(full ? "full" : "not full");
    if (when_full) when_full();
  }

  RequestHead& prepare(std::string_view method, std::string_view path) {
    head.method_text = method;
    head.method = method_of(method);
    head.path = path;
    head.authority = "a.example";
    head.scheme = "http";
    return head;
  }

  ClientStream* stream = nullptr;
  std::string trace;
  std::string body;
  HeaderMap* trailers = nullptr;
  ResetReason reason = ResetReason::kLocal;
  std::function<void()> when_reset;
  std::function<void()> when_full;  // or not full any more
  Arena arena;
  RequestHead head{arena};
  ResponseHead response{arena};

 private:
  void note(const std::string& what) { trace += (trace.empty() ? "" : "; ") + what; }
};

class ClientOwner : public H2ClientOwner {
 public:
  explicit ClientOwner(net::Loop& l) : loop(l) {}

  void on_connected(H2Client&, int error) override { connected = error == 0; }
  void on_stream_capacity(H2Client&) override {
    ++capacity_calls;
    if (when_capacity) when_capacity();
  }
  void on_closed(H2Client&) override {
    closed = true;
    loop.retire(std::move(client));
  }

  net::Loop& loop;
  std::unique_ptr<H2Client> client;
  std::function<void()> when_capacity;
  int capacity_calls = 0;
  bool connected = false;
  bool closed = false;
};

class H2ClientFixture : public ::testing::Test {
 protected:
  H2ClientFixture() { options_.stats = H2Stats::create(registry_, "http2."); }
  void TearDown() override { close_client(); }

  void close_client() {
    if (owner_ == nullptr) return;
    t_.run([&] {
      if (owner_->client != nullptr) owner_->client->close();
    });
    t_.run([&] {
      exchanges_.clear();
      owner_.reset();
    });
  }

  // A connection whose server has said nothing yet.
  Peer open_raw() {
    close_client();
    int fd = -1;
    Peer peer(net::RawSocket::pair(SOCK_STREAM, fd));
    peer.expect_preface();
    t_.run([&] {
      owner_ = std::make_unique<ClientOwner>(t_.loop());
      owner_->client = std::make_unique<H2Client>(t_.loop(), *owner_, options_, shard_);
      net::Socket socket;
      socket.fd = fd;
      owner_->client->adopt(std::move(socket), buffer_limit_);
    });
    return peer;
  }
  Peer open(std::string_view entries = {}) {
    Peer peer = open_raw();
    peer.send(settings(entries));
    peer.wait_for([](const Frame& at) { return at.type == kSettings && at.flags == kAck; });
    return peer;
  }

  // Opens a stream and sends a head on it; the exchange's number, or -1 when none may be opened.
  int start(std::string_view method, std::string_view path, bool end) {
    return t_.run([&] { return start_here(method, path, end); });
  }
  // The same, on the loop's thread.
  int start_here(std::string_view method, std::string_view path, bool end) {
    auto exchange = std::make_unique<Exchange>();
    exchange->stream = owner_->client->open_stream(*exchange);
    if (exchange->stream == nullptr) return -1;
    exchange->stream->send_head(exchange->prepare(method, path), end);
    exchanges_.push_back(std::move(exchange));
    return static_cast<int>(exchanges_.size()) - 1;
  }
  Exchange& exchange(int number) { return *exchanges_[static_cast<size_t>(number)]; }

  std::string trace(int number, const std::string& wanted) {
    std::string now;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < limit) {
      now = t_.run([&] { return exchange(number).trace; });
      if (now == wanted) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return now;
  }
  uint64_t counter(const std::string& name) { return registry_.value("http2." + name); }

  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  net::LoopThread t_;
  H2Options options_;
  size_t buffer_limit_ = 1 << 20;
  std::unique_ptr<ClientOwner> owner_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
};

#define EXPECT_HEARD(number, wanted) EXPECT_EQ(trace(number, wanted), wanted)

}  // namespace weir::http::h2::testing
