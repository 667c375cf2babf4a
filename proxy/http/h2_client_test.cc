// The upstream's side of HTTP/2, with a server made by hand.
#include "proxy/http/h2_client.h"

#include "proxy/http/testing/h2_client_fixture.h"

namespace weir::http {
namespace {

using namespace h2::testing;

class H2ClientTest : public H2ClientFixture {};

TEST_F(H2ClientTest, AnExchange) {
  Peer peer = open();
  const int one = start("GET", "/hello", true);
  const Frame head = peer.wait_for(kHeaders);
  EXPECT_EQ(head.stream, 1u);
  EXPECT_TRUE(head.ends());
  const Lines wanted = {
      {":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/hello"}};
  EXPECT_EQ(head.lines, wanted);
  peer.send(response(1, false, "200", {{"content-length", "5"}, {"x", "y"}}));
  EXPECT_HEARD(one, "head 200");
  peer.send(data(1, "he", false) + data(1, "llo", true));
  EXPECT_HEARD(one, "head 200; over; body hello; end");
  t_.run([&] {
    EXPECT_EQ(exchange(one).response.headers.get("x"), "y");
    EXPECT_EQ(exchange(one).response.content_length, 5);
    EXPECT_EQ(owner_->client->active_streams(), 0u);
    EXPECT_EQ(owner_->capacity_calls, 2);  // SETTINGS, and the end of the stream
  });
}

TEST_F(H2ClientTest, HeadsAreMeasured) {
  Peer peer = open();
  const int one = start("GET", "/hello", true);
  peer.wait_for(kHeaders);
  const auto sent = [&](int i) {
    return t_.run([&] { return exchange(i).stream->take_head_bytes_sent(); });
  };
  // ":method" "GET", ":scheme" "http", ":authority" "a.example", ":path" "/hello"
  EXPECT_EQ(sent(one), 10u + 11u + 19u + 11u);
  EXPECT_EQ(sent(one), 0u) << "told once";
  const std::string head = response(1, false, "200", {{"x", "y"}});
  peer.send(head);
  EXPECT_HEARD(one, "head 200");
  EXPECT_EQ(t_.run([&] { return exchange(one).response.wire_bytes; }), head.size());
}

TEST_F(H2ClientTest, PrefaceAndSettings) {
  Peer peer = open_raw();
  const Frame first = peer.wait_for(kSettings);
  EXPECT_NE(first.payload.find(setting(2, 0)), std::string::npos);
  EXPECT_EQ(first.payload.find(number(3, 2)), std::string::npos);
}

TEST_F(H2ClientTest, HeadersOfOneConnectionStayOnIt) {
  Peer peer = open();
  t_.run([&] {
    auto one = std::make_unique<Exchange>();
    RequestHead& head = one->prepare("POST", "/");
    for (const char* name : {"connection", "keep-alive", "proxy-connection", "transfer-encoding",
                             "upgrade", "http2-settings"})
      head.headers.add(name, "x");
    head.headers.add("te", "gzip, trailers");
    head.headers.add("content-length", "");
    head.content_length = 7;
    one->stream = owner_->client->open_stream(*one);
    one->stream->send_head(head, false);
    exchanges_.push_back(std::move(one));
  });
  const Frame head = peer.wait_for(kHeaders);
  const Lines rest(head.lines.begin() + 4, head.lines.end());
  const Lines wanted = {{"te", "trailers"}, {"content-length", "7"}};
  EXPECT_EQ(rest, wanted);
}

TEST_F(H2ClientTest, GrpcAsksForTrailers) {
  Peer peer = open();
  t_.run([&] {
    auto one = std::make_unique<Exchange>();
    RequestHead& head = one->prepare("POST", "/a.B/C");
    head.headers.add("content-type", "application/grpc+proto");
    one->stream = owner_->client->open_stream(*one);
    one->stream->send_head(head, false);
    exchanges_.push_back(std::move(one));
  });
  EXPECT_EQ(peer.wait_for(kHeaders).get("te"), "trailers");
}

TEST_F(H2ClientTest, BodiesAndTrailersBothWays) {
  Peer peer = open();
  const int one = start("POST", "/", false);
  t_.run([&] {
    exchange(one).stream->send_body("hello", false);
    auto* trailers = exchange(one).arena.make<HeaderMap>(exchange(one).arena);
    trailers->add("x-sum", "1");
    exchange(one).stream->send_trailers(*trailers);
  });
  EXPECT_FALSE(peer.wait_for(kHeaders).ends());
  const Frame body = peer.wait_for(kData);
  EXPECT_EQ(body.payload, "hello");
  EXPECT_FALSE(body.ends());
  const Frame trailers = peer.wait_for(kHeaders);
  EXPECT_TRUE(trailers.ends());
  EXPECT_EQ(trailers.get("x-sum"), "1");
  peer.send(response(1, false) + data(1, "answer", false) +
            frame(kHeaders, kEndHeaders | kEndStream, 1, section({{"grpc-status", "0"}})));
  EXPECT_HEARD(one, "head 200; over; body answer; trailers");
  t_.run([&] { EXPECT_EQ(exchange(one).trailers->get("grpc-status"), "0"); });
}

TEST_F(H2ClientTest, InformationalResponses) {
  Peer peer = open();
  const int one = start("GET", "/", true);
  peer.wait_for(kHeaders);
  peer.send(response(1, false, "103") + response(1, false, "103") + response(1, true, "204"));
  EXPECT_HEARD(one, "info 103; info 103; over; head 204; end");
}

TEST_F(H2ClientTest, ManyExchangesAtOnceInAnyOrder) {
  Peer peer = open();
  std::vector<int> all;
  t_.run([&] {
    for (int i = 0; i < 50; ++i) all.push_back(start_here("GET", "/", true));
  });
  peer.wait_for(kHeaders, 99u);
  std::string answers;
  for (int i = 49; i >= 0; --i)
    answers += response(static_cast<uint32_t>(2 * i + 1), false) +
               data(static_cast<uint32_t>(2 * i + 1), std::to_string(i), true);
  peer.send(answers);
  for (int i = 0; i < 50; ++i)
    EXPECT_HEARD(all[static_cast<size_t>(i)],
                 "head 200; over; body " + std::to_string(i) + "; end");
}

// ---- how many ----

TEST_F(H2ClientTest, ThePeersLimitIsKept) {
  Peer peer = open(setting(3, 2));
  EXPECT_EQ(t_.run([&] { return owner_->client->max_streams(); }), 2u);
  const int one = start("GET", "/", true);
  start("GET", "/", true);
  EXPECT_EQ(start("GET", "/", true), -1);
  int third = -1;
  t_.run([&] { owner_->when_capacity = [&] { third = start_here("GET", "/3", true); }; });
  peer.wait_for(kHeaders, 3u);
  peer.send(response(1, true));
  EXPECT_EQ(peer.wait_for(kHeaders, 5u).get(":path"), "/3");
  EXPECT_HEARD(one, "over; head 200; end");
}

TEST_F(H2ClientTest, OurOwnLimitIsKept) {
  options_.max_concurrent_streams = 1;
  Peer peer = open(setting(3, 1000));
  start("GET", "/", true);
  EXPECT_EQ(start("GET", "/", true), -1);
}

TEST_F(H2ClientTest, SoManyRequestsAndNoMore) {
  options_.max_requests_per_connection = 2;
  Peer peer = open();
  const int one = start("GET", "/", true);
  const int two = start("GET", "/", true);
  EXPECT_EQ(start("GET", "/", true), -1);
  peer.wait_for(kHeaders, 3u);
  peer.send(response(3, true) + response(1, true));
  EXPECT_HEARD(one, "over; head 200; end");
  EXPECT_HEARD(two, "over; head 200; end");
  EXPECT_TRUE(peer.closes());
}

// ---- ends ----

TEST_F(H2ClientTest, ResetsAndWhatTheyMean) {
  const std::vector<std::pair<uint32_t, ResetReason>> cases = {
      {NGHTTP2_REFUSED_STREAM, ResetReason::kRefused},
      {NGHTTP2_INTERNAL_ERROR, ResetReason::kStreamReset},
      {NGHTTP2_CANCEL, ResetReason::kStreamReset},
      {NGHTTP2_NO_ERROR, ResetReason::kStreamReset},
  };
  Peer peer = open();
  for (const auto& [code, reason] : cases) {
    const int one = start("GET", "/", true);
    const Frame head = peer.wait_for(kHeaders);
    peer.send(rst(head.stream, code));
    const std::string why = code == NGHTTP2_REFUSED_STREAM ? "refuse" : "reset";
    EXPECT_HEARD(one, "reset http2.remote_" + why);
    EXPECT_EQ(exchange(one).reason, reason);
  }
}

TEST_F(H2ClientTest, GivingAStreamUpCancelsIt) {
  Peer peer = open();
  const int one = start("POST", "/", false);
  peer.wait_for(kHeaders);
  t_.run([&] { exchange(one).stream->reset(ResetReason::kLocal); });
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_CANCEL);
  EXPECT_EQ(exchange(one).trace, "");
  EXPECT_EQ(t_.run([&] { return owner_->client->active_streams(); }), 0u);
}

TEST_F(H2ClientTest, AStreamGivenUpBeforeItsHeadWasSent) {
  Peer peer = open();
  t_.run([&] {
    Exchange unused;
    owner_->client->open_stream(unused)->reset(ResetReason::kLocal);
    EXPECT_EQ(owner_->client->active_streams(), 0u);
    // In one event: opened, sent, and given up before anything was written.
    const int one = start_here("GET", "/never", true);
    exchange(one).stream->reset(ResetReason::kLocal);
  });
  start("GET", "/then", true);
  EXPECT_EQ(peer.wait_for(kHeaders).get(":path"), "/then");
}

TEST_F(H2ClientTest, AnEarlyResponseStopsTheRequest) {
  Peer peer = open();
  const int one = start("POST", "/", false);
  peer.wait_for(kHeaders);
  peer.send(response(1, true, "413"));
  EXPECT_HEARD(one, "over; head 413; end");
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2ClientTest, AResponseThenResetWithoutError) {
  Peer peer = open();
  const int one = start("POST", "/", false);
  peer.wait_for(kHeaders);
  peer.send(response(1, false, "200") + data(1, "enough", true) + rst(1, NGHTTP2_NO_ERROR));
  EXPECT_HEARD(one, "head 200; over; body enough; end");
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2ClientTest, GoawayRefusesWhatWasNotProcessed) {
  Peer peer = open();
  const int one = start("GET", "/1", true);
  const int two = start("GET", "/2", true);
  peer.wait_for(kHeaders, 3u);
  peer.send(goaway(1, NGHTTP2_NO_ERROR));
  EXPECT_HEARD(two, "reset http2.remote_refuse");
  EXPECT_EQ(exchange(two).reason, ResetReason::kRefused);
  t_.run([&] {
    EXPECT_TRUE(owner_->client->draining());
    EXPECT_FALSE(owner_->client->may_open());
  });
  peer.send(response(1, false) + data(1, "late", true));
  EXPECT_HEARD(one, "head 200; over; body late; end");
  EXPECT_TRUE(peer.closes());
  EXPECT_TRUE(t_.run([&] { return owner_->closed; }));
}

TEST_F(H2ClientTest, AnIdleConnectionClosesOnGoaway) {
  Peer peer = open();
  peer.send(goaway(0, NGHTTP2_NO_ERROR));
  EXPECT_TRUE(peer.closes());
  EXPECT_TRUE(t_.run([&] { return owner_->closed; }));
}

TEST_F(H2ClientTest, DrainingLetsStreamsEnd) {
  Peer peer = open();
  const int one = start("GET", "/", true);
  peer.wait_for(kHeaders);
  t_.run([&] { owner_->client->drain(); });
  EXPECT_EQ(start("GET", "/", true), -1);
  peer.send(response(1, true));
  EXPECT_HEARD(one, "over; head 200; end");
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2ClientTest, TheServerLeaves) {
  Peer peer = open();
  const int one = start("GET", "/", true);
  const int two = start("GET", "/", true);
  peer.wait_for(kHeaders, 3u);
  peer.send(response(1, false) + data(1, "half", false));
  EXPECT_HEARD(one, "head 200");
  bool closed_first = false;
  t_.run([&] { exchange(two).when_reset = [&] { closed_first = owner_->closed; }; });
  peer.socket().close();
  EXPECT_HEARD(two, "reset upstream_remote_disconnect");
  EXPECT_HEARD(one, "head 200; reset upstream_remote_disconnect");
  EXPECT_TRUE(closed_first);
}

TEST_F(H2ClientTest, NothingListens) {
  int port = 0;
  net::Address nowhere;
  {
    net::RawSocket closed = net::RawSocket::listen();
    nowhere = closed.address();
    port = closed.fd();
  }
  EXPECT_GE(port, 0);
  t_.run([&] {
    owner_ = std::make_unique<ClientOwner>(t_.loop());
    owner_->client = std::make_unique<H2Client>(t_.loop(), *owner_, options_, shard_);
    EXPECT_FALSE(owner_->client->may_open());
    if (owner_->client->connect(nowhere, nullptr, 1 << 20) != 0) return;
  });
  t_.run([] {});
  EXPECT_FALSE(t_.run([&] { return owner_->connected; }));
}

// ---- what is no response ----

TEST_F(H2ClientTest, MalformedResponses) {
  const std::string tail = data(1, "x", true);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"no :status", frame(kHeaders, kEndHeaders, 1, section({{"x", "y"}}))},
      {"an empty :status", response(1, false, "")},
      {":status of two digits", response(1, false, "99")},
      {":status of four digits", response(1, false, "2000")},
      {":status that is no number", response(1, false, "2x0")},
      {":status 099", response(1, false, "099")},
      {":status twice", response(1, false, "200", {{":status", "200"}})},
      {"101", response(1, false, "101")},
      {":path", response(1, false, "200", {{":path", "/"}})},
      {"connection", response(1, false, "200", {{"connection", "close"}})},
      {"transfer-encoding", response(1, false, "200", {{"transfer-encoding", "chunked"}})},
      {"upper case", response(1, false, "200", {{"X-A", "y"}})},
      {"CR LF", response(1, false, "200", {{"x", "y\r\nz: 1"}})},
      {"content-length twice",
       response(1, false, "200", {{"content-length", "1"}, {"content-length", "1"}})},
      {"content-length +1", response(1, false, "200", {{"content-length", "+1"}})},
      {"more than the body", response(1, false, "200", {{"content-length", "2"}}) + tail},
      {"less than the body",
       response(1, false, "200", {{"content-length", "1"}}) + data(1, "xy", true)},
      {"a body that does not come", response(1, true, "200", {{"content-length", "2"}})},
      {"a body with 204", response(1, false, "204") + tail},
      {"a body with 304", response(1, false, "304", {{"content-length", "1"}}) + tail},
      {"a body after 1xx", response(1, false, "103") + tail},
      {"1xx that ends", response(1, true, "103")},
      {"trailers with :status",
       response(1, false) + data(1, "x", false) + response(1, true, "200")},
      {"trailers that do not end",
       response(1, false) + frame(kHeaders, kEndHeaders, 1, section({{"x", "y"}}))},
  };
  for (const auto& [what, bytes] : cases) {
    SCOPED_TRACE(what);
    Peer peer = open();
    const int one = start("GET", "/", true);
    peer.wait_for(kHeaders);
    peer.send(bytes);
    EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_PROTOCOL_ERROR);
    EXPECT_TRUE(peer.sync());
    t_.run([&] {
      EXPECT_EQ(exchange(one).reason, ResetReason::kProtocolError) << exchange(one).trace;
      EXPECT_NE(exchange(one).trace.find("reset http2."), std::string::npos);
      EXPECT_EQ(owner_->client->active_streams(), 0u);
    });
  }
}

