// The client's side of HTTP/2: responses, flow control, back-pressure and ends, told to streams
// that keep what they hear.
#include "proxy/http/h2_server.h"

#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http {
namespace {

using namespace h2::testing;

class H2ServerTest : public H2ServerFixture {};

// ---- responses ----

TEST_F(H2ServerTest, ARequestIsAnswered) {
  Peer peer = open(echo);
  peer.send(request(1, true, {}, "GET", "/hello"));
  const Frame head = peer.wait_for(kHeaders);
  EXPECT_EQ(head.get(":status"), "200");
  EXPECT_EQ(head.get("content-length"), "6");
  EXPECT_EQ(head.get("date"), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(peer.body(1), "/hello");
  EXPECT_TRACE(0, "head GET /hello; end");
}

TEST_F(H2ServerTest, ABodyAndItsEndAreOneFrame) {
  Peer peer = open(echo);
  peer.send(request(1, true));
  const Frame body = peer.wait_for(kData);
  EXPECT_EQ(body.payload, "/");
  EXPECT_TRUE(body.ends());
}

TEST_F(H2ServerTest, ManyStreamsAtOnce) {
  Peer peer = open(echo);
  std::string requests;
  for (uint32_t i = 0; i < 50; ++i)
    requests += request(2 * i + 1, true, {}, "GET", "/" + std::to_string(i));
  peer.send(requests);
  for (uint32_t i = 0; i < 50; ++i) EXPECT_EQ(peer.body(2 * i + 1), "/" + std::to_string(i));
}

TEST_F(H2ServerTest, WhatOneTurnAnswersIsOneWrite) {
  Peer peer = open();
  std::string requests;
  for (uint32_t i = 0; i < 20; ++i) requests += request(2 * i + 1, true);
  peer.send(requests);
  EXPECT_TRUE(peer.sync());
  t_.run([&] {
    for (auto& heard : owner_->requests) {
      heard->answer("answer");
      t_.loop().flush();
    }
  });
  const std::string bytes = peer.socket().receive_some();
  size_t ends = 0;
  for (size_t at = bytes.find("answer"); at != std::string::npos; at = bytes.find("answer", at + 1))
    ++ends;
  EXPECT_EQ(ends, 20u);
}

TEST_F(H2ServerTest, HeadersOfOneConnectionAreNotSent) {
  options_.send_date = false;
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    ResponseHead head(heard.arena);
    head.status = 404;
    for (const char* name : {"connection", "keep-alive", "transfer-encoding", "upgrade", "te"})
      head.headers.add(name, "x");
    head.headers.add("x-kept", "y");
    heard.stream.send_head(head, true);
    EXPECT_GT(heard.stream.head_bytes_sent(), 0u);
  });
  const Frame head = peer.wait_for(kHeaders);
  const Lines wanted = {{":status", "404"}, {"x-kept", "y"}};
  EXPECT_EQ(head.lines, wanted);
  EXPECT_TRUE(head.ends());
}

TEST_F(H2ServerTest, InformationalHeadsComeFirst) {
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    ResponseHead early(heard.arena);
    early.status = 103;
    early.headers.add("link", "</a>");
    heard.stream.send_informational(early);
    heard.answer("ok");
  });
  const Frame early = peer.wait_for(kHeaders);
  EXPECT_EQ(early.get(":status"), "103");
  EXPECT_EQ(early.get("link"), "</a>");
  EXPECT_FALSE(early.ends());
  EXPECT_EQ(peer.wait_for(kHeaders).get(":status"), "200");
  EXPECT_EQ(peer.body(1), "ok");
}

