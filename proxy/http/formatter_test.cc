#include "proxy/http/formatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace weir::http {
namespace {

// One request as the data path would describe it.
class FormatterTest : public testing::Test {
 protected:
  FormatterTest() : request_(arena_), response_(arena_), trailers_(arena_) {
    request_.method_text = "GET";
    request_.path = "/orders?id=7&empty=&flag";
    request_.authority = "shop.example";
    request_.scheme = "https";
    request_.headers.add("user-agent", "curl/8");
    request_.headers.add("x-custom", "first");
    request_.headers.add("x-custom", "second");
    response_.status = 503;
    response_.headers.add("content-type", "text/plain");
    fill_info();
    input_ = {&request_, &response_, &trailers_, &info_, "gone", "worker_1"};
  }

  void fill_info() {
    info_.start_ns = 1'000'000'000;
    info_.start_wall_us = 1'767'323'045'678'901;
    info_.last_downstream_rx_ns = 1'002'000'000;
    info_.last_upstream_tx_ns = 1'003'000'000;
    info_.first_upstream_rx_ns = 1'010'500'000;
    info_.last_downstream_tx_ns = 1'012'000'000;
    info_.end_ns = 1'012'345'678;
    info_.bytes_received = 10;
    info_.bytes_sent = 200;
    info_.downstream_head_bytes_received = 90;
    info_.flags = kNoHealthyUpstream | kUpstreamRetryLimitExceeded;
    info_.attempts = 2;
    info_.protocol = Protocol::kHttp11;
    info_.status = 503;
    info_.details = "no healthy upstream";
    info_.cluster = "app";
    info_.connection_id = 42;
    client_ = net::Address::ip("2001:db8::1", 4321).take();
    upstream_ = net::Address::ip("10.0.0.9", 8080).take();
    info_.downstream_remote = &client_;
    info_.upstream_remote = &upstream_;
  }

  std::string text(std::string_view format) {
    const Result<Format> compiled = Format::compile(format);
    if (!compiled) return compiled.error().code + ": " + compiled.error().message;
    std::string appended;
    compiled->append(input_, appended);
    EXPECT_EQ(compiled->evaluate(input_, arena_), appended);
    return appended;
  }

  // For what is different each time.
  std::string text_once(std::string_view format) {
    std::string out;
    Format::compile(format).value().append(input_, out);
    return out;
  }

  std::string escaped(std::string_view format) {
    std::string out;
    const Result<Format> compiled = Format::compile(format);
    EXPECT_TRUE(compiled.ok());
    compiled->append_escaped(input_, out);
    return out;
  }

  Arena arena_;
  RequestHead request_;
  ResponseHead response_;
  HeaderMap trailers_;
  StreamInfo info_;
  net::Address client_;
  net::Address upstream_;
  FormatInput input_;
};

TEST_F(FormatterTest, LiteralsAndPercentSigns) {
  EXPECT_EQ(text("plain"), "plain");
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("100%% of %%REQ"), "100% of %REQ");
  EXPECT_TRUE(Format::compile("100%%").value().is_literal());
  EXPECT_EQ(Format::compile("100%%").value().literal(), "100%");
  EXPECT_FALSE(Format::compile("%PROTOCOL%").value().is_literal());
}

TEST_F(FormatterTest, RequestHeaders) {
  EXPECT_EQ(text("%REQ(:METHOD)% %REQ(:path)% %REQ(:AUTHORITY)% %REQ(Host)% %REQ(:scheme)%"),
            "GET /orders?id=7&empty=&flag shop.example shop.example https");
  EXPECT_EQ(text("%REQ(X-Custom)%"), "first");
  EXPECT_EQ(text("%REQ(missing)%|%REQ(missing?user-agent)%|%REQ(x-custom?user-agent)%"),
            "-|curl/8|first");
  EXPECT_EQ(text("%REQ(user-agent):4%"), "curl");
  EXPECT_EQ(text("%REQ(user-agent):400%"), "curl/8");
  EXPECT_EQ(text("%REQ(x-envoy-original-path?:path):7%"), "/orders");
}