TEST_F(H2ClientTest, HeadRequestsHaveNoBody) {
  Peer peer = open();
  const int one = start("HEAD", "/", true);
  peer.wait_for(kHeaders);
  peer.send(response(1, true, "200", {{"content-length", "500"}}));
  EXPECT_HEARD(one, "over; head 200; end");
  EXPECT_EQ(exchange(one).response.content_length, 500);
}

TEST_F(H2ClientTest, TooManyInformationalResponses) {
  Peer peer = open();
  const int one = start("GET", "/", true);
  peer.wait_for(kHeaders);
  std::string many;
  for (int i = 0; i < 101; ++i) many += response(1, false, "103");
  peer.send(many);
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(t_.run([&] { return exchange(one).reason; }), ResetReason::kProtocolError);
}

TEST_F(H2ClientTest, TooMuchHead) {
  Peer peer = open();
  const int one = start("GET", "/", true);
  peer.wait_for(kHeaders);
  Lines many;
  for (int i = 0; i < 100; ++i) many.emplace_back("x", "y");
  peer.send(response(1, true, "200", many));
  EXPECT_HEARD(one, "reset http2.too_many_headers");  // :status is one of them
  EXPECT_EQ(counter("header_overflow"), 1u);
}

TEST_F(H2ClientTest, WhatNoServerSends) {
  const std::vector<std::string> cases = {
      response(2, false), request(2, true), data(1, "x", false), data(1, "", true),
      frame(kPushPromise, kEndHeaders, 1, number(2, 4) + section(request_lines()))};
  for (const std::string& bytes : cases) {
    Peer peer = open();
    const int one = start("GET", "/", true);
    peer.wait_for(kHeaders);
    peer.send(frame(kSettings, kAck, 0, "") + bytes);
    EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_PROTOCOL_ERROR);
    EXPECT_TRUE(peer.closes());
    EXPECT_HEARD(one, "reset http2.protocol_error");
  }
}