TEST_F(H2ServerTest, Trailers) {
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    heard.answer_head(200, false);
    heard.stream.send_body("body", false);
    HeaderMap trailers(heard.arena);
    trailers.add("grpc-status", "0");
    heard.stream.send_trailers(trailers);
    heard.stream.send_body("never", false);
  });
  EXPECT_FALSE(peer.wait_for(kHeaders).ends());
  EXPECT_EQ(peer.wait_for(kData).payload, "body");
  const Frame trailers = peer.wait_for(kHeaders);
  EXPECT_TRUE(trailers.ends());
  EXPECT_EQ(trailers.get("grpc-status"), "0");
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2ServerTest, TrailersWithoutABody) {
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    heard.answer_head(200, false);
    HeaderMap trailers(heard.arena);
    trailers.add("grpc-status", "5");
    heard.stream.send_trailers(trailers);
  });
  EXPECT_FALSE(peer.wait_for(kHeaders).ends());
  EXPECT_EQ(peer.wait_for(kHeaders).get("grpc-status"), "5");
  for (const Frame& at : peer.seen) EXPECT_NE(at.type, kData);
}

TEST_F(H2ServerTest, TrailersWaitForTheWindow) {
  Peer peer = open({}, setting(4, 2));
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [this](HeardRequest& heard) {
    heard.answer_head(200, false);
    heard.stream.send_body("body", false);
    Arena gone_soon;
    HeaderMap trailers(gone_soon);
    trailers.add(gone_soon.copy("x-sum"), gone_soon.copy("12"));
    heard.stream.send_trailers(trailers);
    t_.loop().flush();
  });
  EXPECT_EQ(peer.wait_for(kData).payload, "bo");
  peer.send(window_update(1, 10));
  EXPECT_EQ(peer.wait_for(kData).payload, "dy");
  EXPECT_EQ(peer.wait_for(kHeaders).get("x-sum"), "12");
}

TEST_F(H2ServerTest, HeadRequestsAndStatusesWithoutBodies) {
  Peer peer = open();
  peer.send(request(1, true, {}, "HEAD") + request(3, true) + request(5, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) { heard.answer("not sent"); });
  with(1, [](HeardRequest& heard) { heard.answer("not sent", 304); });
  with(2, [](HeardRequest& heard) { heard.answer_head(204, true); });
  EXPECT_EQ(peer.wait_for(kHeaders, 1u).get("content-length"), "8");
  EXPECT_EQ(peer.body(1), "");
  EXPECT_EQ(peer.body(3), "");
  EXPECT_TRUE(peer.wait_for(kHeaders, 5u).ends());
}

TEST_F(H2ServerTest, AnEarlyAnswerStopsTheRequest) {
  Peer peer = open([](HeardRequest& heard) {
    heard.when_head = [](HeardRequest& r) { r.answer_head(413, true); };
  });
  peer.send(request(1, false, {}, "POST"));
  EXPECT_EQ(peer.wait_for(kHeaders).get(":status"), "413");
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_NO_ERROR);
  peer.send(data(1, "too late", false));
  EXPECT_TRUE(peer.sync());
  EXPECT_TRACE(0, "head POST /");
}

TEST_F(H2ServerTest, AnEarlyAnswerToARequestThatEndsSoonNeedsNoReset) {
  Peer peer = open(
      [](HeardRequest& heard) { heard.when_head = [](HeardRequest& r) { r.answer("early"); }; });
  peer.send(request(1, false, {}, "POST"));
  EXPECT_EQ(peer.body(1), "early");
  peer.send(data(1, "the rest", true));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(peer.wait_for(kRstStream, std::chrono::milliseconds(150)).type, 0xff);
  EXPECT_TRACE(0, "head POST /");
}

TEST_F(H2ServerTest, ABrokenResponseIsReset) {
  Peer peer = open();
  peer.send(request(1, true) + request(3, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    heard.answer_head(200, false);
    heard.stream.send_body("half", false);
  });
  EXPECT_EQ(peer.wait_for(kData).payload, "half");
  with(0, [](HeardRequest& heard) { heard.stream.reset(ResetReason::kPeerReset); });
  EXPECT_EQ(peer.wait_for(kRstStream, 1u).error_code(), NGHTTP2_INTERNAL_ERROR);
  with(1, [](HeardRequest& heard) { heard.stream.reset(ResetReason::kRefused); });
  EXPECT_EQ(peer.wait_for(kRstStream, 3u).error_code(), NGHTTP2_REFUSED_STREAM);
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2ServerTest, AClientsResetIsTold) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST") + data(1, "hal", false));
  EXPECT_TRACE(0, "head POST /");
  peer.send(rst(1, NGHTTP2_CANCEL));
  EXPECT_TRACE(0, "head POST /; reset http2.remote_reset");
  with(0, [](HeardRequest& heard) { EXPECT_EQ(heard.reason, ResetReason::kStreamReset); });
  EXPECT_EQ(counter("rx_reset"), 1u);
}

