// The upstream's side of a connection, between a plain socket and a stream that keeps what it
// hears.
#include "proxy/http/h1_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"

namespace weir::http {
namespace {

using net::RawSocket;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A stream and the owner of its connection.
class Exchange : public ClientStreamEvents, public H1ClientOwner {
 public:
  Exchange(net::Loop& l, const H1ClientOptions& options)
      : client(std::make_unique<H1Client>(l, *this, options)), loop(l) {}
  ~Exchange() override {
    if (client != nullptr) client->close();
  }

  // H1ClientOwner
  void on_connected(H1Client&, int error) override {
    connected = error;
    client->attach(*this);
  }
  void on_reusable(H1Client&) override { note("reusable"); }
  void on_closed(H1Client&) override {
    note("closed");
    loop.retire(std::move(client));
  }

  // ClientStreamEvents
  ResponseHead& fresh_response_head() override {
    response.clear();
    return response;
  }
  Arena& trailer_arena() override { return arena; }
  void on_informational() override { note(std::to_string(response.status)); }
  void on_response_head(bool end) override {
    note(std::to_string(response.status) + (end ? " end" : ""));
  }
  void on_response_body(std::string_view bytes, bool end) override {
    body += bytes;
    if (end) note("body " + body);
  }
  void on_response_trailers(HeaderMap& map) override {
    trailers = &map;
    note("trailers");
  }
  void on_stream_over() override { note("over"); }
  void on_upstream_reset(ResetReason reason, std::string_view details) override {
    reset_reason = reason;
    note("reset " + std::string(details));
  }
  void on_upstream_full(bool full) override { note(full ? "full" : "not full"); }

  void note(const std::string& what) { trace += (trace.empty() ? "" : "; ") + what; }

  std::string trace;
  std::string body;
  HeaderMap* trailers = nullptr;
  ResetReason reset_reason = ResetReason::kLocal;
  int connected = -1;
  Arena arena;
  ResponseHead response{arena};
  RequestHead request{arena};
  std::unique_ptr<H1Client> client;
  net::Loop& loop;
};

class H1ClientTest : public testing::Test {
 protected:
  void TearDown() override {
    t_.run([&] { x_.reset(); });
    t_.run([] {});
  }

  // Connects, and sends a request of that method unless it is empty.
  void open(std::string_view method = "GET") {
    RawSocket listener = RawSocket::listen();
    const net::Address to = listener.address();
    t_.run([&] {
      x_ = std::make_unique<Exchange>(t_.loop(), options_);
      ASSERT_EQ(x_->client->connect(to, nullptr, 1 << 20), 0);
    });
    upstream_ = listener.accept();
    until([&] { return x_->connected == 0; });
    if (!method.empty()) request(method, true);
  }
  void request(std::string_view method, bool end, int64_t length = 0) {
    t_.run([&] {
      RequestHead& head = x_->request;
      head.method_text = method;
      head.method = method_of(method);
      head.path = "/";
      head.authority = "a";
      head.content_length = length;
      x_->client->send_head(head, end);
    });
    const std::string start = upstream_.receive_some();
    EXPECT_EQ(start.substr(0, method.size()), method);
  }
  bool until(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }
  // What the upstream's bytes (and its end, if it closes) lead to.
  std::string after(std::string_view bytes, const std::string& wanted, bool closes = false) {
    upstream_.send(bytes);
    if (closes) upstream_.close();
    until([&] { return x_->trace == wanted; });
    return t_.run([&] { return x_->trace; });
  }

