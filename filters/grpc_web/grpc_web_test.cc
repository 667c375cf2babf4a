#include "filters/grpc_web/grpc_web.h"

#include <gtest/gtest.h>

#include "filters/common/base64.h"
#include "filters/testing/filter_driver.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

const http::FilterType kType = grpc_web();

Outcome run(const FakeRequest& request, const FakeResponse& response = {}) {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure("{}")) << driver.errors();
  return driver.run(request, response);
}

std::string base64(std::string_view bytes) {
  std::string out;
  common::append_base64(bytes, out);
  return out;
}

std::string frame(std::string_view message, uint8_t flags = 0) {
  std::string out;
  http::append_grpc_frame(message, out, flags);
  return out;
}

const FakeResponse kResponse = {.headers = {{"content-type", "application/grpc"}},
                                .body = frame("first"),
                                .trailers = HeaderLines{{"grpc-status", "0"}, {"x-t", "a b"}},
                                .more_body = {frame("second")}};
const std::string kTrailers = "grpc-status:0\r\nx-t:a b\r\n";

TEST(GrpcWeb, BytesBothWays) {
  for (const char* type : {"application/grpc-web", "application/grpc-web+proto",
                           "Application/grpc-web; charset=utf-8"}) {
    const Outcome out = run({.headers = {{"content-type", type}, {"content-length", "9"}},
                             .body = {frame("ab").substr(0, 3), frame("ab").substr(3)}},
                            kResponse);
    EXPECT_EQ(out.request_headers,
              (HeaderLines{{"content-type", "application/grpc"},
                           {"te", "trailers"},
                           {"grpc-accept-encoding", "identity,deflate,gzip"}}));
    EXPECT_EQ(out.request_body, frame("ab"));
    EXPECT_EQ(out.response_headers, (HeaderLines{{"content-type", "application/grpc-web+proto"}}));
    EXPECT_EQ(out.response_body, frame("first") + frame("second") + frame(kTrailers, 0x80));
    EXPECT_TRUE(out.response_trailers.empty());
    EXPECT_TRUE(out.response_ended);
  }
}

TEST(GrpcWeb, TextAtEverySplit) {
  // Groups with padding stand in the middle, as when a client encodes message by message.
  const std::string text = base64(frame("a")) + base64(frame("second message"));
  const HeaderLines headers = {{"content-type", "application/grpc-web-text"},
                               {"accept", "application/grpc-web-text"}};
  for (size_t at = 0; at <= text.size(); ++at) {
    const Outcome out =
        run({.headers = headers, .body = {text.substr(0, at), text.substr(at)}}, kResponse);
    EXPECT_EQ(out.request_body, frame("a") + frame("second message"));
    EXPECT_EQ(value_of(out.response_headers, "content-type"), "application/grpc-web-text+proto");
    common::Base64Decoder decoder;
    std::string body;
    ASSERT_TRUE(decoder.feed(out.response_body, body));
    EXPECT_TRUE(decoder.at_boundary());
    EXPECT_EQ(body, frame("first") + frame("second") + frame(kTrailers, 0x80));
  }
}

TEST(GrpcWeb, TheClientChoosesTheFormOfTheResponse) {
  const Outcome out = run(
      {.headers = {{"content-type", "application/grpc-web-text"}}, .body = {base64(frame("a"))}},
      kResponse);
  EXPECT_EQ(value_of(out.response_headers, "content-type"), "application/grpc-web+proto");
  EXPECT_EQ(out.response_body.substr(0, 10), frame("first"));
}

TEST(GrpcWeb, RefusesWhatIsNoBase64) {
  const HeaderLines headers = {{"content-type", "application/grpc-web-text+proto"}};
  for (const char* body : {"AAA", "AA=A", "A-_A", "AAAA\n"}) {
    const Outcome out = run({.headers = headers, .body = {body}});
    EXPECT_EQ(out.status, 400) << body;
    EXPECT_EQ(out.response_body, "Bad gRPC-web request, invalid base64 data.");
  }
  EXPECT_EQ(run({.headers = headers, .body = {"AAA"}, .trailers = HeaderLines{{"x", "y"}}}).status,
            400);
}

TEST(GrpcWeb, TrailersOnlyAndOtherResponses) {
  const FakeRequest request = {.headers = {{"content-type", "application/grpc-web"}}};
  const Outcome failed =
      run(request, {.headers = {{"content-type", "application/grpc"}, {"grpc-status", "5"}}});
  EXPECT_EQ(failed.response_headers,
            (HeaderLines{{"grpc-status", "5"}, {"content-type", "application/grpc-web+proto"}}));
  const Outcome bare = run(request, {.status = 503, .headers = {{"x", "y"}}});
  EXPECT_EQ(bare.status, 503);
  EXPECT_EQ(bare.response_headers,
            (HeaderLines{{"x", "y"}, {"content-type", "application/grpc-web+proto"}}));
}