TEST_F(FormatterTest, ResponseAndTrailers) {
  trailers_.add("x-sum", "abc");
  EXPECT_EQ(text("%RESP(:status)% %RESP(Content-Type)% %TRAILER(X-Sum)% %TRAILER(none)%"),
            "503 text/plain abc -");
  input_.response = nullptr;
  input_.trailers = nullptr;
  EXPECT_EQ(text("%RESP(:status)% %TRAILER(X-Sum)%"), "- -");
}

TEST_F(FormatterTest, PathAndQuery) {
  EXPECT_EQ(text("%PATH(NQ)% %PATH(WQ:PATH)% %PATH(NQ:ORIG)%"),
            "/orders /orders?id=7&empty=&flag -");
  request_.headers.add("x-envoy-original-path", "/old?x=1");
  EXPECT_EQ(text("%PATH(NQ:ORIG)% %PATH% %PATH(WQ:PATH):3%"), "/old /old?x=1 /or");
  EXPECT_EQ(text("%REQ_WITHOUT_QUERY(x-envoy-original-path?:path)%"), "/old");
  EXPECT_EQ(text("%QUERY_PARAM(id)%,%QUERY_PARAM(empty)%,%QUERY_PARAM(flag)%,%QUERY_PARAM(x)%"),
            "7,,,-");
}

TEST_F(FormatterTest, QueryParametersAreDecoded) {
  request_.path = "/?a=x%20%26%2by+z&%62%2E=%C3%a9&c=100%&d=%4&e=%zz&%=p&aa=1&a=2";
  EXPECT_EQ(text("%QUERY_PARAM(a)%"), "x &+y+z");
  EXPECT_EQ(text("%QUERY_PARAM(a):3%|%QUERY_PARAM(b.)%|%QUERY_PARAM(b)%"), "x &|\xc3\xa9|-");
  EXPECT_EQ(text("%QUERY_PARAM(c)%,%QUERY_PARAM(d)%,%QUERY_PARAM(e)%,%QUERY_PARAM(aa)%"),
            "100%,%4,%zz,1");
  // No line of a header ends early, whoever writes the query.
  request_.path = "/?a=1%0d%0AX-Admin:%20yes%00%7f";
  EXPECT_EQ(text("%QUERY_PARAM(a)%"), "1%0d%0AX-Admin: yes%00%7f");
  request_.path = arena_.copy("/?a=" + std::string(500, 'v') + "%21&b=%21");
  EXPECT_EQ(text("%QUERY_PARAM(a)%%QUERY_PARAM(b)%%QUERY_PARAM(c)%"),
            std::string(500, 'v') + "!!-");
}

TEST_F(FormatterTest, StreamValues) {
  EXPECT_EQ(text("%PROTOCOL% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT%"),
            "HTTP/1.1 503 10 200");
  EXPECT_EQ(text("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%"),
            "UH,URX NoHealthyUpstream,UpstreamRetryLimitExceeded");
  EXPECT_EQ(text("%RESPONSE_CODE_DETAILS%|%RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%"),
            "no_healthy_upstream|no healthy upstream");
  EXPECT_EQ(text("%UPSTREAM_CLUSTER% %ROUTE_NAME% %UPSTREAM_REQUEST_ATTEMPT_COUNT%"), "app - 2");
  EXPECT_EQ(text("%DOWNSTREAM_WIRE_BYTES_RECEIVED% %LOCAL_REPLY_BODY% %WORKER_ID%"),
            "100 gone worker_1");
  EXPECT_EQ(text("%VIRTUAL_CLUSTER_NAME% %STREAM_ID%"), "- 0");
  info_.request_id = "abc-1";
  info_.flags = 0;
  EXPECT_EQ(text("%STREAM_ID% %RESPONSE_FLAGS%"), "abc-1 -");
}

