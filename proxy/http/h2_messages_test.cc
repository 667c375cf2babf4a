// RFC 9113 section 8 and RFC 7541, case by case: what a server takes for a request, and what it
// refuses before anybody sees it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/http/testing/h2_message_cases.h"
#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http::h2::testing {
namespace {

class H2MessagesTest : public H2ServerFixture {
 protected:
  // The stream is reset, nobody heard of it, and the connection goes on.
  void expect_refused(const std::string& what, const std::string& bytes, bool split) {
    SCOPED_TRACE(what + (split ? ", split" : ""));
    Peer peer = open();
    if (split) {
      peer.send_split(bytes);
    } else {
      peer.send(bytes);
    }
    const Frame reset = peer.wait_for(kRstStream);
    EXPECT_EQ(reset.type, kRstStream);
    EXPECT_EQ(reset.error_code(), NGHTTP2_PROTOCOL_ERROR);
    EXPECT_TRUE(peer.sync());
    t_.run([&] {
      for (const auto& heard : owner_->requests)
        EXPECT_NE(heard->trace.find("reset"), std::string::npos) << heard->trace;
    });
    peer.send(request(3, true));
    EXPECT_TRUE(peer.sync());
    EXPECT_EQ(counter("rx_messaging_error"), ++refused_);
  }
  void expect_all_refused(const NamedBytes& cases) {
    for (const auto& [what, bytes] : cases) {
      expect_refused(what, bytes, false);
      expect_refused(what, bytes, true);
    }
  }
  uint64_t refused_ = 0;
};

TEST_F(H2MessagesTest, PseudoHeaders) {
  expect_all_refused(kBadPseudoHeaders);
}

TEST_F(H2MessagesTest, NamesAndValues) {
  expect_all_refused(kBadNamesAndValues);
}

TEST_F(H2MessagesTest, ConnectionHeaders) {
  expect_all_refused(kBadConnectionHeaders);
}

TEST_F(H2MessagesTest, ContentLength) {
  expect_all_refused(kBadContentLength);
}

TEST_F(H2MessagesTest, Trailers) {
  expect_all_refused(kBadTrailers);
}

TEST_F(H2MessagesTest, Connect) {
  expect_all_refused(kBadConnect);
}

TEST_F(H2MessagesTest, AnInvalidMessageMayEndTheConnection) {
  options_.invalid_message_ends_connection = true;
  Peer peer = open();
  peer.send(request(1, false, {}, "POST") + request(3, true, {{"connection", "close"}}));
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_PROTOCOL_ERROR);
  EXPECT_TRUE(peer.closes());
  EXPECT_TRACE(0, "head POST /; reset http2.connection_header");
}

// ---- what is fine ----

TEST_F(H2MessagesTest, ARequestWithEverything) {
  Peer peer = open();
  peer.send(headers({{":authority", "a.example:8080"},
                     {":path", "/p?q#f"},
                     {":scheme", "HTTPS"},
                     {":method", "OPTIONS"},
                     {"te", "trailers"},
                     {"host", "A.example:8080"},
                     {"x-empty", ""},
                     {"x-tab", "a\tb"},
                     {"x-latin", "\xe9"},
                     {"user-agent", "t"}}));
  EXPECT_TRACE(0, "head OPTIONS /p?q#f; end");
  t_.run([&] {
    const RequestHead& head = owner_->requests[0]->head;
    EXPECT_EQ(head.protocol, Protocol::kHttp2);
    EXPECT_EQ(head.method, Method::kOptions);
    EXPECT_EQ(head.authority, "a.example:8080");
    EXPECT_EQ(head.scheme, "https");
    EXPECT_EQ(head.content_length, 0);
    EXPECT_FALSE(head.headers.has(Known::kHost));
    EXPECT_EQ(head.headers.get(Known::kTe), "trailers");
    EXPECT_EQ(head.headers.get(Known::kUserAgent), "t");
    EXPECT_EQ(head.headers.get("x-tab"), "a\tb");
    EXPECT_TRUE(head.headers.has("x-empty"));
    EXPECT_EQ(head.headers.count(), 5u);
    EXPECT_GT(owner_->requests[0]->stream.head_bytes_received(), 100u);
  });
}

