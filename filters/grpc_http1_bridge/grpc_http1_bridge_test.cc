#include "filters/grpc_http1_bridge/grpc_http1_bridge.h"

#include <gtest/gtest.h>

#include "filters/testing/filter_driver.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

const http::FilterType kType = grpc_http1_bridge();
const HeaderLines kGrpc = {{"content-type", "application/grpc"}};
const HeaderLines kProtobuf = {{"content-type", "application/x-protobuf"}};
const HeaderLines kOk = {{"grpc-status", "0"}};

Outcome run(const FakeRequest& request, const FakeResponse& response = {},
            const char* yaml = "{}") {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure(yaml)) << driver.errors();
  return driver.run(request, response);
}

std::string frame(std::string_view message, uint8_t flags = 0) {
  std::string out;
  http::append_grpc_frame(message, out, flags);
  return out;
}

TEST(GrpcHttp1Bridge, TrailersBecomeHeaders) {
  const Outcome out =
      run({.headers = kGrpc, .body = {frame("q")}},
          {.headers = kGrpc, .body = frame("a"), .trailers = kOk, .more_body = {frame("b")}});
  EXPECT_EQ(out.request_headers, kGrpc);
  EXPECT_EQ(out.request_body, frame("q"));
  EXPECT_EQ(out.status, 200);
  EXPECT_EQ(out.response_body, frame("a") + frame("b"));
  EXPECT_EQ(out.response_headers, (HeaderLines{{"content-type", "application/grpc"},
                                               {"grpc-status", "0"},
                                               {"content-length", "12"}}));
  EXPECT_TRUE(out.response_trailers.empty());
  EXPECT_TRUE(out.response_ended);
}

TEST(GrpcHttp1Bridge, FailedCallsAreUnavailable) {
  for (const char* status : {"5", "x", "77"}) {
    const Outcome out =
        run({.headers = kGrpc},
            {.headers = kGrpc,
             .trailers = HeaderLines{{"grpc-status", status}, {"grpc-message", "m"}}});
    EXPECT_EQ(out.status, 503);
    EXPECT_EQ(value_of(out.response_headers, "grpc-status"), status);
    EXPECT_EQ(value_of(out.response_headers, "grpc-message"), "m");
  }
  const Outcome trailers_only =
      run({.headers = kGrpc},
          {.headers = {{"content-type", "application/grpc"}, {"grpc-status", "5"}}});
  EXPECT_EQ(trailers_only.status, 503);
  EXPECT_TRUE(trailers_only.response_ended);
}

TEST(GrpcHttp1Bridge, OthersPassUntouched) {
  const FakeResponse plain = {
      .status = 404, .headers = {{"content-type", "text/html"}}, .body = "no"};
  const Outcome not_grpc = run({.headers = kGrpc}, plain);
  EXPECT_EQ(not_grpc.status, 404);
  EXPECT_EQ(not_grpc.response_headers, plain.headers);
  const FakeResponse grpc = {.headers = kGrpc, .body = frame("a"), .trailers = kOk};
  const Outcome no_call = run({.headers = {{"content-type", "application/json"}}}, grpc);
  EXPECT_EQ(no_call.response_trailers, kOk);
  // HTTP/2 has trailers itself.
  const Outcome http2 = run({.headers = kGrpc, .protocol = http::Protocol::kHttp2}, grpc);
  EXPECT_EQ(http2.response_trailers, kOk);
}

constexpr const char* kUpgrade = "upgrade_protobuf_to_grpc: true";

TEST(GrpcHttp1Bridge, ProtobufIsFramedAndUnframed) {
  const FakeResponse response = {.headers = kGrpc, .body = frame("answer"), .trailers = kOk};
  for (const auto protocol : {http::Protocol::kHttp11, http::Protocol::kHttp2}) {
    const Outcome out = run({.headers = kProtobuf, .body = {"a", "", "bc"}, .protocol = protocol},
                            response, kUpgrade);
    EXPECT_EQ(out.request_headers,
              (HeaderLines{{"content-type", "application/grpc"}, {"te", "trailers"}}));
    EXPECT_EQ(out.request_body, frame("abc"));
    EXPECT_TRUE(out.route_stale);
    EXPECT_EQ(out.response_body, "answer");
    EXPECT_EQ(value_of(out.response_headers, "content-type"), "application/x-protobuf");
    EXPECT_EQ(value_of(out.response_headers, "content-length"), "6");
  }
  EXPECT_EQ(run({.headers = kProtobuf}, response, kUpgrade).request_body, frame(""));
  EXPECT_EQ(run({.headers = kProtobuf, .body = {"a"}, .trailers = HeaderLines{{"x", "y"}}},
                response, kUpgrade)
                .request_body,
            frame("a"));
  EXPECT_EQ(run({.headers = kProtobuf, .body = {"a"}}, response).request_body, "a");
}

TEST(GrpcHttp1Bridge, WhatCannotBeUnframedIsAnError) {
  for (const std::string& body : {frame("a") + frame("b"), frame("a", http::kGrpcCompressed),
                                  frame("a").substr(0, 5), std::string("x")}) {
    const Outcome out =
        run({.headers = kProtobuf}, {.headers = kGrpc, .body = body, .trailers = kOk}, kUpgrade);
    EXPECT_EQ(out.status, 502);
    EXPECT_EQ(out.response_body, "the response is not one message that is not compressed");
  }
}

TEST(GrpcHttp1Bridge, WhatIsHeldIsBounded) {
  const std::string large(2'000'000, 'x');
  EXPECT_EQ(run({.headers = kProtobuf, .body = {large}}, {}, kUpgrade).status, 413);
  const Outcome out = run({.headers = kGrpc}, {.headers = kGrpc, .body = large, .trailers = kOk});
  EXPECT_EQ(out.status, 500);
  EXPECT_EQ(out.response_body, "the response is too large to be held");
  EXPECT_TRUE(out.response_ended);
}

TEST(GrpcHttp1Bridge, QueriesAreDropped) {
  const char* yaml = "ignore_query_parameters: true";
  EXPECT_EQ(run({.path = "/a.B/C?x=1", .headers = kGrpc}, {}, yaml).path, "/a.B/C");
  EXPECT_EQ(run({.path = "/a.B/C?x=1"}, {}, yaml).path, "/a.B/C");
  EXPECT_EQ(run({.path = "/a.B/C?x=1", .headers = kGrpc}).path, "/a.B/C?x=1");
}

}  // namespace
}  // namespace weir::filters