TEST_F(FormatterTest, Times) {
  EXPECT_EQ(text("%START_TIME%"), "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(text("%START_TIME(%s.%6f)%|%EMIT_TIME(%s.%3f)%"), "1767323045.678901|1767323045.691");
  EXPECT_EQ(text("%DURATION% %REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% "
                 "%RESPONSE_TX_DURATION%"),
            "12 2 3 10 1");
  EXPECT_EQ(text("%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%"), "12000");
  EXPECT_EQ(text("%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ns)%"), "-");
}

TEST_F(FormatterTest, DurationOfARequestUnderWayCountsToNow) {
  info_.start_ns = 1;  // the monotonic clock's zero lies long ago
  info_.end_ns = 0;
  EXPECT_GT(std::stoll(text("%DURATION%")), 0);
}

TEST_F(FormatterTest, Addresses) {
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "
                 "%DOWNSTREAM_REMOTE_PORT%"),
            "[2001:db8::1]:4321 2001:db8::1 4321");
  EXPECT_EQ(text("%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %CONNECTION_ID%"),
            "10.0.0.9:8080 10.0.0.9 42");
  EXPECT_EQ(text("%UPSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_PORT% %UPSTREAM_CONNECTION_ID%"),
            "- - -");
  client_ = net::Address::unix_path("/run/x.sock").take();
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_PORT%"), "/run/x.sock -");
}

TEST_F(FormatterTest, HostNames) {
  EXPECT_EQ(text("%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"),
            "10.0.0.9:8080 10.0.0.9")
      << "no name is known yet";
  std::string name;
  info_.upstream_hostname = &name;
  upstream_ = net::Address::ip("2001:db8::1", 443).take();
  EXPECT_EQ(text("%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"),
            "[2001:db8::1]:443 [2001:db8::1]");
  upstream_ = net::Address::unix_path("/run/a:1b").take();
  EXPECT_EQ(text("%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"), "/run/a:1b /run/a:1b");
  name = "web.example:8443";
  EXPECT_EQ(text("%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"),
            "web.example:8443 web.example");
  info_.upstream_remote = nullptr;
  info_.upstream_hostname = nullptr;
  EXPECT_EQ(text("%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"), "- -");
}

TEST_F(FormatterTest, AHostNameMayChangeAfterItWasRead) {
  std::string name = "before.example";
  info_.upstream_hostname = &name;
  const std::string_view value =
      Format::compile("%UPSTREAM_HOST_NAME%").value().evaluate(input_, arena_);
  name = "after.example";
  EXPECT_EQ(value, "before.example");
}