TEST_F(H2ServerTest, AClientThatLeaves) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST") + request(3, true));
  EXPECT_TRACE(1, "head GET /; end");
  EXPECT_TRUE(peer.sync());
  peer.socket().close();
  EXPECT_TRACE(0, "head POST /; reset downstream_remote_disconnect");
  EXPECT_TRACE(1, "head GET /; end; reset downstream_remote_disconnect");
  EXPECT_TRUE(t_.run([&] { return owner_->closed && owner_->ended_by_peer; }));
}

// A filter that answers from within what it hears, flushing on the way.
TEST_F(H2ServerTest, AFlushInsideOfAnEventHurtsNothing) {
  Peer peer = open([this](HeardRequest& heard) {
    heard.when_head = [this](HeardRequest& r) {
      std::string text = "gone after the flush";
      ResponseHead head(r.arena);
      head.status = 200;
      r.stream.send_head(head, false);
      r.stream.send_body(text, false);
      t_.loop().flush();
      text.assign(text.size(), 'x');
      r.stream.send_body("!", true);
    };
  });
  peer.send(request(1, true) + request(3, true));
  EXPECT_EQ(peer.body(1), "gone after the flush!");
  EXPECT_EQ(peer.body(3), "gone after the flush!");
}

TEST_F(H2ServerTest, TheConnectionMayBeClosedFromWithin) {
  Peer peer = open([this](HeardRequest& heard) {
    heard.when_head = [this](HeardRequest&) { owner_->server->close(); };
  });
  peer.send(request(1, true) + request(3, true) + request(5, true));
  EXPECT_TRUE(peer.closes());
  EXPECT_EQ(request_count(), 1u);
}

// ---- back-pressure ----

TEST_F(H2ServerTest, ALargeResponseFillsTheWindowAndSaysSo) {
  buffer_limit_ = 32 * 1024;
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) {
    heard.answer_head(200, false);
    heard.stream.send_body(big(), false);
  });
  EXPECT_TRACE(0, "head GET /; end; full");
  size_t got = 0;
  while (got < 65'535) got += peer.wait_for(kData).payload.size();
  EXPECT_TRUE(peer.sync());
  peer.send(window_update(0, 1 << 20) + window_update(1, 1 << 20));
  while (got < big().size()) {
    const Frame more = peer.wait_for(kData);
    ASSERT_EQ(more.type, kData);
    got += more.payload.size();
  }
  EXPECT_TRACE(0, "head GET /; end; full; not full");
  with(0, [](HeardRequest& heard) { heard.stream.send_body("end", true); });
  EXPECT_EQ(peer.body(1), "end");
}

TEST_F(H2ServerTest, AStalledSocketStopsStreams) {
  buffer_limit_ = 32 * 1024;
  Peer peer = open({}, setting(4, 0x7fffffff));
  peer.send(window_update(0, 0x7fff0000) + request(1, true));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) { heard.answer_head(200, false); });
  // The socket takes some, the connection's limit a little, the stream its share, and then it says
  // so.
  size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    bool full = false;
    with(0, [&](HeardRequest& heard) {
      full = heard.full;
      if (!full) heard.stream.send_body(big(), false);
    });
    if (full) break;
    sent += big().size();
  }
  EXPECT_LT(sent, 8u << 20);
  EXPECT_TRACE(0, "head GET /; end; full");
  size_t got = 0;
  while (got < sent) {
    const Frame more = peer.wait_for(kData);
    ASSERT_EQ(more.type, kData);
    got += more.payload.size();
  }
  EXPECT_TRACE(0, "head GET /; end; full; not full");
}

