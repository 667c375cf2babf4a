#include "tests/harness/strict_http.h"

#include <gtest/gtest.h>

namespace weir::test {
namespace {

Parsed request(std::string_view bytes) {
  Message message;
  return parse_request(bytes, message).parsed;
}

Parsed response(std::string_view bytes, ResponseContext context = {}) {
  Message message;
  return parse_response(bytes, context, message).parsed;
}

TEST(StrictRequest, TellsPartsFromTheWhole) {
  EXPECT_EQ(request(""), Parsed::kNothing);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\n"), Parsed::kNothing);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Parsed::kComplete);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"), Parsed::kHead);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
            Parsed::kHead);
}

TEST(StrictRequest, KeepsWhatItRead) {
  Message message;
  const std::string bytes =
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX:  v \r\n\r\n"
      "A\r\n0123456789\r\n0\r\nT: 1\r\n\r\nGET";
  ASSERT_EQ(parse_request(bytes, message).parsed, Parsed::kComplete);
  EXPECT_EQ(message.method, "POST");
  EXPECT_EQ(message.target, "/x");
  EXPECT_EQ(message.values("x"), std::vector<std::string>{"v"});
  EXPECT_EQ(message.body, "0123456789");
  ASSERT_EQ(message.trailers.size(), 1u);
  EXPECT_EQ(message.wire_bytes, bytes.size() - 3);
  EXPECT_EQ(bytes.substr(message.head_bytes, 2), "A\r");
}

TEST(StrictRequest, RefusesWhatCanBeReadInTwoWays) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string lines :
       {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n", "Content-Length: 01\r\n", "Content-Length:\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: Chunked\r\n", "X : 1\r\n",
        "X\r\n", " X: 1\r\n", "X: a\nb\r\n", "Host: b\r\n", ": 1\r\n"})
    EXPECT_EQ(request(head + lines + "\r\n0\r\n\r\n"), Parsed::kInvalid) << lines;
  EXPECT_EQ(request("GET / HTTP/1.1\r\n\r\n"), Parsed::kInvalid);
  EXPECT_EQ(request("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), Parsed::kInvalid);
  EXPECT_EQ(request("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Parsed::kInvalid);
  EXPECT_EQ(request("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            Parsed::kInvalid);
}

TEST(StrictRequest, RefusesChunksThatAreNotPlain) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string chunks : {"1;x\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n",
                                   "1 \r\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "\r\n\r\n"})
    EXPECT_EQ(request(head + chunks), Parsed::kInvalid) << chunks;
}

TEST(StrictResponse, KnowsWhatHasABody) {
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {"HEAD", false}),
            Parsed::kComplete);
  EXPECT_EQ(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), Parsed::kComplete);
  EXPECT_EQ(response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), Parsed::kInvalid);
  EXPECT_EQ(response("HTTP/1.1 100 Continue\r\n\r\n"), Parsed::kComplete);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\nx", {"CONNECT", false}), Parsed::kComplete);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\nx"), Parsed::kHead);
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\n\r\nx", {"GET", true}), Parsed::kComplete);
}

TEST(StrictResponse, RefusesABadStatusLine) {
  for (const std::string line : {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK",
                                 "HTTP/1.1 200", "HTP/1.1 200 OK", "HTTP/1.1 2x0 OK"})
    EXPECT_EQ(response(line + "\r\nContent-Length: 0\r\n\r\n"), Parsed::kInvalid) << line;
}

}  // namespace
}  // namespace weir::test
