// Response heads and trailer sections, whole and at each of their prefixes.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/h1_parser.h"

namespace weir::http::h1 {
namespace {

using std::string_literals::operator""s;

struct Response {
  explicit Response(std::string_view text, const Limits& limits = {})
      : bytes(text.begin(), text.end()),
        parsed(parse_response(bytes.data(), bytes.size(), limits, head, framing)) {}

  std::vector<char> bytes;
  Arena arena;
  ResponseHead head{arena};
  Framing framing;
  Parsed parsed;
};

std::unique_ptr<Response> accept(std::string_view text, const Limits& limits = {}) {
  for (size_t n = 0; n < text.size(); ++n) {
    const Response part(text.substr(0, n), limits);
    EXPECT_EQ(part.parsed.status, Status::kNeedMore) << text.substr(0, n);
  }
  auto whole = std::make_unique<Response>(text, limits);
  EXPECT_EQ(whole->parsed.status, Status::kDone) << text << whole->parsed.details;
  EXPECT_EQ(whole->parsed.consumed, text.size());
  return whole;
}

// Whatever is wrong with a response, our answer is 502.
void reject(std::string_view text, std::string_view details, const Limits& limits = {}) {
  bool failed = false;
  for (size_t n = 0; n <= text.size(); ++n) {
    const Response part(text.substr(0, n), limits);
    EXPECT_NE(part.parsed.status, Status::kDone) << text.substr(0, n);
    EXPECT_TRUE(!failed || part.parsed.status == Status::kError) << text.substr(0, n);
    failed = part.parsed.status == Status::kError;
    if (!failed) continue;
    EXPECT_EQ(part.parsed.error_status, 502) << text;
    EXPECT_EQ(part.parsed.details, details) << text;
  }
  EXPECT_TRUE(failed) << text;
}

std::string ok(std::string_view lines, std::string_view version = "1.1") {
  return "HTTP/" + std::string(version) + " 200 OK\r\n" + std::string(lines) + "\r\n";
}

TEST(ParseResponse, Head) {
  auto r = accept("HTTP/1.1 404 Not  Found \r\nServer: x\r\nContent-Length: 7\r\n\r\n");
  std::fill(r->bytes.begin(), r->bytes.end(), '#');
  EXPECT_EQ(r->head.status, 404);
  EXPECT_EQ(r->head.reason, "Not  Found");
  EXPECT_EQ(r->head.protocol, Protocol::kHttp11);
  EXPECT_EQ(r->head.headers.get("server"), "x");
  EXPECT_EQ(r->head.content_length, 7);
  EXPECT_TRUE(r->framing.keep_alive);
}

TEST(ParseResponse, Framing) {
  EXPECT_EQ(accept(ok(""))->head.content_length, kUnknownLength);
  EXPECT_TRUE(accept(ok("Transfer-Encoding: chunked\r\n"))->framing.chunked);
  EXPECT_FALSE(accept(ok("Connection: close\r\n"))->framing.keep_alive);
  EXPECT_FALSE(accept(ok("", "1.0"))->framing.keep_alive);
  EXPECT_TRUE(accept(ok("Connection: keep-alive\r\n", "1.0"))->framing.keep_alive);
  EXPECT_TRUE(accept(ok("Connection: upgrade\r\nUpgrade: websocket\r\n"))->framing.upgrade);
  EXPECT_FALSE(accept(ok("Upgrade: websocket\r\n"))->framing.upgrade);
}

TEST(ParseResponse, AHostLineMeansNothing) {
  const auto r = accept(ok("Host: x\r\nA: b\r\n"));
  EXPECT_FALSE(r->head.headers.has(Known::kHost));
  EXPECT_EQ(r->head.headers.count(), 1u);
}

TEST(ParseResponse, StatusLines) {
  EXPECT_EQ(accept("HTTP/1.1 200\r\n\r\n")->head.reason, "");
  EXPECT_EQ(accept("HTTP/1.1 200 \r\n\r\n")->head.reason, "");
  EXPECT_EQ(accept("HTTP/1.0 999 \xe2\x82\xac\r\n\r\n")->head.status, 999);
  for (const char* status : {"20", "2x0", "099", " 200", "-20", "+20"})
    reject("HTTP/1.1 " + std::string(status) + " OK\r\n\r\n", "http1.invalid_status");
  for (const char* line : {"HTTP/1.1\t200 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 200\tOK"})
    reject(std::string(line) + "\r\n\r\n", "http1.invalid_status_line");
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/x.1"})
    reject(std::string(version) + " 200 OK\r\n\r\n", "http1.unsupported_version");
  for (const char* text : {"ICY 200 OK\r\n\r\n", "http/1.1 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK",
                           "<html><body></body></html>"})
    reject(text, "http1.not_http");
  reject("HTTP/1.1 200 OK\nA: b\n\n", "http1.invalid_status_line");
  reject("HTTP/1.1 200 O\0K\r\n\r\n"s, "http1.invalid_status_line");
  reject("HTTP/1.1 200 OK\rA: b\r\n\r\n", "http1.invalid_status_line");
}

TEST(ParseResponse, AmbiguousFraming) {
  reject(ok("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
         "http1.content_length_and_transfer_encoding");
  reject(ok("Transfer-Encoding: chunked\r\n", "1.0"), "http1.transfer_encoding_in_http10");
  reject(ok("Transfer-Encoding: gzip, chunked\r\n"), "http1.invalid_transfer_encoding");
  reject(ok("Content-Length: 1\r\nContent-Length: 1\r\n"), "http1.duplicate_content_length");
  reject(ok("Content-Length: 1, 1\r\n"), "http1.invalid_content_length");
  reject(ok("Content_Length: 1\r\n"), "http1.framing_header_alias");
}

TEST(ParseResponse, FieldLines) {
  reject(ok("A: b\n"), "http1.invalid_header_value");
  reject(ok("A: b\r\n c\r\n"), "http1.obs_fold");
  reject(ok("A : b\r\n"), "http1.invalid_header_name");
  reject(ok("A: b\0\r\n"s), "http1.invalid_header_value");
}

TEST(ParseResponse, Limits) {
  reject(ok("A: b\r\nC: d\r\n"), "http1.too_many_headers", {.max_header_count = 1});
  const std::string text = ok("A: " + std::string(100, 'x') + "\r\n");
  accept(text, {.max_head_bytes = text.size()});
  reject(text, "http1.headers_too_large", {.max_head_bytes = text.size() - 1});
}

// ---- trailers ----

struct Trailers {
  explicit Trailers(std::string_view text, const Limits& limits = {})
      : bytes(text.begin(), text.end()),
        parsed(parse_trailers(bytes.data(), bytes.size(), limits, map)) {}

  std::vector<char> bytes;
  Arena arena;
  HeaderMap map{arena};
  Parsed parsed;
};

TEST(ParseTrailers, EverySplit) {
  for (const std::string text : {"\r\n", "A: b\r\n\r\n", "A: b\r\nX-C:  d \r\n\r\n"}) {
    for (size_t n = 0; n < text.size(); ++n)
      EXPECT_EQ(Trailers(text.substr(0, n)).parsed.status, Status::kNeedMore) << text << n;
    const Trailers whole(text + "GET /");
    EXPECT_EQ(whole.parsed.status, Status::kDone);
    EXPECT_EQ(whole.parsed.consumed, text.size());
  }
}

TEST(ParseTrailers, Values) {
  Trailers t("Grpc-Status: 0\r\nX: y\r\n\r\n");
  std::fill(t.bytes.begin(), t.bytes.end(), '#');
  EXPECT_EQ(t.map.get(Known::kGrpcStatus), "0");
  EXPECT_EQ(t.map.get("x"), "y");
  EXPECT_EQ(t.map.count(), 2u);
}

TEST(ParseTrailers, FramingAndRoutingAreForbidden) {
  for (const char* line : {"Content-Length: 5", "Transfer-Encoding: chunked", "Host: b"}) {
    const Trailers t(std::string(line) + "\r\n\r\n");
    EXPECT_EQ(t.parsed.status, Status::kError) << line;
    EXPECT_EQ(t.parsed.details, "http1.forbidden_trailer");
  }
}

TEST(ParseTrailers, Malformed) {
  for (const std::string text : {"A: b\n\n", "A : b\r\n\r\n", " A: b\r\n\r\n", "A\r\n\r\n", "\n",
                                 "\rX", "A: b\r\n c\r\n\r\n", "Transfer_Encoding: x\r\n\r\n"})
    EXPECT_EQ(Trailers(text).parsed.status, Status::kError) << text;
  const Limits one{.max_header_count = 1};
  EXPECT_EQ(Trailers("A: b\r\nC: d\r\n\r\n", one).parsed.details, "http1.too_many_headers");
}

}  // namespace
}  // namespace weir::http::h1