TEST_F(H2ServerTest, APausedStreamStopsItsClientAndNoOther) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST"));
  EXPECT_TRUE(peer.sync());
  with(0, [](HeardRequest& heard) { heard.stream.pause_reading(true); });
  const std::string piece(16'384, 'x');
  peer.send(data(1, piece, false) + data(1, piece, false) + data(1, piece, false));
  peer.send(request(3, false, {}, "POST") + data(3, "quick", true));
  EXPECT_TRACE(1, "head POST /; body quick; end");
  EXPECT_TRUE(peer.sync());
  for (const Frame& at : peer.seen) EXPECT_FALSE(at.type == kWindowUpdate && at.stream == 1);
  EXPECT_TRACE(0, "head POST /");
  with(0, [](HeardRequest& heard) {
    EXPECT_EQ(heard.body, "");
    heard.stream.pause_reading(false);
  });
  EXPECT_EQ(peer.wait_for(kWindowUpdate, 1u).type, kWindowUpdate);
  peer.send(data(1, "end", true));
  EXPECT_TRACE(0, "head POST /; body " + piece + piece + piece + "end; end");
}

TEST_F(H2ServerTest, TheEndThatCameWhilePausedComesAfterwards) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST") + request(3, false, {}, "POST"));
  EXPECT_TRUE(peer.sync());
  for (const size_t i : {0, 1})
    with(i, [](HeardRequest& heard) { heard.stream.pause_reading(true); });
  peer.send(data(1, "hello", true) + data(3, "x", false) +
            frame(kHeaders, kEndHeaders | kEndStream, 3, section({{"x-sum", "1"}})));
  EXPECT_TRUE(peer.sync());
  EXPECT_TRACE(0, "head POST /");
  for (const size_t i : {0, 1})
    with(i, [](HeardRequest& heard) { heard.stream.pause_reading(false); });
  EXPECT_TRACE(0, "head POST /; body hello; end");
  EXPECT_TRACE(1, "head POST /; body x; trailers");
  EXPECT_EQ(counter("trailers"), 1u);
}

TEST_F(H2ServerTest, EveryStreamThatWasPausedGoesOn) {
  Peer peer = open(echo);
  constexpr uint32_t kStreams = 9;
  for (uint32_t i = 0; i < kStreams; ++i) peer.send(request(2 * i + 1, false, {}, "POST"));
  EXPECT_TRUE(peer.sync());
  t_.run([&] {
    for (auto& heard : owner_->requests) heard->stream.pause_reading(true);
  });
  for (uint32_t i = 0; i < kStreams; ++i) peer.send(data(2 * i + 1, std::to_string(i), true));
  EXPECT_TRUE(peer.sync());
  t_.run([&] {
    for (auto& heard : owner_->requests) heard->stream.pause_reading(false);
  });
  uint32_t answers = 0;
  peer.wait_for([&](const Frame& at) {
    if (at.type == kData && at.payload == std::to_string(at.stream / 2)) ++answers;
    return answers == kStreams;
  });
  EXPECT_EQ(answers, kStreams);
}

TEST_F(H2ServerTest, AClientThatDoesNotTakeItsAnswerIsReset) {
  options_.stream_flush_timeout_ms = 50;
  Peer peer = open(echo, setting(4, 0));
  peer.send(request(1, true));
  EXPECT_EQ(peer.wait_for(kRstStream).error_code(), NGHTTP2_CANCEL);
  EXPECT_EQ(counter("tx_flush_timeout"), 1u);
  EXPECT_TRUE(peer.sync());
}

TEST_F(H2ServerTest, AByteNowAndThenIsNotTaking) {
  options_.stream_flush_timeout_ms = 60;
  Peer peer = open(echo, setting(4, 0));
  peer.send(request(1, true, {}, "GET", "/" + std::string(500, 'x')));
  Frame last;
  for (int i = 0; i < 40 && last.type != kRstStream; ++i) {
    peer.send(window_update(1, 1));
    last = peer.wait_for([](const Frame& at) { return at.type == kRstStream; }, 10);
  }
  EXPECT_EQ(last.type, kRstStream);
  EXPECT_EQ(last.error_code(), NGHTTP2_CANCEL);
}