TEST(GrpcWeb, WhatIsNoGrpcBecomesAMessage) {
  const FakeResponse page = {.status = 503,
                             .headers = {{"content-type", "text/plain"}, {"content-length", "9"}},
                             .body = "no ",
                             .more_body = {"caf\xc3\xa9%"}};
  for (const bool text : {false, true}) {
    const Outcome out = run({.headers = {{"content-type", "application/grpc-web"},
                                         {"accept", text ? "application/grpc-web-text" : "*/*"}}},
                            page);
    EXPECT_EQ(out.status, 503);
    EXPECT_EQ(value_of(out.response_headers, "grpc-status"), "14");
    EXPECT_EQ(value_of(out.response_headers, "grpc-message"), "no caf%C3%A9%25");
    EXPECT_EQ(value_of(out.response_headers, "content-type"),
              text ? "application/grpc-web-text+proto" : "application/grpc-web+proto");
    EXPECT_EQ(value_of(out.response_headers, "content-length"), "0");
    EXPECT_EQ(out.response_body, "");
    EXPECT_TRUE(out.response_ended);
  }
}

TEST(GrpcWeb, OnlyTheBeginningOfALongPageBecomesAMessage) {
  const FakeResponse page = {.status = 404,
                             .headers = {{"content-type", "text/html"}},
                             .body = std::string(10'000, 'a'),
                             .more_body = {std::string(10'000, 'b'), "never looked at"}};
  const Outcome out = run({.headers = {{"content-type", "application/grpc-web"}}}, page);
  EXPECT_EQ(value_of(out.response_headers, "grpc-status"), "12");
  EXPECT_EQ(value_of(out.response_headers, "grpc-message"),
            std::string(10'000, 'a') + std::string(16 * 1024 - 10'000, 'b'));
  EXPECT_EQ(out.response_body, "");
  EXPECT_TRUE(out.response_ended);
}

TEST(GrpcWeb, TrailersOfWhatIsNoGrpcAreDropped) {
  const FakeResponse page = {.status = 500,
                             .headers = {{"content-type", "text/plain"}},
                             .body = "no",
                             .trailers = HeaderLines{{"x", "y"}}};
  const Outcome out = run({.headers = {{"content-type", "application/grpc-web"}}}, page);
  EXPECT_EQ(value_of(out.response_headers, "grpc-status"), "2");
  EXPECT_EQ(value_of(out.response_headers, "grpc-message"), "no");
  EXPECT_TRUE(out.response_trailers.empty());
  EXPECT_TRUE(out.response_ended);
}

TEST(GrpcWeb, ABrokenPageIsNoPartOfTheAnswerInItsPlace) {
  const FakeRequest request = {.headers = {{"content-type", "application/grpc-web"}}};
  const Outcome out = run(request, {.status = 500,
                                    .headers = {{"content-type", "text/html"}},
                                    .body = "half a p",
                                    .breaks_off = true});
  EXPECT_EQ(out.status, 502);
  EXPECT_EQ(value_of(out.response_headers, "grpc-status"), "14");
  EXPECT_EQ(value_of(out.response_headers, "grpc-message"), "broken off");
  EXPECT_EQ(out.response_body, "");
  EXPECT_TRUE(out.response_ended);
}

TEST(GrpcWeb, AServerThatSpeaksGrpcWebIsLeftAlone) {
  const FakeResponse own = {.headers = {{"content-type", "application/grpc-web+proto"}},
                            .body = frame("a")};
  const Outcome out = run({.headers = {{"content-type", "application/grpc-web"}}}, own);
  EXPECT_EQ(out.response_body, frame("a"));
  EXPECT_FALSE(value_of(out.response_headers, "grpc-status") == "0");
}

TEST(GrpcWeb, OthersPassUntouched) {
  for (const char* type :
       {"application/grpc", "application/grpc-websocket", "application/json", ""}) {
    const Outcome out = run({.headers = {{"content-type", type}}, .body = {"x"}}, kResponse);
    EXPECT_EQ(out.request_headers, (HeaderLines{{"content-type", type}}));
    EXPECT_EQ(out.response_headers, kResponse.headers);
    EXPECT_EQ(out.response_body, frame("first") + frame("second"));
    EXPECT_EQ(out.response_trailers, kResponse.trailers);
  }
}

}  // namespace
}  // namespace weir::filters
