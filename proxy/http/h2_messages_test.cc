// RFC 9113 section 8 and RFC 7541, case by case: what a server takes for a request, and what it
// refuses before anybody sees it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/http/testing/h2_server_fixture.h"

namespace weir::http::h2::testing {
namespace {

constexpr uint8_t kRequestFlags = kEndHeaders | kEndStream;

std::string headers(const Lines& lines, uint8_t flags = kRequestFlags) {
  return frame(kHeaders, flags, 1, section(lines));
}
// A GET without the pseudo header `name`, or with another value for it.
Lines without(std::string_view name) {
  Lines out;
  for (auto& one : request_lines())
    if (one.first != name) out.push_back(one);
  return out;
}
Lines with(const std::string& name, const std::string& value) {
  Lines out = request_lines();
  for (auto& one : out)
    if (one.first == name) {
      one.second = value;
      return out;
    }
  out.emplace_back(name, value);
  return out;
}
Lines before(const std::string& name, const std::string& value) {
  Lines out = request_lines();
  out.insert(out.begin(), {name, value});
  return out;
}

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
  void expect_all_refused(const std::vector<std::pair<std::string, std::string>>& cases) {
    for (const auto& [what, bytes] : cases) {
      expect_refused(what, bytes, false);
      expect_refused(what, bytes, true);
    }
  }
  uint64_t refused_ = 0;
};

TEST_F(H2MessagesTest, PseudoHeaders) {
  expect_all_refused({
      {"no :method", headers(without(":method"))},
      {"no :scheme", headers(without(":scheme"))},
      {"no :path", headers(without(":path"))},
      {"empty :path", headers(with(":path", ""))},
      {"a :path without a slash", headers(with(":path", "x"))},
      {"an absolute :path", headers(with(":path", "http://a/"))},
      {"* for GET", headers(with(":path", "*"))},
      {"a space in :path", headers(with(":path", "/a b"))},
      {"CR LF in :path", headers(with(":path", "/a\r\nx: y"))},
      {"a tab in :path", headers(with(":path", "/a\tb"))},
      {"bytes above 0x7f in :path", headers(with(":path", "/\xc3\xa4"))},
      {"empty :method", headers(with(":method", ""))},
      {"a space in :method", headers(with(":method", "GET /x"))},
      {"a colon in :method", headers(with(":method", "GET:"))},
      {"CR LF in :authority", headers(with(":authority", "a\r\nx: y"))},
      {"a space in :authority", headers(with(":authority", "a b"))},
      {"an unknown :scheme", headers(with(":scheme", "ftp"))},
      {"an empty :scheme", headers(with(":scheme", ""))},
      {"CR LF in :scheme", headers(with(":scheme", "http\r\n"))},
      {":method twice", headers(before(":method", "POST"))},
      {":path twice", headers(before(":path", "/b"))},
      {":authority twice", headers(before(":authority", "b"))},
      {":scheme twice", headers(before(":scheme", "https"))},
      {"an unknown one", headers(before(":what", "x"))},
      {":status in a request", headers(before(":status", "200"))},
      {"upper case", headers(before(":Method", "GET"))},
      {"after a header", headers({{":method", "GET"},
                                  {":scheme", "http"},
                                  {"x", "y"},
                                  {":authority", "a"},
                                  {":path", "/"}})},
      {"just a colon", headers(before(":", "x"))},
  });
}

TEST_F(H2MessagesTest, NamesAndValues) {
  using namespace std::string_literals;
  expect_all_refused({
      {"an empty name", headers(with("", "x"))},
      {"upper case", headers(with("X-Upper", "x"))},
      {"a space in a name", headers(with("x y", "x"))},
      {"a colon in a name", headers(with("x:y", "x"))},
      {"CR in a name", headers(with("x\r", "x"))},
      {"LF in a name", headers(with("x\n", "x"))},
      {"NUL in a name", headers(with("x\0"s, "x"))},
      {"a byte above 0x7f in a name", headers(with("x\xe9", "x"))},
      {"CR in a value", headers(with("x", "a\rb"))},
      {"LF in a value", headers(with("x", "a\nb"))},
      {"CR LF in a value", headers(with("x", "a\r\ny: z"))},
      {"NUL in a value", headers(with("x", "a\0b"s))},
      {"NUL far back in a value", headers(with("x", std::string(40, 'a') + "\0b"s))},
      {"DEL in a value", headers(with("x", "a\x7f"))},
      {"a space in front", headers(with("x", " a"))},
      {"a tab in front", headers(with("x", "\ta"))},
      {"a space at the end", headers(with("x", "a "))},
      {"a tab at the end", headers(with("x", "a\t"))},
      {"only a space", headers(with("x", " "))},
  });
}

TEST_F(H2MessagesTest, ConnectionHeaders) {
  expect_all_refused({
      {"connection", headers(with("connection", "close"))},
      {"connection that names another", headers(with("connection", "x-forwarded-for"))},
      {"keep-alive", headers(with("keep-alive", "timeout=5"))},
      {"proxy-connection", headers(with("proxy-connection", "close"))},
      {"transfer-encoding", headers(with("transfer-encoding", "chunked"))},
      {"transfer_encoding", headers(with("transfer_encoding", "chunked"))},
      {"content_length", headers(with("content_length", "3"))},
      {"upgrade", headers(with("upgrade", "h2c"))},
      {"te: gzip", headers(with("te", "gzip"))},
      {"te: trailers, gzip", headers(with("te", "trailers, gzip"))},
      {"another host", headers(with("host", "b.example"))},
      {"host with a port", headers(with("host", "a.example:81"))},
      {"host twice", headers({{":method", "GET"},
                              {":scheme", "http"},
                              {":path", "/"},
                              {"host", "a"},
                              {"host", "a"}})},
  });
}

TEST_F(H2MessagesTest, ContentLength) {
  const auto post = [](const std::string& length, bool end = false) {
    return headers(with("content-length", length), end ? kRequestFlags : kEndHeaders);
  };
  expect_all_refused({
      {"empty", post("")},
      {"negative", post("-1")},
      {"signed", post("+1")},
      {"hexadecimal", post("0x5")},
      {"leading zero", post("05")},
      {"a list", post("5, 5")},
      {"2^64", post("18446744073709551616")},
      {"twice", headers({{":method", "POST"},
                         {":scheme", "http"},
                         {":path", "/"},
                         {"content-length", "5"},
                         {"content-length", "5"}},
                        kEndHeaders)},
      {"of an ended request", post("5", true)},
      {"less than the body", post("4") + data(1, "hello", true)},
      {"less than the body, in two", post("4") + data(1, "hel", false) + data(1, "lo", true)},
      {"less than the body that goes on", post("4") + data(1, "hello", false)},
      {"more than the body", post("6") + data(1, "hello", true)},
      {"more than nothing", post("6") + data(1, "", true)},
      {"more than the body before trailers",
       post("6") + data(1, "hello", false) + headers({{"x", "y"}})},
  });
}

TEST_F(H2MessagesTest, Trailers) {
  const std::string body = request(1, false, {}, "POST") + data(1, "x", false);
  expect_all_refused({
      {"with a pseudo header", body + headers({{":path", "/"}})},
      {"with :status", body + headers({{":status", "200"}})},
      {"without an end", body + headers({{"x", "y"}}, kEndHeaders)},
      {"with transfer-encoding", body + headers({{"transfer-encoding", "chunked"}})},
      {"with content-length", body + headers({{"content-length", "1"}})},
      {"with host", body + headers({{"host", "b"}})},
      {"with upper case", body + headers({{"X", "y"}})},
      {"with LF", body + headers({{"x", "y\n"}})},
  });
}

TEST_F(H2MessagesTest, Connect) {
  expect_all_refused({
      {"with :path", headers({{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}})},
      {"with :scheme",
       headers({{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "http"}})},
      {"without :authority", headers({{":method", "CONNECT"}})},
      {"with :protocol that is not allowed", headers({{":method", "CONNECT"},
                                                      {":protocol", "websocket"},
                                                      {":scheme", "http"},
                                                      {":authority", "a"},
                                                      {":path", "/"}})},
      {":protocol with GET", headers(before(":protocol", "websocket"))},
  });
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
  using namespace std::string_literals;
  const std::string start = index(2) + index(6) + index(4);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"2.3.3 index beyond both tables", index(70)},
      {"6.1 index 0", index(0)},
      {"6.2.1 name index beyond both tables", "\x7f\x10"s + hpack_text("x")},
      {"5.1 an integer without end", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
      {"5.1 an integer cut short", "\xff"},
      {"5.2 text longer than the block", "\x40"s + hpack_integer(0, 7, 500) + "x"},
      {"5.2 Huffman padding longer than 7 bits", "\x40\x82\x1f\xff\x81\x1f"},
      {"5.2 Huffman padding of zeros", "\x40\x81\x00\x81\x1f"s},
      {"5.2 Huffman text with EOS", "\x40\x84\xff\xff\xff\xff\x81\x1f"},
      {"4.2 a table size after a line", index(2) + table_size(100)},
      {"6.3 a table size beyond the setting", table_size(4097)},
  };
  for (const auto& [what, bytes] : cases) {
    SCOPED_TRACE(what);
    Peer peer = open();
    const bool first = what.starts_with("6.3");
    peer.send(frame(kHeaders, kRequestFlags, 1, first ? bytes + start : start + bytes));
    const Frame error = peer.wait_for(kGoaway);
    EXPECT_EQ(error.type, kGoaway);
    EXPECT_EQ(error.error_code(), NGHTTP2_COMPRESSION_ERROR);
    EXPECT_TRUE(peer.closes());
    t_.run([&] {
      for (const auto& heard : owner_->requests) EXPECT_EQ(heard->trace, "");
    });
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
