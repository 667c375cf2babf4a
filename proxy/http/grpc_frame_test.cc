#include "proxy/http/grpc_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::http {
namespace {

using Step = GrpcFrameReader::Step;

std::string frames(const std::vector<std::string>& messages) {
  std::string out;
  for (const std::string& message : messages) append_grpc_frame(message, out);
  return out;
}

TEST(GrpcFrame, WritesFlagsAndLength) {
  std::string out;
  append_grpc_frame("abc", out, kGrpcCompressed);
  EXPECT_EQ(out, std::string("\x01\0\0\0\x03"
                             "abc",
                             8));
  EXPECT_EQ(grpc_prefix(0x01020304)[1], 1);
  EXPECT_EQ(grpc_prefix(0x01020304)[4], 4);
}

// What `pieces` hold, as the reader sees it.
std::vector<std::string> read(const std::vector<std::string>& pieces, GrpcFrameReader& reader) {
  std::vector<std::string> messages;
  for (const std::string& piece : pieces) {
    reader.feed(piece);
    std::string_view message;
    uint8_t flags = 0;
    while (reader.next(message, flags) == Step::kMessage) messages.emplace_back(message);
  }
  return messages;
}

TEST(GrpcFrame, ReadsAtEverySplit) {
  const std::vector<std::string> messages = {"first", "", std::string(300, 'x'), "z"};
  const std::string body = frames(messages);
  for (size_t a = 0; a <= body.size(); ++a) {
    const size_t b = std::min(body.size(), a + 7);
    GrpcFrameReader reader(1000);
    EXPECT_EQ(read({body.substr(0, a), body.substr(a, b - a), body.substr(b)}, reader), messages);
    EXPECT_TRUE(reader.at_boundary());
  }
  std::vector<std::string> bytes;
  for (const char c : body) bytes.emplace_back(1, c);
  GrpcFrameReader reader(1000);
  EXPECT_EQ(read(bytes, reader), messages);
}

TEST(GrpcFrame, KnowsThatAMessageIsIncomplete) {
  const std::string body = frames({"first", "second"});
  GrpcFrameReader reader(1000);
  EXPECT_EQ(read({body.substr(0, body.size() - 1)}, reader), std::vector<std::string>{"first"});
  EXPECT_FALSE(reader.at_boundary());
}

TEST(GrpcFrame, RefusesALongMessageByItsPrefix) {
  for (const size_t split : {0u, 3u, 5u}) {
    const std::string prefix(grpc_prefix(11).data(), kGrpcPrefixBytes);
    GrpcFrameReader reader(10);
    std::string_view message;
    uint8_t flags = 0;
    reader.feed(std::string_view(prefix).substr(0, split));
    Step step = reader.next(message, flags);
    if (step == Step::kNeedMore) {
      reader.feed(std::string_view(prefix).substr(split));
      step = reader.next(message, flags);
    }
    EXPECT_EQ(step, Step::kTooLarge) << split;
  }
}

TEST(GrpcFrame, CountsMessagesThatPass) {
  const std::string body = frames({"first", "", std::string(300, 'x'), "z"});
  for (size_t a = 0; a <= body.size(); ++a) {
    GrpcFrameCounter counter;
    const uint64_t before = counter.feed(std::string_view(body).substr(0, a));
    EXPECT_EQ(before + counter.feed(std::string_view(body).substr(a)), 4u);
  }
}

}  // namespace
}  // namespace weir::http