TEST_F(H2MessagesTest, HostStandsInForAuthority) {
  Peer peer = open();
  peer.send(headers({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b"}}));
  EXPECT_TRACE(0, "head GET /; end");
  t_.run([&] { EXPECT_EQ(owner_->requests[0]->head.authority, "b"); });
}

TEST_F(H2MessagesTest, CookiesBecomeOneLine) {
  Peer peer = open();
  Lines lines = request_lines();
  lines.insert(lines.end(), {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", ""}});
  peer.send(headers(lines));
  EXPECT_TRACE(0, "head GET /; end");
  t_.run([&] {
    const HeaderMap& map = owner_->requests[0]->head.headers;
    EXPECT_EQ(map.get(Known::kCookie), "a=1; b=2; ");
    EXPECT_EQ(map.count(), 2u);
  });
}

TEST_F(H2MessagesTest, AsteriskIsForOptions) {
  Peer peer = open();
  peer.send(request(1, true, {}, "OPTIONS", "*"));
  EXPECT_TRACE(0, "head OPTIONS *; end");
}

TEST_F(H2MessagesTest, PlainConnectReachesWhoDecides) {
  Peer peer = open();
  peer.send(headers({{":method", "CONNECT"}, {":authority", "a:443"}}, kEndHeaders));
  EXPECT_TRACE(0, "head CONNECT ");
  t_.run([&] { EXPECT_EQ(owner_->requests[0]->head.authority, "a:443"); });
}

TEST_F(H2MessagesTest, BodiesAndTrailers) {
  Peer peer = open();
  peer.send(request(1, false, {{"content-length", "5"}}, "POST") + data(1, "hel", false));
  EXPECT_TRACE(0, "head POST /");
  peer.send(data(1, "lo", false) + headers({{"x-sum", "42"}, {"te", "trailers"}}));
  EXPECT_TRACE(0, "head POST /; body hello; trailers");
  t_.run([&] {
    EXPECT_EQ(owner_->requests[0]->head.content_length, 5);
    EXPECT_EQ(owner_->requests[0]->trailers->get("x-sum"), "42");
  });
}

TEST_F(H2MessagesTest, EmptyTrailersAreTheEndOfTheBody) {
  Peer peer = open();
  peer.send(request(1, false, {}, "POST") + data(1, "x", false) + headers({}));
  EXPECT_TRACE(0, "head POST /; body x; end");
}

TEST_F(H2MessagesTest, AnExpectationIsNoticed) {
  Peer peer = open();
  peer.send(request(1, false, {{"expect", "100-continue"}}, "POST"));
  EXPECT_TRACE(0, "head POST /");
  t_.run([&] { EXPECT_TRUE(owner_->requests[0]->head.expects_continue); });
}

// ---- RFC 7541 ----

TEST_F(H2MessagesTest, StaticAndDynamicTable) {
  Peer peer = open();
  // :method GET, :scheme http, :path / and :authority by index; one line that is remembered.
  const std::string start = index(2) + index(6) + index(4);
  peer.send(frame(kHeaders, kRequestFlags, 1,
                  start + "\x41" + hpack_text("a.example") + indexed_line("x-kept", "v")));
  EXPECT_TRACE(0, "head GET /; end");
  peer.send(frame(kHeaders, kRequestFlags, 3, start + index(63) + index(62)));
  EXPECT_TRACE(1, "head GET /; end");
  t_.run([&] {
    EXPECT_EQ(owner_->requests[1]->head.authority, "a.example");
    EXPECT_EQ(owner_->requests[1]->head.headers.get("x-kept"), "v");
  });
}

TEST_F(H2MessagesTest, HuffmanText) {
  Peer peer = open();
  // RFC 7541 C.4.1: www.example.com
  const std::string host = "\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
  peer.send(frame(kHeaders, kRequestFlags, 1, index(2) + index(6) + index(4) + "\x41" + host));
  EXPECT_TRACE(0, "head GET /; end");
  t_.run([&] { EXPECT_EQ(owner_->requests[0]->head.authority, "www.example.com"); });
}

TEST_F(H2MessagesTest, WrongCompressionEndsTheConnection) {
  for (const auto& [what, bytes] : kBadCompression) {
    SCOPED_TRACE(what);
    Peer peer = open();
    peer.send(bytes);
    const Frame error = peer.wait_for(kGoaway);
    EXPECT_EQ(error.type, kGoaway);
    EXPECT_EQ(error.error_code(), NGHTTP2_COMPRESSION_ERROR);
    EXPECT_TRUE(peer.closes());
    t_.run([&] {
      for (const auto& heard : owner_->requests) EXPECT_EQ(heard->trace, "");
    });
  }
}

TEST_F(H2MessagesTest, WhatIsFineIsAnswered) {
  for (const NamedBytes* cases : {&kGoodMessages, &kGoodCompression})
    for (const auto& [what, bytes] : *cases) {
      SCOPED_TRACE(what);
      Peer peer = open(echo);
      peer.send_split(bytes);
      EXPECT_EQ(peer.wait_for(kHeaders, 1u).get(":status"), "200");
      EXPECT_EQ(peer.first_error().type, 0xff);
    }
}

TEST_F(H2MessagesTest, ASmallerTableIsKept) {
  Peer peer = open();
  const std::string start = index(2) + index(6) + index(4);
  peer.send(frame(kHeaders, kRequestFlags, 1,
                  table_size(0) + table_size(100) + start + "\x41" + hpack_text("a") +
                      indexed_line("x-long", std::string(200, 'v'))));
  EXPECT_TRACE(0, "head GET /; end");
  // The long line fits into no table of 100 bytes, and emptied it.
  peer.send(frame(kHeaders, kRequestFlags, 3, start + index(62)));
  EXPECT_EQ(peer.wait_for(kGoaway).error_code(), NGHTTP2_COMPRESSION_ERROR);
}

TEST_F(H2MessagesTest, ARefusedSectionStillFillsTheTable) {
  Peer peer = open();
  const std::string start = index(2) + index(6) + index(4) + "\x41" + hpack_text("a.example");
  peer.send(frame(kHeaders, kRequestFlags, 1,
                  start + line("connection", "close") + indexed_line("x-kept", "v")));
  EXPECT_EQ(peer.wait_for(kRstStream).stream, 1u);
  peer.send(
      frame(kHeaders, kRequestFlags, 3, index(2) + index(6) + index(4) + index(63) + index(62)));
  EXPECT_TRACE(0, "head GET /; end");
  t_.run([&] { EXPECT_EQ(owner_->requests[0]->head.headers.get("x-kept"), "v"); });
}

}  // namespace
}  // namespace weir::http::h2::testing