  net::LoopThread t_;
  H1ClientOptions options_;
  RawSocket upstream_;
  std::unique_ptr<Exchange> x_;
};

#define EXPECT_AFTER(bytes, wanted) EXPECT_EQ(after(bytes, wanted), wanted)
#define EXPECT_AFTER_CLOSE(bytes, wanted) EXPECT_EQ(after(bytes, wanted, true), wanted)

TEST_F(H1ClientTest, ABodyWithLength) {
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "200");
  EXPECT_AFTER("lo", "200; over; reusable; body hello");
}

TEST_F(H1ClientTest, HeadsAreMeasured) {
  open("");
  t_.run([&] {
    RequestHead& head = x_->request;
    head.method_text = "GET";
    head.method = Method::kGet;
    head.path = "/";
    head.authority = "a";
    head.content_length = 0;
    x_->client->send_head(head, true);
  });
  const std::string sent = upstream_.receive_some();
  EXPECT_EQ(t_.run([&] { return x_->client->take_head_bytes_sent(); }), sent.size());
  EXPECT_EQ(t_.run([&] { return x_->client->take_head_bytes_sent(); }), 0u) << "told once";
  const std::string_view early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  EXPECT_AFTER(early, "103");
  EXPECT_EQ(t_.run([&] { return x_->response.wire_bytes; }), early.size());
  const std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  EXPECT_AFTER(std::string(head) + "hel", "103; 200");
  EXPECT_EQ(t_.run([&] { return x_->response.wire_bytes; }), head.size());
}

TEST_F(H1ClientTest, ItCarriesOneExchangeAfterTheOther) {
  open();
  EXPECT_AFTER("HTTP/1.1 204 No Content\r\n\r\n", "over; reusable; 204 end");
  t_.run([&] { x_->client->attach(*x_); });
  request("GET", true);
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
               "over; reusable; 204 end; over; reusable; 200 end");
}

TEST_F(H1ClientTest, ResponsesWithoutABody) {
  open("HEAD");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "over; reusable; 200 end");
  open("GET");
  EXPECT_AFTER("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "over; reusable; 304 end");
  open("HEAD");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "over; reusable; 200 end");
}

TEST_F(H1ClientTest, ChunkedWithTrailersThatStay) {
  options_.pass_trailers = true;
  open();
  EXPECT_AFTER(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-S: 1\r\n\r\n",
      "200; over; reusable; trailers");
  t_.run([&] { EXPECT_EQ(x_->trailers->get("x-s"), "1"); });
}

TEST_F(H1ClientTest, ABodyUntilTheEndOfTheConnection) {
  open();
  EXPECT_AFTER_CLOSE("HTTP/1.1 200 OK\r\n\r\nall of it", "200; closed; body all of it");
}

TEST_F(H1ClientTest, AWishToCloseIsHeard) {
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
               "200; over; closed; body hi");
  open();
  EXPECT_AFTER("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200; over; closed; body hi");
}

// ---- what must never look like a clean end, nor poison the pool ----

TEST_F(H1ClientTest, BrokenOffAnywhere) {
  const std::string length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
  for (const std::string& response : {length, chunked}) {
    const size_t head = response.find("\r\n\r\n") + 4;
    for (size_t n = 0; n <= response.size(); n += 3) {
      open();
      const std::string wanted = n < head ? "closed; reset upstream_remote_disconnect"
                                          : "200; closed; reset upstream_remote_disconnect";
      EXPECT_AFTER_CLOSE(response.substr(0, n), wanted) << n;
      EXPECT_EQ(x_->reset_reason, ResetReason::kPeerClosed);
    }
  }
}

TEST_F(H1ClientTest, AReset) {
  open();
  upstream_.reset();
  EXPECT_AFTER("", "closed; reset upstream_remote_reset");
}

TEST_F(H1ClientTest, MoreThanWasPromised) {
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
               "200; over; closed; body hi");
  open();
  EXPECT_AFTER("HTTP/1.1 204 No Content\r\n\r\nx", "over; closed; 204 end");
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
               "200; over; closed; body ");
}

TEST_F(H1ClientTest, BytesThatNobodyAskedFor) {
  open("");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
               "closed; reset http1.unsolicited_response");
  open();
  EXPECT_AFTER("HTTP/1.1 204 No Content\r\n\r\n", "over; reusable; 204 end");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\n", "over; reusable; 204 end; closed");
}