TEST_F(H2ServerTest, WhatWaitsForWindowsIsCounted) {
  const auto pending = [&] {
    EXPECT_TRUE(t_.run([] { return true; }));
    return registry_.value("http2.pending_send_bytes");
  };
  Peer peer = open(echo, setting(4, 10));
  const std::string path = "/" + std::string(999, 'x');
  peer.send(request(1, true, {}, "GET", path) + request(3, true, {}, "GET", path));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(pending(), 1980u);
  peer.send(window_update(1, 500));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(pending(), 1480u);
  peer.send(window_update(1, 1000) + rst(3, NGHTTP2_CANCEL));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(pending(), 0u);
  peer.send(request(5, true, {}, "GET", path));
  EXPECT_TRUE(peer.sync());
  EXPECT_EQ(pending(), 990u);
  close_server();
  EXPECT_EQ(pending(), 0u) << "what a connection took with it waits no more";
}

// ---- ends ----

TEST_F(H2ServerTest, WhoHearsOfItsEndMayCloseIt) {
  const auto close = [this] {
    if (owner_->server != nullptr) owner_->server->close();
  };
  const auto prepare = [&](HeardRequest& request) { request.when_gone = close; };
  for (const std::string& last : {std::string(), data(0, "", false)}) {
    Peer peer = open(prepare);
    peer.send(request(1, true) + request(3, true));
    EXPECT_TRUE(peer.sync());
    if (last.empty()) peer.socket().close();
    peer.send(last);
    EXPECT_TRUE(closed());
    EXPECT_EQ(t_.run([&] { return owner_->closed_calls; }), 1);
  }
}

TEST_F(H2ServerTest, DrainingSaysSoTwice) {
  options_.drain_timeout_ms = 60;
  Peer peer = open();
  peer.send(request(1, false, {}, "POST"));
  EXPECT_TRUE(peer.sync());
  t_.run([&] { owner_->server->drain(10'000); });
  const Frame notice = peer.wait_for(kGoaway);
  EXPECT_EQ(notice.number_at(0), 0x7fffffffu);
  EXPECT_EQ(notice.error_code(), NGHTTP2_NO_ERROR);
  // What was on its way is still served.
  peer.send(request(3, true));
  EXPECT_TRACE(1, "head GET /; end");
  const Frame last = peer.wait_for(kGoaway);
  EXPECT_EQ(last.number_at(0), 3u);
  EXPECT_EQ(last.error_code(), NGHTTP2_NO_ERROR);
  peer.send(request(5, true) + data(1, "x", true));
  EXPECT_TRACE(0, "head POST /; body x; end");
  for (const size_t i : {0, 1}) with(i, [](HeardRequest& heard) { heard.answer("late"); });
  EXPECT_EQ(peer.body(1), "late");
  EXPECT_EQ(ended(peer), EndCause::kDrain);
  EXPECT_EQ(request_count(), 2u);
}

TEST_F(H2ServerTest, DrainingAtOnce) {
  Peer peer = open();
  t_.run([&] { owner_->server->drain(0); });
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 0u);
  EXPECT_EQ(ended(peer), EndCause::kDrain);
}

TEST_F(H2ServerTest, AnOwnerThatDrainsIsNoticedWithTheNextResponse) {
  options_.drain_timeout_ms = 20;
  Peer peer = open(echo);
  t_.run([&] { owner_->drains = true; });
  peer.send(request(1, true));
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 0x7fffffffu);
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 1u);
  EXPECT_EQ(ended(peer), EndCause::kDrain);
}

TEST_F(H2ServerTest, AnIdleConnectionEnds) {
  options_.idle_timeout_ms = 40;
  Peer peer = open(echo);
  peer.send(request(1, true));
  EXPECT_EQ(peer.body(1), "/");
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 1u);
  EXPECT_EQ(ended(peer), EndCause::kIdle);
}

