#include "proxy/http/grpc.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(Grpc, ContentType) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc+json",
                           "application/grpc;charset=utf-8"})
    EXPECT_TRUE(is_grpc_content_type(type)) << type;
  for (const char* type : {"", "application/grp", "application/grpc-web", "application/grpcx",
                           "application/grpc-web+proto", "application/json", "Application/grpc "})
    EXPECT_FALSE(is_grpc_content_type(type)) << type;
}

TEST(Grpc, StatusNames) {
  EXPECT_EQ(grpc_status_name(0), "OK");
  EXPECT_EQ(grpc_status_name(1), "Canceled");
  EXPECT_EQ(grpc_status_snake_name(1), "CANCELLED");
  EXPECT_EQ(grpc_status_name(16), "Unauthenticated");
  EXPECT_EQ(grpc_status_snake_name(16), "UNAUTHENTICATED");
  EXPECT_EQ(grpc_status_name(17), "");
  EXPECT_EQ(grpc_status_snake_name(4'000'000'000), "");
  EXPECT_EQ(grpc_status_text(GrpcStatus::kDeadlineExceeded), "4");
  EXPECT_EQ(grpc_status_text(GrpcStatus::kUnauthenticated), "16");
}

TEST(Grpc, ParsesStatus) {
  EXPECT_EQ(parse_grpc_status("0"), 0u);
  EXPECT_EQ(parse_grpc_status("16"), 16u);
  EXPECT_EQ(parse_grpc_status("99"), 99u);
  for (const char* text : {"", "-1", "+1", "1 ", " 1", "0x1", "OK", "99999999999"})
    EXPECT_FALSE(parse_grpc_status(text)) << text;
}

TEST(Grpc, TrailersGoBeforeTheHead) {
  Arena arena;
  HeaderMap head(arena);
  HeaderMap trailers(arena);
  EXPECT_FALSE(grpc_status_of(&trailers, &head));
  EXPECT_FALSE(grpc_status_of(nullptr, nullptr));
  head.add(Known::kGrpcStatus, "5");
  EXPECT_EQ(grpc_status_of(&trailers, &head), 5u);
  trailers.add(Known::kGrpcStatus, "0");
  EXPECT_EQ(grpc_status_of(&trailers, &head), 0u);
  EXPECT_EQ(grpc_status_of(nullptr, &head), 5u);
}

TEST(Grpc, StatusOfHttp) {
  const std::pair<uint16_t, int> rows[] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14},
                                           {502, 14}, {503, 14}, {504, 14}, {500, 2},  {200, 2},
                                           {408, 2},  {302, 2},  {599, 2}};
  for (const auto& [http, grpc] : rows)
    EXPECT_EQ(static_cast<int>(grpc_status_of_http(http)), grpc) << http;
}

TEST(Grpc, HttpOfStatus) {
  const std::pair<uint32_t, uint16_t> rows[] = {
      {0, 200},  {1, 499},  {2, 500},  {3, 400},  {4, 504},         {5, 404},  {6, 409},
      {7, 403},  {8, 429},  {9, 400},  {10, 409}, {11, 400},        {12, 501}, {13, 500},
      {14, 503}, {15, 500}, {16, 401}, {17, 500}, {UINT32_MAX, 500}};
  for (const auto& [grpc, http] : rows) EXPECT_EQ(http_status_of_grpc(grpc), http) << grpc;
}

TEST(Grpc, MessageWithoutEscapesIsLeftAlone) {
  Arena arena;
  const std::string_view text = "no healthy upstream ~!";
  EXPECT_EQ(encode_grpc_message(text, arena).data(), text.data());
  EXPECT_EQ(encode_grpc_message("", arena), "");
}

TEST(Grpc, EncodesMessage) {
  Arena arena;
  EXPECT_EQ(encode_grpc_message("100%", arena), "100%25");
  EXPECT_EQ(encode_grpc_message("a\r\nb: c\t", arena), "a%0D%0Ab: c%09");
  EXPECT_EQ(encode_grpc_message("h\xc3\xa9", arena), "h%C3%A9");
  EXPECT_EQ(encode_grpc_message(std::string_view("\0\x7f\xff", 3), arena), "%00%7F%FF");
}

TEST(Grpc, DecodesMessageAndKeepsWhatIsNoEscape) {
  EXPECT_EQ(decode_grpc_message("100%25"), "100%");
  EXPECT_EQ(decode_grpc_message("h%c3%A9"), "h\xc3\xa9");
  EXPECT_EQ(decode_grpc_message("%00"), std::string(1, '\0'));
  for (const char* text : {"", "%", "%2", "%2g", "%g2", "50% of", "a%", "%%%"})
    EXPECT_EQ(decode_grpc_message(text), text);
  EXPECT_EQ(decode_grpc_message("%%41%"), "%A%");
}

TEST(Grpc, EveryByteSurvives) {
  Arena arena;
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const std::string_view encoded = encode_grpc_message(all, arena);
  for (const char c : encoded) EXPECT_TRUE(c >= ' ' && c <= '~');
  EXPECT_EQ(decode_grpc_message(encoded), all);
}

TEST(Grpc, ParsesTimeout) {
  const std::pair<const char*, int64_t> rows[] = {
      {"1H", 3'600'000},  {"2M", 120'000},
      {"3S", 3000},       {"4m", 4},
      {"5u", 1},          {"1000u", 1},
      {"1001u", 2},       {"1n", 1},
      {"0n", 0},          {"0S", 0},
      {"99999999n", 100}, {"99999999m", 99'999'999},
      {"00000007m", 7},   {"99999999H", 359'999'996'400'000}};
  for (const auto& [text, ms] : rows) EXPECT_EQ(parse_grpc_timeout_ms(text), ms) << text;
}

TEST(Grpc, RefusesWhatIsNoTimeout) {
  for (const char* text : {"", "S", "1", "100000000m", "1s", "1h", "-1S", "+1S", " 1S", "1S ",
                           "1.5S", "1SS", "0x1S", "99999999999999999999H"})
    EXPECT_FALSE(parse_grpc_timeout_ms(text)) << text;
}

TEST(Grpc, FormatsTimeout) {
  Arena arena;
  const std::pair<int64_t, const char*> rows[] = {{0, "0m"},
                                                  {1, "1m"},
                                                  {99'999'999, "99999999m"},
                                                  {100'000'000, "100000S"},
                                                  {99'999'999'999, "99999999S"},
                                                  {100'000'000'000, "1666666M"},
                                                  {6'000'000'000'000, "1666666H"},
                                                  {INT64_MAX, "99999999H"}};
  for (const auto& [ms, text] : rows) EXPECT_EQ(format_grpc_timeout(ms, arena), text) << ms;
}

}  // namespace
}  // namespace weir::http