TEST_F(H1ClientTest, WhatIsNotHttp) {
  for (const char* bytes : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/2.0 200 OK\r\n\r\n"}) {
    open();
    upstream_.send(bytes);
    EXPECT_TRUE(until([&] { return x_->trace.starts_with("closed; reset http1."); })) << bytes;
    EXPECT_EQ(x_->reset_reason, ResetReason::kProtocolError);
  }
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               "200; closed; reset http1.invalid_chunk");
  open();
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'),
               "closed; reset http1.headers_too_large");
}

TEST_F(H1ClientTest, ASwitchThatNobodyAskedFor) {
  open();
  EXPECT_AFTER("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
               "closed; reset http1.unexpected_101");
}

// ---- tunnels ----

constexpr std::string_view kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

// Requests from an HTTP/2 client, which may send before it has an answer.
class H1TunnelTest : public H1ClientTest {
 protected:
  // Sends a request to upgrade, or to connect, and `early` in the same event. Says what of it the
  // upstream has before it answers.
  std::string ask(std::string_view method, std::string_view early, bool end) {
    open("");
    t_.run([&] {
      RequestHead& head = x_->request;
      head.method_text = method;
      head.method = method_of(method);
      head.protocol = Protocol::kHttp2;
      head.path = "/";
      head.authority = "a";
      if (head.method != Method::kConnect) head.upgrade = "websocket";
      head.content_length = kUnknownLength;
      x_->client->send_head(head, false);
      x_->client->send_body(early, end);
      x_->client->connection().loop().flush();
    });
    const std::string all = upstream_.receive_some();
    return all.substr(std::min(all.find("\r\n\r\n"), all.size() - 4) + 4);
  }
  // Whether the connection is at its end, all of it being read.
  bool ended() {
    char next = 0;
    return recv(upstream_.fd(), &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  // All that comes until the end.
  std::string rest() {
    const std::string all = upstream_.receive_all();
    return all + (ended() ? "|" : " and no end");
  }
};

TEST_F(H1TunnelTest, EarlyBytesWaitUntilTheUpstreamAgrees) {
  EXPECT_EQ(ask("GET", "GET /admin HTTP/1.1\r\n\r\n", false), "");
  EXPECT_AFTER("HTTP/1.1 103 Early Hints\r\n\r\n", "103");
  t_.run([&] { x_->client->send_body("more", false); });
  EXPECT_AFTER(kSwitch, "103; 101");
  t_.run([&] {
    x_->client->send_body(" and last", true);
    t_.loop().flush();
  });
  EXPECT_EQ(rest(), "GET /admin HTTP/1.1\r\n\r\nmore and last|");
  EXPECT_AFTER_CLOSE("bye", "103; 101; closed; body bye");

  EXPECT_EQ(ask("CONNECT", "\x16\x03\x01", false), "");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\n\r\n", "200");
  EXPECT_EQ(upstream_.receive_some(), "\x16\x03\x01");
}

TEST_F(H1TunnelTest, WhoDeclinesGetsNoneOfThem) {
  for (const char* method : {"GET", "CONNECT"}) {
    EXPECT_EQ(ask(method, "GET /admin HTTP/1.1\r\n\r\n", false), "");
    EXPECT_AFTER("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n", "403");
    t_.run([&] { x_->client->send_body("GET /more HTTP/1.1\r\n\r\n", false); });
    EXPECT_AFTER("no", "403; closed; body no");
    EXPECT_EQ(rest(), "|");
  }
  EXPECT_EQ(ask("GET", "GET /admin HTTP/1.1\r\n\r\n", true), "");
  EXPECT_AFTER("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "200; over; closed; body no");
  EXPECT_EQ(rest(), "|");
}

TEST_F(H1TunnelTest, AnEarlyEndWaitsToo) {
  EXPECT_EQ(ask("GET", "all", true), "");
  EXPECT_FALSE(ended());
  EXPECT_AFTER(kSwitch, "101");
  EXPECT_EQ(rest(), "all|");
  EXPECT_AFTER_CLOSE("bye", "101; closed; body bye");
}

TEST_F(H1TunnelTest, TrailersEndATunnel) {
  EXPECT_EQ(ask("GET", "all", false), "");
  t_.run([&] { x_->client->send_trailers(HeaderMap(x_->arena)); });
  EXPECT_AFTER(kSwitch, "101");
  EXPECT_EQ(rest(), "all|");
}

TEST_F(H1TunnelTest, AnEndTogetherWithTheHead) {
  open("");
  x_->request.protocol = Protocol::kHttp2;
  request("CONNECT", true);
  EXPECT_AFTER("HTTP/1.1 200 OK\r\n\r\n", "200");
  EXPECT_EQ(rest(), "|");
  EXPECT_AFTER_CLOSE("bye", "200; closed; body bye");
}

TEST_F(H1TunnelTest, TooManyEarlyBytesStopTheClient) {
  const std::string much((1 << 20) + 1, 'x');
  EXPECT_EQ(ask("GET", much, false), "");
  EXPECT_EQ(t_.run([&] { return x_->trace; }), "full");
  EXPECT_AFTER(kSwitch, "full; not full; 101");
  t_.run([&] {
    x_->client->send_body({}, true);
    t_.loop().flush();
  });
  EXPECT_EQ(rest(), much + "|");

  EXPECT_EQ(ask("GET", much, false), "");
  EXPECT_AFTER("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n", "full; not full; 403");
}

// What comes after a body of the request's own is the tunnel's, and in no chunks.
TEST_F(H1ClientTest, ATunnelAfterAChunkedBody) {
  open("");
  x_->request.upgrade = "websocket";
  request("POST", false, kUnknownLength);
  t_.run([&] {
    x_->client->send_body("hello", true);
    t_.loop().flush();
  });
  EXPECT_EQ(upstream_.receive_some(), "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_AFTER(kSwitch, "101");
  t_.run([&] {
    x_->client->send_body("frames", false);
    t_.loop().flush();
  });
  EXPECT_EQ(upstream_.receive_some(), "frames");
}

TEST_F(H1ClientTest, AnAnswerToHalfARequestEndsTheConnection) {
  open("");
  request("POST", false, 100);
  EXPECT_AFTER("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403; closed; body no");
}

// ---- memory ----

TEST_F(H1ClientTest, InformationalResponses) {
  open();
  EXPECT_AFTER("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
               "103; 100");
  EXPECT_AFTER("HTTP/1.1 204 No Content\r\n\r\n", "103; 100; over; reusable; 204 end");
}

TEST_F(H1ClientTest, EndlessInformationalResponses) {
  open();
  for (int i = 0; i < 1000; ++i) upstream_.send("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n");
  EXPECT_TRUE(until(
      [&] { return x_->trace.ends_with("closed; reset http1.too_many_informational_responses"); }));
  t_.run([&] { EXPECT_LT(x_->arena.overflow_bytes(), 40'000u); });
}

TEST_F(H1ClientTest, ADrippedResponseNeedsNoMoreMemory) {
  options_.pass_trailers = true;
  open();
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += "line-" + std::to_string(i) + ": value\r\n";
  const std::string response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + lines +
                               "\r\n5\r\nhello\r\n0\r\n" + lines + "\r\n";
  for (const char c : response) {
    upstream_.send({&c, 1});
    t_.run([] {});
  }
  EXPECT_AFTER("", "200; over; reusable; trailers");
  t_.run([&] { EXPECT_LT(x_->arena.overflow_bytes(), 40'000u); });
}

TEST_F(H1ClientTest, PausedItReadsNothing) {
  open();
  t_.run([&] { x_->client->pause_reading(true); });
  upstream_.send("HTTP/1.1 204 No Content\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(t_.run([&] { return x_->trace; }), "");
  t_.run([&] { x_->client->pause_reading(false); });
  EXPECT_AFTER("", "over; reusable; 204 end");
}

}  // namespace
}  // namespace weir::http