TEST_F(H2ClientTest, ServersThatFlood) {
  std::string pings;
  for (int i = 0; i < 1'100; ++i) pings += ping();
  std::string updates;
  for (int i = 0; i < 50; ++i) updates += window_update(0, 1);
  std::string continuations = frame(kHeaders, 0, 1, line(":status", "200"));
  for (int i = 0; i < 101; ++i) continuations += frame(kContinuation, 0, 1, line("x", "y"));
  const std::string empty = response(1, false) + data(1, "", false) + data(1, "", false);
  for (const std::string& bytes : {pings, updates, continuations, empty}) {
    Peer peer = open();
    const int one = start("GET", "/", true);
    peer.wait_for(kHeaders);
    peer.send(bytes);
    EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_TRUE(peer.closes());
    EXPECT_TRUE(t_.run([&] { return exchange(one).trace.ends_with("http2.inbound_flood"); }));
  }
}

// ---- flow control ----

TEST_F(H2ClientTest, APausedStreamStopsItsServerAndNoOther) {
  options_.initial_stream_window_bytes = 65'535;
  Peer peer = open();
  const int slow = start("GET", "/slow", true);
  const int fast = start("GET", "/fast", true);
  peer.wait_for(kHeaders, 3u);
  t_.run([&] { exchange(slow).stream->pause_reading(true); });
  const std::string piece(16'384, 'x');
  peer.send(response(1, false) + data(1, piece, false) + data(1, piece, false) +
            data(1, piece, false));
  peer.send(response(3, false) + data(3, "quick", true));
  EXPECT_HEARD(fast, "head 200; over; body quick; end");
  EXPECT_TRUE(peer.sync());
  for (const Frame& at : peer.seen) EXPECT_FALSE(at.type == kWindowUpdate && at.stream == 1);
  t_.run([&] {
    EXPECT_EQ(exchange(slow).body, "");
    exchange(slow).stream->pause_reading(false);
  });
  EXPECT_EQ(peer.wait_for(kWindowUpdate, 1u).type, kWindowUpdate);
  peer.send(data(1, "end", true));
  const std::string wanted = "head 200; over; body " + piece + piece + piece + "end; end";
  EXPECT_HEARD(slow, wanted);
}

TEST_F(H2ClientTest, AnAnswerThatIsWholeOutlivesItsStream) {
  for (const bool trailers : {false, true}) {
    Peer peer = open();
    const int one = start("GET", "/", true);
    peer.wait_for(kHeaders, 1u);
    t_.run([&] { exchange(one).stream->pause_reading(true); });
    peer.send(response(1, false) + data(1, "first ", false));
    EXPECT_TRUE(peer.sync());
    peer.send(data(1, "last", !trailers));
    if (trailers) peer.send(frame(kHeaders, kEndHeaders | kEndStream, 1, line("x-t", "1")));
    EXPECT_HEARD(one, trailers ? "head 200; over; body first last; trailers"
                               : "head 200; over; body first last; end");
  }
}

TEST_F(H2ClientTest, ALargeRequestFillsWindowsAndSaysSo) {
  Peer peer = open();
  const int one = start("POST", "/", false);
  const std::string much(300'000, 'x');
  t_.run([&] { exchange(one).stream->send_body(much, false); });
  EXPECT_HEARD(one, "full");
  size_t got = 0;
  while (got < 65'535) got += peer.wait_for(kData).payload.size();
  EXPECT_EQ(got, 65'535u);
  peer.send(window_update(0, 1 << 20) + window_update(1, 1 << 20));
  while (got < much.size()) got += peer.wait_for(kData).payload.size();
  EXPECT_HEARD(one, "full; not full");
}

// ---- PING ----

TEST_F(H2ClientTest, ASilentServerIsGivenUp) {
  options_.keep_alive.interval_ms = 20;
  options_.keep_alive.timeout_ms = 60;
  Peer peer = open();
  const int one = start("GET", "/", true);
  EXPECT_EQ(peer.wait_for(kPing).flags, 0);
  EXPECT_HEARD(one, "reset http2.ping_timeout");
  EXPECT_EQ(counter("keepalive_timeout"), 1u);
}

TEST_F(H2ClientTest, AnAnsweredPingKeepsTheConnection) {
  options_.keep_alive.interval_ms = 10;
  options_.keep_alive.timeout_ms = 200;
  Peer peer = open();
  for (int i = 0; i < 5; ++i) {
    const Frame asked = peer.wait_for(kPing);
    ASSERT_EQ(asked.type, kPing);
    peer.send(frame(kPing, kAck, 0, asked.payload));
  }
  EXPECT_FALSE(t_.run([&] { return owner_->closed; }));
}

TEST_F(H2ClientTest, AfterSilenceAPingGoesBeforeTheRequest) {
  options_.keep_alive.connection_idle_interval_ms = 20;
  options_.keep_alive.timeout_ms = 5'000;
  Peer peer = open();
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  start("GET", "/", true);
  peer.wait_for(kHeaders);
  bool asked = false;
  for (const Frame& at : peer.seen) asked |= at.type == kPing;
  EXPECT_TRUE(asked);
}

TEST_F(H2ClientTest, AnIdleConnectionEnds) {
  options_.idle_timeout_ms = 30;
  Peer peer = open();
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(peer.closes());
}

// ---- RFC 8441 ----

class H2UpgradeTest : public H2ClientTest {
 protected:
  void start_upgrade() {
    t_.run([&] {
      auto one = std::make_unique<Exchange>();
      RequestHead& head = one->prepare("GET", "/chat");
      head.upgrade = "websocket";
      head.headers.add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
      one->stream = owner_->client->open_stream(*one);
      one->stream->send_head(head, false);
      exchanges_.push_back(std::move(one));
    });
  }
};

TEST_F(H2UpgradeTest, BecomesExtendedConnect) {
  Peer peer = open(setting(8, 1));
  start_upgrade();
  const Frame head = peer.wait_for(kHeaders);
  EXPECT_EQ(head.get(":method"), "CONNECT");
  EXPECT_EQ(head.get(":protocol"), "websocket");
  EXPECT_EQ(head.get(":path"), "/chat");
  EXPECT_EQ(head.get("sec-websocket-key"), "");
  EXPECT_FALSE(head.ends());
  peer.send(response(1, false, "200") + data(1, "frames", false));
  EXPECT_HEARD(0, "head 101");
  t_.run([&] {
    EXPECT_EQ(exchange(0).response.headers.get(Known::kUpgrade), "websocket");
    // RFC 6455 1.3
    EXPECT_EQ(exchange(0).response.headers.get("sec-websocket-accept"),
              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    exchange(0).stream->send_body("back", false);
  });
  EXPECT_EQ(peer.wait_for(kData).payload, "back");
  EXPECT_EQ(exchange(0).body, "frames");
}

// RFC 8441 3: a server is not asked before it said that it knows how.
TEST_F(H2UpgradeTest, WaitsForTheServersSettings) {
  Peer peer = open_raw();
  start_upgrade();
  start("GET", "/plain", true);
  EXPECT_EQ(peer.wait_for(kHeaders).get(":path"), "/plain");
  const auto sent = [&] {
    return t_.run([&] { return exchange(0).stream->take_head_bytes_sent(); });
  };
  EXPECT_EQ(sent(), 0u);
  peer.send(settings(setting(8, 1)));
  EXPECT_EQ(peer.wait_for(kHeaders).get(":protocol"), "websocket");
  EXPECT_GT(sent(), 0u);
}

TEST_F(H2UpgradeTest, GoesToNoServerThatDoesNotKnowIt) {
  Peer peer = open_raw();
  start_upgrade();
  peer.send(settings());
  EXPECT_HEARD(0, "reset http2.extended_connect_not_allowed");
  start_upgrade();
  EXPECT_HEARD(1, "reset http2.extended_connect_not_allowed");
  EXPECT_EQ(t_.run([&] { return owner_->client->active_streams(); }), 0u);
  start("GET", "/plain", true);
  EXPECT_EQ(peer.wait_for(kHeaders).get(":path"), "/plain");
}

TEST_F(H2UpgradeTest, MayBeGivenUpWhileItWaits) {
  Peer peer = open_raw();
  start_upgrade();
  t_.run([&] { exchange(0).stream->reset(ResetReason::kLocal); });
  peer.send(settings(setting(8, 1)));
  start("GET", "/plain", true);
  EXPECT_EQ(peer.wait_for(kHeaders).get(":path"), "/plain");
}

}  // namespace
}  // namespace weir::http
