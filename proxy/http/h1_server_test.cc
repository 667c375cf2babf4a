// The client's side of a connection, between a plain socket and a stream that keeps what it hears.
#include "proxy/http/h1_server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"

namespace weir::http {
namespace {

using net::RawSocket;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// One request: a trace of what the codec told, and a place for its head.
class Stream : public ServerStreamEvents {
 public:
  RequestHead& request_head() override { return head; }
  void on_request_head(bool end) override {
    note("head " + std::string(head.method_text) + " " + std::string(head.path));
    if (end) note("end");
    if (when_head) when_head();
  }
  void on_bad_request(uint16_t status, std::string_view details) override {
    note("bad " + std::to_string(status) + " " + std::string(details));
    if (when_bad) when_bad(status);
  }
  void on_request_body(std::string_view bytes, bool end) override {
    body += bytes;
    if (!end) return;
    note("body " + body);
    note("end");
    if (when_end) when_end();
  }
  void on_request_trailers(HeaderMap& map) override {
    trailers = &map;
    note("trailers");
    if (when_end) when_end();
  }
  void on_downstream_reset(ResetReason, std::string_view details) override {
    note("reset " + std::string(details));
  }
  void on_downstream_full(bool is_full) override { note(is_full ? "full" : "not full"); }

  std::string trace;
  std::string body;
  HeaderMap* trailers = nullptr;
  std::function<void()> when_head;
  std::function<void()> when_end;
  std::function<void(uint16_t)> when_bad;
  Arena arena;
  RequestHead head{arena};

 private:
  void note(const std::string& what) { trace += (trace.empty() ? "" : "; ") + what; }
};

class Owner : public ServerConnectionOwner {
 public:
  explicit Owner(net::Loop& l) : loop(l) {}

  ServerStreamEvents& begin_stream(ServerConnection&, ServerStream& stream) override {
    if (unused == nullptr) {
      unused = std::make_unique<Stream>();
      if (prepare) prepare(*unused, stream);
    }
    streams.push_back(std::move(unused));
    return *streams.back();
  }
  void abandon_stream(ServerStreamEvents&) override {
    unused = std::move(streams.back());
    streams.pop_back();
    unused->head = RequestHead(unused->arena);
    most_overflow = std::max(most_overflow, unused->arena.overflow_bytes());
    unused->arena.reset();
  }
  Draining draining() const override { return drains ? Draining::kDrain : Draining::kNo; }
  void on_closed(ServerConnection&) override {
    closed = true;
    loop.retire(std::move(server));
  }
  std::string_view date() override { return "Thu, 01 Jan 1970 00:00:00 GMT"; }
  void on_http2_preface(ServerConnection& connection, std::string_view bytes) override {
    preface = bytes;
    handed_over = connection.give_up_socket();
    loop.retire(std::move(server));
  }

  net::Loop& loop;
  std::unique_ptr<H1Server> server;
  std::vector<std::unique_ptr<Stream>> streams;
  std::unique_ptr<Stream> unused;
  std::function<void(Stream&, ServerStream&)> prepare;
  size_t most_overflow = 0;
  std::string preface;
  Arrival handed_over;
  bool drains = false;
  bool closed = false;
};

class H1ServerTest : public testing::Test {
 protected:
  void TearDown() override {
    t_.run([&] {
      if (owner_->server != nullptr) owner_->server->close();
    });
    t_.run([] {});
  }

  // Opens a connection. `prepare` is told of each new stream.
  RawSocket open(std::function<void(Stream&, ServerStream&)> prepare = {}) {
    int fd = -1;
    RawSocket client = RawSocket::pair(SOCK_STREAM, fd);
    const net::Address peer = net::Address::ip("192.0.2.1", 1).take();
    t_.run([&] {
      owner_ = std::make_unique<Owner>(t_.loop());
      owner_->prepare = std::move(prepare);
      owner_->server = std::make_unique<H1Server>(t_.loop(), *owner_, options_);
      Arrival arrival;
      arrival.socket = {fd};
      arrival.id = 1;
      arrival.peer = peer;
      arrival.local = &peer_address_;
      arrival.buffer_limit = buffer_limit_;
      owner_->server->start(std::move(arrival));
    });
    return client;
  }
  // The trace of the stream with that number, when it is as long as `wanted`.
  std::string trace(size_t stream, const std::string& wanted) {
    std::string now;
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      now = t_.run([&] {
        const auto& streams = owner_->streams;
        return stream < streams.size() ? streams[stream]->trace : std::string();
      });
      if (now == wanted) break;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return now;
  }

