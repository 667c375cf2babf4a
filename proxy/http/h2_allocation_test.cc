// In the steady state an HTTP/2 stream asks the heap for nothing of ours: every `new` on the loop's
// thread is counted. What nghttp2 takes, it takes by malloc.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "proxy/http/testing/h2_server_fixture.h"

namespace {
thread_local bool counting = false;
std::atomic<int> news{0};

void* take(size_t bytes) {
  if (counting) ++news;
  void* block = std::malloc(bytes);
  if (block == nullptr) std::abort();
  return block;
}
}  // namespace

void* operator new(size_t bytes) {
  return take(bytes);
}
void* operator new[](size_t bytes) {
  return take(bytes);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, size_t) noexcept {
  std::free(block);
}
void operator delete[](void* block, size_t) noexcept {
  std::free(block);
}

namespace weir::http::h2::testing {
namespace {

class Recycler;

// Answers with a body and trailers, and is used again.
class Recycled : public ServerStreamEvents {
 public:
  explicit Recycled(Recycler& owner) : owner_(owner) {}

  RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override {
    if (end) answer();
  }
  void on_bad_request(uint16_t, std::string_view) override {}
  void on_request_body(std::string_view, bool end) override {
    if (end) answer();
  }
  void on_request_trailers(HeaderMap&) override { answer(); }
  void on_downstream_reset(ResetReason, std::string_view) override {}
  void on_downstream_full(bool) override {}

  ServerStream* stream = nullptr;

 private:
  void answer();

  Recycler& owner_;
  Arena arena_;
  RequestHead head_{arena_};
  ResponseHead response_{arena_};
};

class Recycler : public ServerConnectionOwner {
 public:
  explicit Recycler(net::Loop& l) : loop(l) { spare.reserve(1'000); }

  ServerStreamEvents& begin_stream(ServerConnection&, ServerStream& stream) override {
    if (spare.empty()) spare.push_back(all.emplace_back(std::make_unique<Recycled>(*this)).get());
    Recycled& request = *spare.back();
    spare.pop_back();
    request.stream = &stream;
    return request;
  }
  void abandon_stream(ServerStreamEvents&) override {}
  Draining draining() const override { return Draining::kNo; }
  void on_closed(ServerConnection&) override { loop.retire(std::move(server)); }
  std::string_view date() override { return "Thu, 01 Jan 1970 00:00:00 GMT"; }

  net::Loop& loop;
  std::unique_ptr<H2Server> server;
  std::vector<std::unique_ptr<Recycled>> all;
  std::vector<Recycled*> spare;
};

void Recycled::answer() {
  response_.status = 200;
  response_.headers.add("content-type", "application/grpc");
  stream->send_head(response_, false);
  stream->send_body("an answer", false);
  HeaderMap trailers(arena_);
  trailers.add("grpc-status", "0");
  stream->send_trailers(trailers);
  owner_.loop.defer(this, [](void* self) {
    Recycled& done = *static_cast<Recycled*>(self);
    done.head_ = RequestHead(done.arena_);
    done.response_ = ResponseHead(done.arena_);
    done.arena_.reset();
    done.owner_.spare.push_back(&done);
  });
}

class H2AllocationTest : public H2ServerFixture {};

TEST_F(H2AllocationTest, StreamsOfAConnectionNeedNoHeapOfOurs) {
  int fd = -1;
  Peer peer(net::RawSocket::pair(SOCK_STREAM, fd));
  std::unique_ptr<Recycler> owner;
  t_.run([&] {
    owner = std::make_unique<Recycler>(t_.loop());
    owner->server = std::make_unique<H2Server>(t_.loop(), *owner, options_, shard_);
    Arrival arrival;
    arrival.socket.fd = fd;
    arrival.peer = address_;
    arrival.local = &address_;
    owner->server->start(std::move(arrival));
  });
  peer.send(kPreface + settings() + window_update(0, 1 << 24));
  uint32_t next = 1;
  const auto round = [&] {
    std::string requests;
    for (int i = 0; i < 30; ++i, next += 2)
      requests += request(next, false, {{"x-some", "header"}}, "POST") + data(next, "body", true);
    peer.send(requests);
    peer.wait_for(
        [&](const Frame& at) { return at.type == kHeaders && at.ends() && at.stream == next - 2; });
    peer.seen.clear();
  };
  for (int i = 0; i < 20; ++i) round();
  const size_t probe = t_.run([] {
    counting = true;
    return std::string(1'000, 'x').size();
  });
  const int before = news;
  EXPECT_GE(before, 1) << "the count counts, with " << probe << " bytes";
  for (int i = 0; i < 50; ++i) round();
  const int during = news - before;
  t_.run([] { counting = false; });
  EXPECT_EQ(during, 0) << "in 1500 requests";
  t_.run([&] { owner->server->close(); });
  t_.run([&] { owner.reset(); });
}

}  // namespace
}  // namespace weir::http::h2::testing