TEST_F(FormatterTest, WhatTheUpstreamGotAndGave) {
  EXPECT_EQ(text("%UPSTREAM_PROTOCOL% %UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%"), "- app app");
  info_.upstream_protocol = Protocol::kHttp2;
  info_.cluster_alias = "shown";
  EXPECT_EQ(text("%UPSTREAM_PROTOCOL% %UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%"),
            "HTTP/2 shown app");
  info_.upstream_head_bytes_sent = 100;
  info_.upstream_head_bytes_received = 40;
  info_.upstream_body_bytes_sent = 11;
  info_.upstream_body_bytes_received = 2;
  EXPECT_EQ(text("%UPSTREAM_HEADER_BYTES_SENT% %UPSTREAM_HEADER_BYTES_RECEIVED% "
                 "%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_RECEIVED%"),
            "100 40 111 42");
  info_.upstream_failure = "TLS_error:|1:SSL routines:NO REASON:TLS_error_end";
  EXPECT_EQ(text("%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
            "TLS_error:|1:SSL_routines:NO_REASON:TLS_error_end");
}

TEST_F(FormatterTest, TimesOfConnections) {
  EXPECT_EQ(text("%UPSTREAM_CONNECTION_POOL_READY_DURATION% %DOWNSTREAM_HANDSHAKE_DURATION%"),
            "- -");
  info_.pool_asked_ns = 1'002'000'000;
  info_.pool_ready_ns = 1'007'900'000;
  info_.handshake_end_ns = 1'003'000'000;
  EXPECT_EQ(text("%UPSTREAM_CONNECTION_POOL_READY_DURATION% %DOWNSTREAM_HANDSHAKE_DURATION%"),
            "5 3");
}

TEST_F(FormatterTest, UniqueIdsAreUuidsAndNeverTheSame) {
  const std::string ids = text_once("%UNIQUE_ID% %UNIQUE_ID%");
  EXPECT_THAT(ids, testing::MatchesRegex("[0-9a-f-]{36} [0-9a-f-]{36}"));
  EXPECT_NE(ids.substr(0, 36), ids.substr(37));
  EXPECT_EQ(ids[14], '4') << "the version of " << ids;
  EXPECT_NE(text_once("%UNIQUE_ID%"), text_once("%UNIQUE_ID%"));
}

TEST_F(FormatterTest, WhatIsLoggedAndWhere) {
  EXPECT_EQ(text("%ACCESS_LOG_TYPE% %FILTER_CHAIN_NAME%"), "NotSet -");
  input_.log_type = "DownstreamEnd";
  info_.filter_chain = "outside";
  EXPECT_EQ(text("%ACCESS_LOG_TYPE% %FILTER_CHAIN_NAME%"), "DownstreamEnd outside");
}

TEST_F(FormatterTest, ProcessValues) {
  char name[256] = {};
  ASSERT_EQ(gethostname(name, sizeof(name) - 1), 0);
  EXPECT_EQ(text("%HOSTNAME%"), name);
  setenv("FORMATTER_TEST_VALUE", "blue", 1);
  EXPECT_EQ(text("%ENVIRONMENT(FORMATTER_TEST_VALUE)% %ENVIRONMENT(FORMATTER_TEST_NONE)%"),
            "blue -");
}

TEST_F(FormatterTest, GrpcStatus) {
  EXPECT_EQ(text("%GRPC_STATUS%"), "-");
  request_.headers.add("content-type", "application/grpc+proto");
  info_.status = 0;
  EXPECT_EQ(text("%GRPC_STATUS%"), "-");
  info_.status = 503;
  EXPECT_EQ(text("%GRPC_STATUS% %GRPC_STATUS_NUMBER%"), "Unavailable 14") << "as a client reads it";
  trailers_.add("grpc-status", "7");
  EXPECT_EQ(text("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%"),
            "PermissionDenied PERMISSION_DENIED 7");
  trailers_.set("grpc-status", "99");
  EXPECT_EQ(text("%GRPC_STATUS% %GRPC_STATUS(NUMBER)%"), "99 99");
  trailers_.set("grpc-status", "none");
  EXPECT_EQ(text("%GRPC_STATUS% %GRPC_STATUS(NUMBER)%"), "none none");
}

TEST_F(FormatterTest, WithoutAnyInputEverythingIsMissing) {
  input_ = {};
  EXPECT_EQ(text("%REQ(a)% %RESP(a)% %PROTOCOL% %DURATION% %UPSTREAM_HOST% %RESPONSE_CODE% "
                 "%RESPONSE_FLAGS%"),
            "- - - - - 0 -");
}

TEST_F(FormatterTest, MissingMayBeWrittenAsNothing) {
  std::string out;
  Format::compile("[%REQ(none)%]").value().append(input_, out, "");
  EXPECT_EQ(out, "[]");
}

TEST_F(FormatterTest, EscapedOutputStaysOnOneLine) {
  request_.path = "/a\r\nforged \"line\" \x1b[2J\xff";
  EXPECT_EQ(escaped("\"%REQ(:path)%\" end\n"),
            "\"/a\\r\\nforged \\\"line\\\" \\x1b[2J\\xff\" end\n");
  EXPECT_EQ(escaped("%REQ(:path):11%|\"x\"|%REQ(:path):2%"), "/a\\r\\nforged |\"x\"|/a");
}

TEST_F(FormatterTest, ALengthDoesNotCutACharacter) {
  request_.path = "/\xc3\xbc!";
  EXPECT_EQ(text("%REQ(:path):2%|%REQ(:path):3%"), "/|/\xc3\xbc");
}

TEST_F(FormatterTest, WithoutTlsItsValuesAreMissing) {
  EXPECT_EQ(text("%DOWNSTREAM_TLS_VERSION%%DOWNSTREAM_TLS_SESSION_ID%%DOWNSTREAM_PEER_SUBJECT%"
                 "%DOWNSTREAM_PEER_URI_SAN%%DOWNSTREAM_PEER_CERT%%DOWNSTREAM_PEER_CERT_V_START%"
                 "%DOWNSTREAM_LOCAL_SUBJECT%%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"),
            "--------");
  EXPECT_EQ(text("%UPSTREAM_TLS_VERSION%%UPSTREAM_TLS_CIPHER%%UPSTREAM_TLS_SESSION_ID%"
                 "%UPSTREAM_PEER_ISSUER%%UPSTREAM_PEER_DNS_SAN%%UPSTREAM_PEER_CERT%"
                 "%UPSTREAM_PEER_CERT_V_END(%Y)%%UPSTREAM_LOCAL_IP_SAN%"),
            "--------");
}

TEST_F(FormatterTest, EvaluateOutlivesItsScratch) {
  const Format format = Format::compile("%CONNECTION_ID%").take();
  const std::string_view first = format.evaluate(input_, arena_);
  info_.connection_id = 77;
  const std::string_view second = format.evaluate(input_, arena_);
  EXPECT_EQ(first, "42");
  EXPECT_EQ(second, "77");
}

TEST_F(FormatterTest, ErrorsNamePlaceAndRemedy) {
  EXPECT_EQ(text("ab %REQQ(x)%"),
            "unknown-command: unknown command %REQQ% (at byte 4 of the format); did you mean "
            "'REQ'?");
  EXPECT_EQ(text("%XYZZY_PLUGH_42%"),
            "unknown-command: unknown command %XYZZY_PLUGH_42% (at byte 1 of the format)");
  EXPECT_EQ(text("%DYNAMIC_METADATA(a:b)%"),
            "not-supported: %DYNAMIC_METADATA% (at byte 1 of the format) is not supported yet; "
            "leave it out");
  EXPECT_EQ(text("%DOWNSTREAM_PEER_OTHERNAME_SAN%").find("not-supported"), 0u);
  EXPECT_EQ(text("%UPSTREAM_PEER_SERIAL%").find("unknown-command"), 0u) << "nor has Envoy";
  EXPECT_EQ(text("%QUERY_PARAMS(a)%"),
            "unknown-command: unknown command %QUERY_PARAMS% (at byte 1 of the format); did you "
            "mean 'QUERY_PARAM'?");
  EXPECT_EQ(text("50% off").find("bad-format: '%' begins no command; write '%%'"), 0u);
  EXPECT_EQ(text("%REQ(a%").find("bad-format: %REQ( is not closed by ')'"), 0u);
  EXPECT_EQ(text("%REQ%").find("bad-format: %REQ% needs a parameter"), 0u);
  EXPECT_EQ(text("%REQ()%").find("bad-format: %REQ%: the header's name is empty"), 0u);
  EXPECT_EQ(text("%REQ(a?b?c)%").find("bad-format: %REQ%: at most one alternative"), 0u);
  EXPECT_EQ(text("%PROTOCOL(x)%").find("bad-format: %PROTOCOL% takes no parameter"), 0u);
  EXPECT_EQ(text("%PROTOCOL:3%").find("bad-format: %PROTOCOL% takes no ':length'"), 0u);
  EXPECT_EQ(text("%REQ(a):x%").find("bad-format: %REQ%: a number belongs after ':'"), 0u);
  EXPECT_EQ(text("%PROTOCOL").find("bad-format: %PROTOCOL is not closed"), 0u);
  EXPECT_EQ(text("%START_TIME(%Q)%").find("bad-format: %START_TIME%: the time format"), 0u);
  EXPECT_EQ(text("%COMMON_DURATION(A:B:ms)%").find("bad-format: %COMMON_DURATION%: 'A:B'"), 0u);
}

}  // namespace
}  // namespace weir::http