  net::LoopThread t_;
  H1ServerOptions options_;
  size_t buffer_limit_ = 1 << 20;
  net::Address peer_address_ = net::Address::ip("127.0.0.1", 80).take();
  std::unique_ptr<Owner> owner_;
};

// Answers with 200 and the path when the request is whole.
void echo_path(Stream& stream, ServerStream& server) {
  const auto answer = [&stream, &server] {
    ResponseHead response(stream.arena);
    response.status = 200;
    response.content_length = static_cast<int64_t>(stream.head.path.size());
    server.send_head(response, false);
    server.send_body(stream.head.path, true);
  };
  stream.when_head = [&stream, answer] {
    if (stream.head.content_length == 0) answer();
  };
  stream.when_end = answer;
}

// Answers each request at once, and at length.
constexpr size_t kLongBody = 8192;
void answer_long(Stream& stream, ServerStream& server) {
  stream.when_head = [&] {
    static const std::string body(kLongBody, 'l');
    ResponseHead response(stream.arena);
    response.status = 200;
    response.content_length = kLongBody;
    server.send_head(response, false);
    server.send_body(body, true);
  };
}

std::string many_requests(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  return out;
}

void refuse(Stream& stream, ServerStream& server) {
  stream.when_bad = [&](uint16_t status) {
    ResponseHead response(stream.arena);
    response.status = status;
    server.close_after_response();
    server.send_head(response, true);
  };
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\ncontent-length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

#define EXPECT_TRACE(stream, wanted) EXPECT_EQ(trace(stream, wanted), wanted)

TEST_F(H1ServerTest, ABodyWithLength) {
  RawSocket client = open(echo_path);
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_TRACE(0, "head POST /a");
  client.send("lo");
  EXPECT_TRACE(0, "head POST /a; body hello; end");
  EXPECT_EQ(client.receive(ok("/a").size()), ok("/a"));
}

TEST_F(H1ServerTest, APipelineIsAnsweredInOrder) {
  RawSocket client = open(echo_path);
  std::string requests;
  std::string answers;
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/" + std::to_string(i);
    requests += i % 2 == 0 ? "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"
                           : "POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy";
    answers += ok(path);
  }
  client.send(requests);
  EXPECT_EQ(client.receive(answers.size()), answers);
}

TEST_F(H1ServerTest, ThePipelineWaitsForTheResponse) {
  RawSocket client = open();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRACE(0, "head GET /1; end");
  t_.run([&] {
    EXPECT_EQ(owner_->streams.size(), 1u);
    ResponseHead response(owner_->streams[0]->arena);
    response.status = 204;
    owner_->server->send_head(response, true);
  });
  EXPECT_TRACE(1, "head GET /2; end");
}

TEST_F(H1ServerTest, APipelineIsNotReadWhateverTheApplicationWantsMoreOf) {
  RawSocket client = open();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nX: ");
  EXPECT_TRACE(0, "head GET /1; end");
  const std::string more(64 * 1024, 'b');
  // The loop's scratch has room for four times that before it.
  for (int i = 0; i < 10; ++i) {
    ::send(client.fd(), more.data(), more.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    t_.run([&] {
      owner_->server->pause_reading(true);
      owner_->server->pause_reading(false);
      EXPECT_TRUE(owner_->server->connection().reading_paused());
    });
  }
  t_.run([&] {
    ResponseHead response(owner_->streams[0]->arena);
    response.status = 204;
    owner_->server->send_head(response, true);
  });
  EXPECT_TRACE(1, "bad 431 http1.headers_too_large");
}

TEST_F(H1ServerTest, AClientThatReadsSlowlyGetsAllOfTheLastResponse) {
  options_.delayed_close_timeout_ms = 100;
  const std::string body(4 << 20, 'l');
  RawSocket client = open([&body](Stream& stream, ServerStream& out) {
    stream.when_head = [&] {
      ResponseHead response(stream.arena);
      response.status = 200;
      out.close_after_response();
      out.send_head(response, false);
      out.send_body(body, true);
    };
  });
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  size_t got = 0;
  for (std::string some = "-"; !some.empty(); got += some.size()) {
    some = client.receive_some();
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_GT(got, body.size());
}

// A client that pipelines and does not read its responses: `buffer_limit_` and what the socket
// takes bound what is begun for it.
class UnreadPipelineTest : public H1ServerTest {
 protected:
  static constexpr int kRequests = 1000;  // 8 MB of responses

  RawSocket fill() {
    buffer_limit_ = 32 * 1024;
    RawSocket client = open(answer_long);
    client.send(many_requests(kRequests));
    wait_until_nothing_begins();
    return client;
  }
  size_t begun() {
    return t_.run([&] { return owner_->streams.size(); });
  }
  void wait_until_nothing_begins() {
    size_t before = 0;
    do {
      before = begun();
      std::this_thread::sleep_for(milliseconds(20));
    } while (before == 0 || before != begun());
  }
  bool closed_in_time() {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit && !t_.run([&] { return owner_->closed; }))
      std::this_thread::sleep_for(milliseconds(1));
    return t_.run([&] { return owner_->closed; });
  }
};

TEST_F(UnreadPipelineTest, WaitsForRoomAndGoesOn) {
  RawSocket client = fill();
  EXPECT_LT(begun(), 200u);
  EXPECT_LT(t_.run([&] { return owner_->server->connection().bytes_waiting(); }),
            buffer_limit_ + 2 * kLongBody);
  const std::string one = ok(std::string(kLongBody, 'l'));
  const std::string all = client.receive(one.size() * kRequests);
  ASSERT_EQ(all.size(), one.size() * kRequests);
  EXPECT_TRUE(all.ends_with(one));
  EXPECT_EQ(begun(), static_cast<size_t>(kRequests));
  client.send(many_requests(1));
  EXPECT_EQ(client.receive(one.size()), one) << "the connection serves on";
}

TEST_F(UnreadPipelineTest, EndsWithItsClient) {
  RawSocket client = fill();
  client.close();
  EXPECT_TRUE(closed_in_time());
  EXPECT_LT(begun(), 200u);
}

TEST_F(UnreadPipelineTest, EndsByTheIdleTimeAndIsNotTheClientsLateRequest) {
  options_.idle_timeout_ms = 200;
  options_.delayed_close_timeout_ms = 20;
  RawSocket client = fill();
  EXPECT_TRUE(closed_in_time());
  t_.run([&] {
    EXPECT_EQ(owner_->streams.back()->trace, "head GET /; end");
    EXPECT_LT(owner_->streams.size(), 200u);
  });
}

TEST_F(UnreadPipelineTest, IsClosedGentlyByADrain) {
  RawSocket client = fill();
  t_.run([&] {
    owner_->drains = true;
    owner_->server->drain(0);
  });
  EXPECT_NE(client.receive_all().find("connection: close"), std::string::npos);
  client.close();
  EXPECT_TRUE(closed_in_time());
}

TEST_F(UnreadPipelineTest, HasTheGraceOfADrainAndNoMore) {
  buffer_limit_ = 32 * 1024;
  RawSocket client = open(answer_long);
  const auto waiting = [&] {
    return t_.run([&] { return owner_->server->connection().bytes_waiting(); });
  };
  for (size_t sent = 1; waiting() <= buffer_limit_; ++sent) {
    client.send(many_requests(1));
    while (begun() < sent) std::this_thread::sleep_for(milliseconds(1));
  }
  t_.run([&] { owner_->server->drain(100); });
  client.receive_all();
  EXPECT_TRUE(closed_in_time());
}

// What came with an upgrade request is not lost when the tunnel begins with a pause.
TEST_F(H1ServerTest, ATunnelsFirstBytesOutliveAPause) {
  RawSocket client = open();
  client.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nfirst");
  EXPECT_TRACE(0, "head CONNECT ");
  t_.run([&] {
    ResponseHead response(owner_->streams[0]->arena);
    response.status = 200;
    owner_->server->send_head(response, false);
    owner_->server->pause_reading(true);
  });
  t_.run([&] {
    EXPECT_EQ(owner_->streams[0]->body, "");
    owner_->server->pause_reading(false);
  });
  const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
  const auto got = [&] { return t_.run([&] { return owner_->streams[0]->body; }); };
  while (got().empty() && steady_clock::now() < limit) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(got(), "first");
}

// Each byte in a read of its own must not cost memory for each byte.
TEST_F(H1ServerTest, ADrippedRequestNeedsNoMoreMemory) {
  RawSocket client = open(echo_path);
  std::string trailers;
  for (int i = 0; i < 40; ++i) trailers += "trailer-" + std::to_string(i) + ": value\r\n";
  const std::string request = "POST /drip HTTP/1.1\r\nHost: a\r\nX: " + std::string(1000, 'x') +
                              "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" +
                              trailers + "\r\n";
  for (const char c : request) {
    client.send({&c, 1});
    t_.run([] {});
  }
  EXPECT_EQ(client.receive(ok("/drip").size()), ok("/drip"));
  t_.run([&] {
    EXPECT_EQ(owner_->most_overflow, 0u);
    EXPECT_LT(owner_->streams[0]->arena.overflow_bytes(), 40'000u);
  });
}

TEST_F(H1ServerTest, TrailersLiveAsLongAsTheRequest) {
  options_.pass_trailers = true;
  RawSocket client = open();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 42\r\n\r\n");
  EXPECT_TRACE(0, "head POST /; trailers");
  t_.run([&] { EXPECT_EQ(owner_->streams[0]->trailers->get("x-sum"), "42"); });
}

TEST_F(H1ServerTest, EmptyTrailersAreTheEndOfTheBody) {
  RawSocket client = open();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
  EXPECT_TRACE(0, "head POST /; body x; end");
}

TEST_F(H1ServerTest, BadRequestsAreAnsweredAndTheConnectionEnds) {
  RawSocket client = open(refuse);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.receive_all().substr(0, 24), "HTTP/1.1 400 Bad Request");
  t_.run([&] { EXPECT_EQ(owner_->streams.size(), 1u); });
}

TEST_F(H1ServerTest, ABadChunkIsARequestThatWasNotWhole) {
  RawSocket client = open(refuse);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello");
  EXPECT_EQ(client.receive_all().substr(0, 12), "HTTP/1.1 400");
  t_.run([&] { EXPECT_EQ(owner_->streams[0]->trace, "head POST /; bad 400 http1.invalid_chunk"); });
}

TEST_F(H1ServerTest, TooMuchHead) {
  for (const bool in_target : {false, true}) {
    RawSocket client = open(refuse);
    const std::string much(70'000, 'x');
    client.send(in_target ? "GET /" + much : "GET / HTTP/1.1\r\nHost: a\r\nX: " + much);
    EXPECT_EQ(client.receive_all().substr(0, 12), in_target ? "HTTP/1.1 414" : "HTTP/1.1 431");
  }
}

TEST_F(H1ServerTest, AClientThatLeavesInTheMiddle) {
  RawSocket client = open();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  client.close();
  EXPECT_TRACE(0, "head POST /; reset downstream_remote_disconnect");
  EXPECT_TRUE(t_.run([&] { return owner_->closed; }));
}

TEST_F(H1ServerTest, AnEarlyResponseClosesAnUnfinishedChunkedRequest) {
  RawSocket client = open([](Stream& stream, ServerStream& server) {
    stream.when_head = [&] {
      ResponseHead response(stream.arena);
      response.status = 403;
      server.send_head(response, true);
    };
  });
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_NE(answer.find("connection: close"), std::string::npos) << answer;
  t_.run([&] { EXPECT_EQ(owner_->streams.size(), 1u); });
}

TEST_F(H1ServerTest, AnEarlyResponseKeepsTheConnectionWhenLittleIsLeft) {
  RawSocket client = open([](Stream& stream, ServerStream& server) {
    stream.when_head = [&] {
      ResponseHead response(stream.arena);
      response.status = 204;
      server.send_head(response, true);
    };
  });
  client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  client.receive_some();
  client.send("helloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRACE(1, "head GET /2; end");
}

TEST_F(H1ServerTest, ChunkedResponses) {
  options_.pass_trailers = true;
  options_.send_date = false;
  RawSocket client = open([](Stream& stream, ServerStream& server) {
    stream.when_head = [&] {
      ResponseHead response(stream.arena);
      response.status = 200;
      server.send_head(response, false);
      server.send_body("hello", false);
      server.send_body("", false);
      HeaderMap trailers(stream.arena);
      trailers.add("x-sum", "1");
      server.send_trailers(trailers);
    };
  });
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string wanted =
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n";
  EXPECT_EQ(client.receive(wanted.size()), wanted);
}

TEST_F(H1ServerTest, DrainingEndsAnIdleConnectionAndAnnouncesTheEndOfABusyOne) {
  RawSocket idle = open();
  t_.run([&] { owner_->server->drain(0); });
  EXPECT_EQ(idle.receive_all(), "");
  RawSocket busy = open(echo_path);
  t_.run([&] { owner_->drains = true; });
  busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(busy.receive_all().find("connection: close"), std::string::npos);
}

// Its head did not say that the connection ends: a next request may be on its way.
TEST_F(H1ServerTest, AResponseThatADrainInterruptsHasTheGraceAfterIt) {
  options_.send_date = false;
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string first = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
  for (const bool asks_again : {true, false}) {
    RawSocket client = open();
    const auto answer = [&](size_t stream, bool drained_meanwhile) {
      ResponseHead response(owner_->streams[stream]->arena);
      response.status = 200;
      response.content_length = 2;
      owner_->server->send_head(response, false);
      owner_->drains = true;
      if (drained_meanwhile) owner_->server->drain(50);
      owner_->server->send_body("ok", true);
    };
    client.send(request);
    EXPECT_TRACE(0, "head GET /; end");
    t_.run([&] { answer(0, true); });
    EXPECT_EQ(client.receive(first.size()), first);
    if (asks_again) {
      client.send(request);
      EXPECT_TRACE(1, "head GET /; end");
      t_.run([&] { answer(1, false); });
    }
    // Asked again and again, it does not wait anew.
    for (int i = 0; i < 20 && !asks_again; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
      t_.run([&] { return owner_->closed ? void() : owner_->server->drain(50); });
    }
    EXPECT_TRUE(asks_again || t_.run([&] { return owner_->closed; }));
    const std::string rest = client.receive_all();
    EXPECT_EQ(rest.find("connection: close") != rest.npos, asks_again) << rest;
  }
}

TEST_F(H1ServerTest, DeadlinesOfHeads) {
  options_.request_headers_timeout_ms = 30;
  RawSocket client = open(refuse);
  client.send("GET / HT");
  EXPECT_EQ(client.receive_all().substr(0, 12), "HTTP/1.1 408");
  options_.idle_timeout_ms = 30;
  RawSocket quiet = open(refuse);
  EXPECT_EQ(quiet.receive_all(), "");
}

TEST_F(H1ServerTest, AConnectionThatSpeaksHttp2IsHandedOver) {
  options_.detect_http2 = true;
  RawSocket client = open(refuse);
  client.send("P");
  client.send("RI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  const auto handed_over = [&] { return t_.run([&] { return owner_->preface; }); };
  while (handed_over().empty()) std::this_thread::yield();
  EXPECT_TRUE(handed_over().starts_with("PRI"));
  // The socket lives on, with whoever took it.
  t_.run([&] {
    owner_->server = std::make_unique<H1Server>(t_.loop(), *owner_, options_);
    owner_->handed_over.received = "BREW / HTTP/1.1\r\n\r\n";
    owner_->server->start(std::move(owner_->handed_over));
  });
  EXPECT_EQ(client.receive_all().substr(0, 12), "HTTP/1.1 400");
}

TEST_F(H1ServerTest, WithoutDetectionThePrefaceIsABadRequest) {
  RawSocket client = open(refuse);
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_EQ(client.receive_all().substr(0, 12), "HTTP/1.1 505");
}

}  // namespace
}  // namespace weir::http
