// Chunked bodies: whatever the reads' boundaries, the same bytes give the same body.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/h1_parser.h"

namespace weir::http::h1 {
namespace {

using std::string_literals::operator""s;
using Event = ChunkDecoder::Event;

struct Decoded {
  Event last = Event::kNeedMore;
  std::string body;
  size_t consumed = 0;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds the pieces one after the other, until the end or an error.
Decoded decode(const std::vector<std::string_view>& pieces) {
  ChunkDecoder decoder;
  Decoded out;
  for (const std::string_view piece : pieces) {
    const std::string copy(piece);  // of its own, so that reading past its end is noticed
    std::string_view in = copy;
    for (;;) {
      std::string_view data;
      out.last = decoder.next(in, data);
      out.body += data;
      if (out.last != Event::kData) break;
      EXPECT_FALSE(data.empty());
    }
    out.consumed += copy.size() - in.size();
    if (out.last != Event::kNeedMore) break;
    EXPECT_TRUE(in.empty());
  }
  return out;
}

// The whole, after comparing it with every split into two pieces and with single bytes.
Decoded decode_all_ways(std::string_view text) {
  const Decoded whole = decode({text});
  for (size_t n = 0; n <= text.size(); ++n)
    EXPECT_EQ(decode({text.substr(0, n), text.substr(n)}), whole) << text << " at " << n;
  std::vector<std::string_view> single;
  for (size_t i = 0; i < text.size(); ++i) single.push_back(text.substr(i, 1));
  EXPECT_EQ(decode(single), whole) << text;
  return whole;
}

void accept(std::string_view text, std::string_view body) {
  const Decoded d = decode_all_ways(text);
  EXPECT_EQ(d.last, Event::kEnd) << text;
  EXPECT_EQ(d.body, body) << text;
  EXPECT_EQ(d.consumed, text.size()) << text;
}

void reject(std::string_view text) {
  EXPECT_EQ(decode_all_ways(text).last, Event::kError) << text;
}

TEST(ChunkDecoder, Bodies) {
  accept("0\r\n", "");
  accept("5\r\nhello\r\n0\r\n", "hello");
  accept("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n", "abcdef");
  accept("00a\r\n0123456789\r\n000\r\n", "0123456789");
  accept("B\r\n0\r\n\r\nGET /\r\r\n0\r\n", "0\r\n\r\nGET /\r");
}

TEST(ChunkDecoder, LeavesTheTrailers) {
  const Decoded d = decode({"2\r\nab\r\n0\r\nX: y\r\n\r\n"});
  EXPECT_EQ(d.last, Event::kEnd);
  EXPECT_EQ(d.consumed, 10u);
}

TEST(ChunkDecoder, ValidExtensionsAreDropped) {
  accept("2;a=b\r\nab\r\n0\r\n", "ab");
  accept("2;a;b=c;d=\"e\"\r\nab\r\n0;last\r\n", "ab");
  accept("2; a = b\r\nab\r\n0\r\n", "ab");
  accept("2;a=\"x;\\\"y\\\\ \x80\tz\"\r\nab\r\n0\r\n", "ab");
}

TEST(ChunkDecoder, BadSizes) {
  for (const char* size : {"", "0x5", "1_0", " 5", "5 ", "-1", "+5", "g", "5\t", "\xef\xbc\x95",
                           ".5", "5.0", "5,", "\"5\"", "5h"})
    reject(std::string(size) + "\r\nhello\r\n0\r\n");
  reject("5\0\r\nhello\r\n0\r\n"s);
  reject("10000000000000000\r\n");
  reject("ffffffffffffffff\r\n");
  reject("0000000000000005\r\nhello\r\n0\r\n");
}

TEST(ChunkDecoder, BadLineEnds) {
  reject("5\nhello\n0\n");
  reject("5\r\nhello\n0\r\n");
  reject("5\r\nhello0\r\n");
  reject("5\r\nhello\r0\r\n");
  reject("5\r\nhell0\r\n\r\n0\r\n\r\n");
  reject("5\rhello\r\n");
  reject("5\r\r\nhello\r\n");
  reject("5\r\nhelloo\r\n0\r\n");
  reject("0\r0");
  reject("5\r\nhello\r\n\r\n0\r\n");
}

TEST(ChunkDecoder, BadExtensions) {
  reject("5;\nhello\r\n0\r\n");
  reject("5;a\rX\r\nhello\r\n0\r\n");
  reject("5;a\nhello\r\n0\r\n");
  reject("5;\0\r\nhello\r\n0\r\n"s);
  reject("5;a=\x7f\r\nhello\r\n");
  reject("5;a=\"\r\n\"\r\nhello\r\n");
  reject("5;a=\"\\\r\n\"\r\nhello\r\n");
  reject("5;a=(\r\nhello\r\n");
  reject("5;\x80\r\nhello\r\n");
}

TEST(ChunkDecoder, ExtensionsAreBounded) {
  reject("5;" + std::string(64 * 1024, 'a'));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "1;abcd\r\nx\r\n";
  EXPECT_EQ(decode({many}).last, Event::kError) << "the bound is on all of a body's extensions";
}

TEST(ChunkDecoder, FailureIsFinal) {
  ChunkDecoder decoder;
  std::string_view bad = "x";
  std::string_view data;
  EXPECT_EQ(decoder.next(bad, data), Event::kError);
  std::string_view good = "0\r\n";
  EXPECT_EQ(decoder.next(good, data), Event::kError);
  decoder.reset();
  good = "0\r\n";
  EXPECT_EQ(decoder.next(good, data), Event::kEnd);
}

TEST(ChunkDecoder, LargeChunksPassInPieces) {
  ChunkDecoder decoder;
  std::string_view in = "40000000\r\n";  // 1 GiB
  std::string_view data;
  EXPECT_EQ(decoder.next(in, data), Event::kNeedMore);
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 1024; ++i) {
    in = block;
    ASSERT_EQ(decoder.next(in, data), Event::kData);
    ASSERT_EQ(data.size(), block.size());
  }
  in = "\r\n0\r\n";
  EXPECT_EQ(decoder.next(in, data), Event::kEnd);
}

// Three pieces at every two boundaries of one body that has everything.
TEST(ChunkDecoder, EveryTwoSplits) {
  const std::string_view text = "3;a=\"b\\\"\"\r\nabc\r\na\r\n0123456789\r\n0;z\r\n";
  const Decoded whole = decode({text});
  EXPECT_EQ(whole.body, "abc0123456789");
  for (size_t i = 0; i <= text.size(); ++i)
    for (size_t k = i; k <= text.size(); ++k)
      ASSERT_EQ(decode({text.substr(0, i), text.substr(i, k - i), text.substr(k)}), whole);
}

}  // namespace
}  // namespace weir::http::h1
