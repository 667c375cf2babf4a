// Telling HTTP and its versions by their first bytes.
#include "proxy/net/http_version.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::net {
namespace {

struct Case {
  std::string bytes;
  HttpVersion version;
};

TEST(HttpVersionTest, Table) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const Case cases[] = {
      {"", HttpVersion::kNeedsMore},
      {"G", HttpVersion::kNeedsMore},
      {"GET", HttpVersion::kNeedsMore},
      {"GET / HTTP/1.", HttpVersion::kNeedsMore},
      {"GET / HTTP/1.1\r", HttpVersion::kNeedsMore},
      {"GET / HTTP/1.1\r\n", HttpVersion::kHttp11},
      {"GET / HTTP/1.1\n", HttpVersion::kHttp11},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n", HttpVersion::kHttp11},
      {"\r\n\r", HttpVersion::kNeedsMore},
      {"POST /a%20b HTTP/1.0\r\n", HttpVersion::kHttp10},
      {"M-SEARCH * HTTP/1.1\r\n", HttpVersion::kHttp11},
      {"GET / HTTP/2.0\r\n", HttpVersion::kNotHttp},
      {"GET /\r\n", HttpVersion::kNotHttp},
      {" GET / HTTP/1.1\r\n", HttpVersion::kNotHttp},
      {"GET\t/ HTTP/1.1\r\n", HttpVersion::kNotHttp},
      {"SSH-2.0-OpenSSH", HttpVersion::kNotHttp},
      {std::string("\x16\x03\x01", 3), HttpVersion::kNotHttp},
      {preface, HttpVersion::kHttp2},
      {preface + "frames", HttpVersion::kHttp2},
      {preface.substr(0, 23), HttpVersion::kNeedsMore},
      {"PRI / HTTP/1.1\r\n", HttpVersion::kHttp11},
      {"PRI * HTTP/2.0\r\nHost: a\r\n", HttpVersion::kNotHttp},
      {std::string(33, 'A'), HttpVersion::kNotHttp},
      {"GET /" + std::string(kMaxSniffedLineBytes, 'a'), HttpVersion::kNotHttp},
  };
  for (const Case& c : cases) EXPECT_EQ(sniff_http_version(c.bytes), c.version) << c.bytes;
}

}  // namespace
}  // namespace weir::net
