// Request heads: every case is also parsed at each of its prefixes, as reads would deliver them.
#include "proxy/http/h1_parser.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http::h1 {
namespace {

using std::string_literals::operator""s;

// A parsed request and the memory that it stands in, of exactly its size.
struct Request {
  explicit Request(std::string_view text, const Limits& limits = {})
      : bytes(text.begin(), text.end()),
        parsed(parse_request(bytes.data(), bytes.size(), limits, head, framing)) {}

  std::vector<char> bytes;
  Arena arena;
  RequestHead head{arena};
  Framing framing;
  Parsed parsed;
};

// Parses the whole, after checking that no shorter piece of it is taken for a request.
std::unique_ptr<Request> accept(std::string_view text, const Limits& limits = {}) {
  for (size_t n = 0; n < text.size(); ++n) {
    const Request part(text.substr(0, n), limits);
    EXPECT_EQ(part.parsed.status, Status::kNeedMore) << text.substr(0, n);
  }
  auto whole = std::make_unique<Request>(text, limits);
  EXPECT_EQ(whole->parsed.status, Status::kDone) << text << whole->parsed.details;
  EXPECT_EQ(whole->parsed.consumed, text.size());
  return whole;
}

// An error stays the same error whatever follows, and no piece of it is taken for a request.
void reject(std::string_view text, uint16_t status, std::string_view details,
            const Limits& limits = {}) {
  bool failed = false;
  for (size_t n = 0; n <= text.size(); ++n) {
    const Request part(text.substr(0, n), limits);
    EXPECT_NE(part.parsed.status, Status::kDone) << text.substr(0, n);
    EXPECT_TRUE(!failed || part.parsed.status == Status::kError) << text.substr(0, n);
    failed = part.parsed.status == Status::kError;
    if (!failed) continue;
    EXPECT_EQ(part.parsed.error_status, status) << text;
    EXPECT_EQ(part.parsed.details, details) << text;
  }
  EXPECT_TRUE(failed) << text;
}

std::string get(std::string_view lines, std::string_view version = "1.1") {
  return "GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}

TEST(ParseRequest, Head) {
  const auto r = accept(
      "POST /a/b?c=d HTTP/1.1\r\nHost: example.com:8080\r\nX-One:  two words \t\r\n"
      "content-length: 12\r\nEMPTY:\r\nObs: caf\xc3\xa9\r\n\r\n");
  EXPECT_EQ(r->head.method, Method::kPost);
  EXPECT_EQ(r->head.method_text, "POST");
  EXPECT_EQ(r->head.protocol, Protocol::kHttp11);
  EXPECT_EQ(r->head.path, "/a/b?c=d");
  EXPECT_EQ(r->head.path_without_query(), "/a/b");
  EXPECT_EQ(r->head.authority, "example.com:8080");
  EXPECT_EQ(r->head.headers.get("x-one"), "two words");
  EXPECT_EQ(r->head.headers.get("obs"), "caf\xc3\xa9");
  EXPECT_TRUE(r->head.headers.has("empty"));
  EXPECT_EQ(r->head.headers.get("empty"), "");
  EXPECT_FALSE(r->head.headers.has(Known::kHost)) << "kept as the authority alone";
  EXPECT_EQ(r->head.content_length, 12);
  EXPECT_TRUE(r->framing.has_host);
  EXPECT_TRUE(r->framing.keep_alive);
  EXPECT_FALSE(r->framing.chunked);
  EXPECT_FALSE(r->framing.absolute_form);
}

TEST(ParseRequest, ViewsSurviveTheReadBuffer) {
  auto r = accept("GET /path HTTP/1.1\r\nHost: host\r\nName: value\r\n\r\n");
  std::fill(r->bytes.begin(), r->bytes.end(), '#');
  EXPECT_EQ(r->head.method_text, "GET");
  EXPECT_EQ(r->head.path, "/path");
  EXPECT_EQ(r->head.authority, "host");
  EXPECT_EQ(r->head.headers.get("name"), "value");
}

TEST(ParseRequest, LeavesWhatFollows) {
  const std::string first = get("");
  const Request r(first + get("Content-Length: 3\r\n"));
  EXPECT_EQ(r.parsed.status, Status::kDone);
  EXPECT_EQ(r.parsed.consumed, first.size());
  EXPECT_EQ(r.head.content_length, 0);
}

TEST(ParseRequest, OneEmptyLineInFront) {
  EXPECT_EQ(accept("\r\n" + get(""))->head.path, "/");
  reject("\r\n\r\n" + get(""), 400, "http1.invalid_method");
  reject("\n" + get(""), 400, "http1.invalid_method");
  reject("\rG", 400, "http1.invalid_method");
}

TEST(ParseRequest, Methods) {
  EXPECT_EQ(accept("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n")->head.method_text, "M-SEARCH");
  EXPECT_EQ(accept("get / HTTP/1.1\r\nHost: a\r\n\r\n")->head.method, Method::kOther);
  for (const char* method : {" GET", "\tGET", "G(T", "GE\"T", "G\xc3\xa4T", ""})
    reject(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.invalid_method");
  reject("G\0T / HTTP/1.1\r\n\r\n"s, 400, "http1.invalid_method");
  reject("GET\t/ HTTP/1.1\r\n\r\n", 400, "http1.invalid_method");
}

TEST(ParseRequest, TargetForms) {
  const auto absolute = accept("GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(absolute->head.path, "/p?q");
  EXPECT_EQ(absolute->head.authority, "b:81") << "RFC 9112 3.2.2: the target wins";
  EXPECT_TRUE(absolute->framing.absolute_form);
  EXPECT_EQ(accept("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "/");
  EXPECT_EQ(accept("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "/?q");
  EXPECT_EQ(accept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")->head.path, "*");
  const auto connect = accept("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connect->head.authority, "b:443");
  EXPECT_EQ(connect->head.path, "");
  for (const char* target : {"GET *", "GET a/b", "GET http://", "GET http:///p", "GET http://b#f",
                             "GET ?q", "GET  /", "GET /\x7f", "GET http:/b"})
    reject(std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.invalid_target");
  reject("GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.invalid_scheme");
  reject("CONNECT b/c HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http1.invalid_connect_target");
}

TEST(ParseRequest, RequestLineEndings) {
  reject("GET / HTTP/1.1\nHost: a\n\n", 400, "http1.invalid_request_line");
  reject("GET / HTTP/1.1 \r\n\r\n", 400, "http1.invalid_request_line");
  reject("GET / HTTP/1.11\r\n\r\n", 400, "http1.invalid_request_line");
  reject("GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "http1.invalid_request_line");
  reject("GET /a b HTTP/1.1\r\n\r\n", 400, "http1.invalid_version");
  reject("GET /  HTTP/1.1\r\n\r\n", 400, "http1.invalid_version");
  reject("GET / http/1.1\r\n\r\n", 400, "http1.invalid_version");
  reject("GET / HTTP/x.1\r\n\r\n", 400, "http1.invalid_version");
  reject("GET /\r\nHost: a\r\n\r\n", 400, "http1.invalid_target");
  for (const char* version : {"0.9", "1.2", "2.0", "3.0"})
    reject(get("", version), 505, "http1.unsupported_version");
  reject("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http1.unsupported_version");
}

TEST(ParseRequest, ContentLength) {
  EXPECT_EQ(accept(get("Content-Length: 0\r\n"))->head.content_length, 0);
  EXPECT_EQ(accept(get("Content-Length: 999999999999999999\r\n"))->head.content_length,
            999'999'999'999'999'999);
  for (const char* value :
       {"", "+5", "-0", "-1", "0x5", "010", "00", "5,5", "5, 5", "5 5", "5a", "1e3", "1_0",
        "18446744073709551616", "9223372036854775808", "5;", "\xef\xbc\x95"})
    reject(get("Content-Length: " + std::string(value) + "\r\n"), 400,
           "http1.invalid_content_length");
  reject(get("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "http1.duplicate_content_length");
  reject(get("Content-Length: 5\r\ncontent-length: 5\r\n"), 400, "http1.duplicate_content_length");
}

TEST(ParseRequest, TransferEncoding) {
  const auto r = accept(get("Transfer-Encoding: Chunked\r\n"));
  EXPECT_TRUE(r->framing.chunked);
  EXPECT_EQ(r->head.content_length, kUnknownLength);
  for (const char* value :
       {"identity", "gzip", "chunked, gzip", "chunked, chunked", ",chunked", "chunked,",
        "gzip,, chunked", "gzip;q=1, chunked", "chunked;a=b", "xchunked", "\"chunked\"", "",
        "chunk ed", "chunked\xa0", "\xa0gzip, chunked"})
    reject(get("Transfer-Encoding: " + std::string(value) + "\r\n"), 400,
           "http1.invalid_transfer_encoding");
  for (const char* value : {"gzip, chunked", "identity,chunked", "a , b,\tCHUNKED"})
    reject(get("Transfer-Encoding: " + std::string(value) + "\r\n"), 501,
           "http1.invalid_transfer_encoding");
  reject(get("Transfer-Encoding: \x0b"
             "chunked\r\n"),
         400, "http1.invalid_header_value");
  reject(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400,
         "http1.invalid_transfer_encoding");
  reject(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400,
         "http1.invalid_transfer_encoding");
  reject(get("Transfer-Encoding: chunked\r\n", "1.0"), 400, "http1.transfer_encoding_in_http10");
  reject(get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400,
         "http1.content_length_and_transfer_encoding");
  reject(get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400,
         "http1.content_length_and_transfer_encoding");
  reject(get("Transfer_Encoding: chunked\r\n"), 400, "http1.framing_header_alias");
  reject(get("CONTENT_LENGTH: 5\r\n"), 400, "http1.framing_header_alias");
}

TEST(ParseRequest, FieldLines) {
  reject(get("A: b\nC: d\r\n"), 400, "http1.invalid_header_value");
  reject(get("A: b\rC: d\r\n"), 400, "http1.invalid_header_value");
  reject(get("A: b\r\rX\r\n"), 400, "http1.invalid_header_value");
  reject(get("A: b\r\n c\r\n"), 400, "http1.obs_fold");
  reject(get("A: b\r\n\tc\r\n"), 400, "http1.obs_fold");
  reject("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "http1.obs_fold");
  reject(get("A: b\0c\r\n"s), 400, "http1.invalid_header_value");
  reject(get("A: \x01\r\n"), 400, "http1.invalid_header_value");
  reject(get("A: 0123456789abcdef0123456789\x1f\r\n"), 400, "http1.invalid_header_value");
  reject(get("A: 0123456789abcdef0123456789\x7f\r\n"), 400, "http1.invalid_header_value");
  for (const char* line : {"A : b", ": b", "A b: c", "A", "(A): b", "A\x80: b", "A\t: b", "@: b"})
    reject(get(std::string(line) + "\r\n"), 400, "http1.invalid_header_name");
  reject(get("A\0: b\r\n"s), 400, "http1.invalid_header_name");
  reject("GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "http1.invalid_header_name");
  EXPECT_EQ(accept(get("A:\tb\tc\t\r\n"))->head.headers.get("a"), "b\tc");
  EXPECT_EQ(accept(get("!#$%&'*+-.^_`|~09aZ: x\r\n"))->head.headers.get("!#$%&'*+-.^_`|~09az"),
            "x");
}

TEST(ParseRequest, Host) {
  reject(get("Host: b\r\n"), 400, "http1.duplicate_host");
  EXPECT_FALSE(accept("GET / HTTP/1.1\r\n\r\n")->framing.has_host);
  const auto empty = accept("GET / HTTP/1.1\r\nHost:\r\n\r\n");
  EXPECT_TRUE(empty->framing.has_host);
  EXPECT_EQ(empty->head.authority, "");
}

TEST(ParseRequest, KeepAlive) {
  const auto keeps = [](std::string_view lines, std::string_view version) {
    return accept(get(lines, version))->framing.keep_alive;
  };
  EXPECT_TRUE(keeps("", "1.1"));
  EXPECT_FALSE(keeps("", "1.0"));
  EXPECT_FALSE(keeps("Connection: Close\r\n", "1.1"));
  EXPECT_FALSE(keeps("Connection: x , close\r\n", "1.1"));
  EXPECT_FALSE(keeps("Connection: x\r\nConnection: close\r\n", "1.1"));
  EXPECT_TRUE(keeps("Connection: closed\r\n", "1.1"));
  EXPECT_TRUE(keeps("Connection: Keep-Alive\r\n", "1.0"));
  EXPECT_FALSE(keeps("Connection: keep-alive, close\r\n", "1.0"));
}

TEST(ParseRequest, Upgrade) {
  const auto upgrade = [](std::string_view lines, std::string_view version = "1.1") {
    const auto r = accept(get(lines, version));
    EXPECT_EQ(r->framing.upgrade, !r->head.upgrade.empty());
    return std::string(r->head.upgrade);
  };
  EXPECT_EQ(upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), "websocket");
  EXPECT_EQ(upgrade("Upgrade: websocket\r\n"), "") << "Connection does not name it";
  EXPECT_EQ(upgrade("Connection: upgrade\r\n"), "");
  EXPECT_EQ(upgrade("Connection: upgrade\r\nUpgrade: H2C\r\n"), "");
  EXPECT_EQ(upgrade("Connection: upgrade\r\nUpgrade: websocket\r\n", "1.0"), "");
}

TEST(ParseRequest, Expect) {
  EXPECT_TRUE(accept(get("Expect: 100-Continue\r\n"))->head.expects_continue);
  EXPECT_FALSE(accept(get("Expect: 100-continue\r\n", "1.0"))->head.expects_continue);
  EXPECT_FALSE(accept(get("Expect: else\r\n"))->head.expects_continue);
}

TEST(ParseRequest, Limits) {
  const Limits few{.max_header_count = 3};
  accept(get("A: b\r\nC: d\r\n"), few);
  reject(get("A: b\r\nC: d\r\nE: f\r\n"), 431, "http1.too_many_headers", few);
  // Host is one of them, wherever it stands.
  accept("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nHost: a\r\n\r\n", few);
  reject("GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\nHost: a\r\n\r\n", 431,
         "http1.too_many_headers", few);
  const std::string text = get("A: " + std::string(100, 'x') + "\r\n");
  accept(text, {.max_head_bytes = text.size()});
  reject(text, 431, "http1.headers_too_large", {.max_head_bytes = text.size() - 1});
}

// Each byte value at each place of a small head: nothing crashes, and what is accepted has no
// control character anywhere but in the line ends.
TEST(ParseRequest, EveryByteEverywhere) {
  const std::string good = "GET /p HTTP/1.1\r\nHost: a\r\nAb: cd\r\n\r\n";
  for (size_t at = 0; at < good.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string text = good;
      text[at] = static_cast<char>(value);
      const Request r(text);
      if (r.parsed.status != Status::kDone || text == good) continue;
      const auto c = static_cast<unsigned char>(value);
      EXPECT_TRUE((c >= 0x20 && c != 0x7f) || c == '\t') << at << ": " << value;
    }
  }
}

TEST(IsToken, Tokens) {
  EXPECT_TRUE(is_token("abc-1"));
  for (const char* text : {"", "a b", "a:", "a/", "\x80"}) EXPECT_FALSE(is_token(text)) << text;
}

}  // namespace
}  // namespace weir::http::h1