TEST_F(H2ServerTest, ABusyConnectionIsNotIdle) {
  options_.idle_timeout_ms = 30;
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_EQ(peer.wait_for(kGoaway, std::chrono::milliseconds(120)).type, 0xff);
  with(0, [](HeardRequest& heard) { heard.answer("slow"); });
  EXPECT_EQ(peer.body(1), "slow");
  EXPECT_TRUE(peer.closes());
}

TEST_F(H2ServerTest, AnOldConnectionDrains) {
  options_.max_connection_duration_ms = 30;
  options_.drain_timeout_ms = 30;
  Peer peer = open();
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 0x7fffffffu);
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 0u);
  EXPECT_EQ(ended(peer), EndCause::kMaxDuration);
}

TEST_F(H2ServerTest, SoManyRequestsAndNoMore) {
  options_.max_requests_per_connection = 2;
  options_.drain_timeout_ms = 20;
  Peer peer = open(echo);
  peer.send(request(1, true));
  EXPECT_EQ(peer.body(1), "/");
  peer.send(request(3, true));
  EXPECT_EQ(peer.wait_for(kGoaway).number_at(0), 0x7fffffffu);
  EXPECT_EQ(ended(peer), EndCause::kMaxRequests);
}

TEST_F(H2ServerTest, AHeadThatDoesNotEnd) {
  options_.request_headers_timeout_ms = 40;
  Peer peer = open();
  peer.send(request(1, true).substr(0, 30));
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(ended(peer), EndCause::kLateHead);
  t_.run([&] { EXPECT_EQ(owner_->abandoned, 1u); });
}

TEST_F(H2ServerTest, ASilentClientIsGivenUp) {
  options_.keep_alive.interval_ms = 20;
  options_.keep_alive.timeout_ms = 50;
  Peer peer = open();
  peer.send(request(1, true));
  EXPECT_EQ(peer.wait_for(kPing).flags, 0);
  EXPECT_EQ(ended(peer), EndCause::kNone);
  EXPECT_TRACE(0, "head GET /; end; reset http2.ping_timeout");
}

// ---- RFC 8441 ----

TEST_F(H2ServerTest, ExtendedConnectBecomesAnUpgrade) {
  options_.allow_connect = true;
  Peer peer = open();
  const Lines lines = {{":method", "CONNECT"}, {":protocol", "websocket"},
                       {":scheme", "https"},   {":authority", "a.example"},
                       {":path", "/chat"},     {"sec-websocket-version", "13"}};
  peer.send(frame(kHeaders, kEndHeaders, 1, section(lines)) + data(1, "frames", false));
  EXPECT_TRACE(0, "head GET /chat");
  with(0, [](HeardRequest& heard) {
    EXPECT_EQ(heard.head.upgrade, "websocket");
    EXPECT_EQ(heard.head.method, Method::kGet);
    EXPECT_EQ(heard.head.headers.get("sec-websocket-key").size(), 24u);
    EXPECT_EQ(heard.body, "frames");
    ResponseHead accepted(heard.arena);
    accepted.status = 101;
    accepted.headers.add("upgrade", "websocket");
    accepted.headers.add("connection", "upgrade");
    accepted.headers.add("sec-websocket-accept", "x");
    accepted.headers.add("sec-websocket-protocol", "chat");
    heard.stream.send_head(accepted, false);
    heard.stream.send_body("back", false);
  });
  const Frame head = peer.wait_for(kHeaders);
  EXPECT_EQ(head.get(":status"), "200");
  EXPECT_EQ(head.get("upgrade"), "");
  EXPECT_EQ(head.get("sec-websocket-accept"), "");
  EXPECT_EQ(head.get("sec-websocket-protocol"), "chat");
  EXPECT_EQ(peer.wait_for(kData).payload, "back");
  peer.send(data(1, "", true));
  EXPECT_TRACE(0, "head GET /chat; body frames; end");
}

}  // namespace
}  // namespace weir::http
