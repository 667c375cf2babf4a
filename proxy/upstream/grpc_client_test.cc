// Calls over a worker's pools, against a server that is written frame by frame.
#include "proxy/upstream/grpc_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proxy/http/testing/h2_peer.h"
#include "proxy/net/testing/loop_thread.h"

namespace weir::upstream {
namespace {

using http::GrpcStatus;
using net::RawSocket;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
namespace h2 = http::h2::testing;

// What a call told, as it came.
class Listener : public GrpcStreamEvents {
 public:
  void on_headers(const http::HeaderMap& headers) override { header = headers.get("x-initial"); }
  void on_message(std::string_view message) override {
    messages.emplace_back(message);
    if (then) then();
  }
  void on_writable() override { ++writable; }
  void on_closed(const GrpcOutcome& got, const http::HeaderMap* trailers) override {
    outcome = got;
    if (trailers != nullptr) trailer = trailers->get("x-final");
    if (at_end) at_end();
  }

  std::function<void()> then;
  std::function<void()> at_end;
  std::vector<std::string> messages;
  std::string header;
  std::string trailer;
  int writable = 0;
  std::optional<GrpcOutcome> outcome;
};

std::string framed(std::string_view message, uint8_t flags = 0) {
  std::string out;
  http::append_grpc_frame(message, out, flags);
  return out;
}

const h2::Lines kGrpc = {{"content-type", "application/grpc"}, {"x-initial", "hello"}};

std::string trailers(uint32_t stream, const h2::Lines& lines) {
  return h2::frame(h2::kHeaders, h2::kEndHeaders | h2::kEndStream, stream, h2::section(lines));
}

class GrpcClientTest : public testing::Test {
 protected:
  GrpcClientTest() {
    config_.name = config_.stat_name = "c";
    config_.versions = ClusterConfig::Versions::kHttp2;
    config_.http2.initial_stream_window_bytes = 1 << 20;
  }
  void TearDown() override {
    if (cluster_ == nullptr) return;
    t_.run([&] {
      stream_.reset();
      call_.reset();
      cluster_->drain();
    });
    server_.reset();
    until([&] { return cluster_->unused(); });
    t_.run([&] { cluster_.reset(); });
  }

  void open(bool with_host = true) {
    HostSet set;
    set.localities.push_back({});
    Endpoint endpoint;
    endpoint.address = listener_.address();
    if (with_host) set.endpoints.push_back(endpoint);
    set.drops = drops_;
    const auto hosts = std::make_shared<const HostSet>(std::move(set));
    auto shared =
        std::make_shared<Cluster>(std::make_shared<const ClusterConfig>(config_), registry_, 1);
    t_.run([&] {
      cluster_ = std::make_unique<WorkerCluster>(shared, plan_balancing(config_.balancing, hosts),
                                                 hosts, t_.loop(), shard_);
    });
  }
  // Begins a call with the given messages; the last one ends our side when `end`.
  void start(const GrpcMethod& method, const std::vector<std::string>& messages, bool end) {
    t_.run([&] {
      stream_ = std::make_unique<GrpcStream>(*cluster_, t_.loop(), heard_);
      stream_->start(method);
      for (size_t i = 0; i < messages.size(); ++i)
        stream_->send(messages[i], end && i + 1 == messages.size());
    });
  }
  void accept() {
    server_.emplace(listener_.accept());
    server_->expect_preface();
    server_->send(h2::settings());
  }
  bool until(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }
  bool ends() {
    return until([&] { return heard_.outcome.has_value(); });
  }
  void expect_end(GrpcStatus status, const std::string& message) {
    ASSERT_TRUE(ends());
    EXPECT_EQ(heard_.outcome->code, static_cast<uint32_t>(status));
    EXPECT_EQ(heard_.outcome->message, message);
    EXPECT_TRUE(t_.run([&] { return stream_->over(); }));
  }

  const GrpcMethod kEcho{"test.Echo", "Say", "", nullptr, 0, 1000};
  net::LoopThread t_;
  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  ClusterConfig config_;
  std::shared_ptr<const DropPolicy> drops_;
  RawSocket listener_ = RawSocket::listen();
  std::unique_ptr<WorkerCluster> cluster_;
  Listener heard_;
  std::unique_ptr<GrpcStream> stream_;
  std::unique_ptr<GrpcUnaryCall> call_;
  std::optional<h2::Peer> server_;
};

TEST_F(GrpcClientTest, SaysWhatItCalls) {
  open();
  const GrpcMetadata metadata = {{"x-key", "value"}, {"token-bin", "AAEC"}};
  GrpcMethod method = kEcho;
  method.authority = "echo.example";
  method.metadata = &metadata;
  method.timeout_ms = 90'000;
  start(method, {"question"}, true);
  accept();
  const h2::Frame head = server_->wait_for(h2::kHeaders, 1u);
  const h2::Lines expected = {{":method", "POST"},
                              {":scheme", "http"},
                              {":path", "/test.Echo/Say"},
                              {":authority", "echo.example"},
                              {"te", "trailers"},
                              {"grpc-timeout", "90000m"},
                              {"content-type", "application/grpc"},
                              {"x-key", "value"},
                              {"token-bin", "AAEC"}};
  for (const auto& [name, value] : expected) EXPECT_EQ(head.get(name), value) << name;
  EXPECT_EQ(head.get("content-length"), "");
  EXPECT_EQ(server_->body(1), framed("question"));
}

TEST_F(GrpcClientTest, CallsWithOneMessageEachWay) {
  open();
  std::optional<GrpcOutcome> outcome;
  std::string reply;
  t_.run([&] {
    call_ = std::make_unique<GrpcUnaryCall>(*cluster_, t_.loop(),
                                            [&](const GrpcOutcome& got, std::string_view message) {
                                              outcome = got;
                                              reply = message;
                                              call_.reset();
                                            });
    call_->start(kEcho, "question");
  });
  accept();
  EXPECT_EQ(server_->wait_for(h2::kHeaders, 1u).get(":authority"), "c");
  EXPECT_EQ(server_->body(1), framed("question"));
  server_->send(h2::response(1, false, "200", kGrpc) + h2::data(1, framed("answer"), false) +
                trailers(1, {{"grpc-status", "0"}}));
  ASSERT_TRUE(until([&] { return outcome.has_value(); }));
  EXPECT_TRUE(outcome->ok());
  EXPECT_EQ(reply, "answer");
  EXPECT_EQ(call_, nullptr);
}

TEST_F(GrpcClientTest, AReplyHasOneMessage) {
  open();
  std::optional<GrpcOutcome> outcome;
  t_.run([&] {
    call_ = std::make_unique<GrpcUnaryCall>(
        *cluster_, t_.loop(), [&](const GrpcOutcome& got, std::string_view) { outcome = got; });
    call_->start(kEcho, "question");
  });
  accept();
  server_->body(1);
  server_->send(h2::response(1, false, "200", kGrpc) + trailers(1, {{"grpc-status", "0"}}));
  ASSERT_TRUE(until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->code, static_cast<uint32_t>(GrpcStatus::kUnimplemented));
  EXPECT_EQ(outcome->message, "the server sent 0 messages instead of one");
}

TEST_F(GrpcClientTest, StreamsBothWays) {
  open();
  start(kEcho, {"one"}, false);
  accept();
  server_->wait_for(h2::kHeaders, 1u);
  EXPECT_EQ(server_->wait_for(h2::kData, 1u).payload, framed("one"));
  server_->send(h2::response(1, false, "200", kGrpc) + h2::data(1, framed("first"), false));
  ASSERT_TRUE(until([&] { return heard_.messages.size() == 1; }));
  EXPECT_EQ(heard_.header, "hello");
  t_.run([&] { stream_->send("two", false); });
  EXPECT_EQ(server_->wait_for(h2::kData, 1u).payload, framed("two"));
  // One message in three frames, the next one with the rest of it.
  const std::string second = framed("second");
  server_->send(h2::data(1, second.substr(0, 3), false) + h2::data(1, second.substr(3, 4), false) +
                h2::data(1, second.substr(7) + framed("") + framed("third"), false));
  t_.run([&] { stream_->finish_sending(); });
  EXPECT_TRUE(server_->wait_for(h2::kData, 1u).ends());
  server_->send(trailers(1, {{"grpc-status", "0"}, {"x-final", "bye"}}));
  expect_end(GrpcStatus::kOk, "");
  EXPECT_EQ(heard_.messages, (std::vector<std::string>{"first", "second", "", "third"}));
  EXPECT_EQ(heard_.trailer, "bye");
}

TEST_F(GrpcClientTest, CallsShareAConnection) {
  open();
  start(kEcho, {"one"}, true);
  accept();
  server_->body(1);
  server_->send(
      h2::response(1, true, "200", {{"content-type", "application/grpc"}, {"grpc-status", "0"}}));
  expect_end(GrpcStatus::kOk, "");
  heard_.outcome.reset();
  start(kEcho, {"two"}, true);
  EXPECT_EQ(server_->body(3), framed("two"));
}

TEST_F(GrpcClientTest, TellsTheServersStatus) {
  open();
  start(kEcho, {"one"}, true);
  accept();
  server_->body(1);
  server_->send(h2::response(1, true, "200",
                             {{"content-type", "application/grpc"},
                              {"grpc-status", "7"},
                              {"grpc-message", "not%20you: 100%25%"}}));
  expect_end(GrpcStatus::kPermissionDenied, "not you: 100%%");
}

TEST_F(GrpcClientTest, AServerMayEndTheCallBeforeWeDo) {
  open();
  start(kEcho, {"one"}, false);
  accept();
  server_->wait_for(h2::kHeaders, 1u);
  server_->send(h2::response(1, false, "200", kGrpc) + h2::data(1, framed("last"), false) +
                trailers(1, {{"grpc-status", "99"}, {"grpc-message", "enough"}}));
  expect_end(static_cast<GrpcStatus>(99), "enough");
  EXPECT_EQ(server_->wait_for(h2::kRstStream, 1u).type, h2::kRstStream);
  t_.run([&] { stream_->send("too late", true); });
}

TEST_F(GrpcClientTest, WhatIsNoAnswerToACall) {
  struct Row {
    std::string frames;
    GrpcStatus status;
    const char* message;
  };
  const auto head = h2::response(1, false, "200", kGrpc);
  const Row rows[] = {
      {h2::response(1, true, "503"), GrpcStatus::kUnavailable,
       "the response has no grpc-status; its HTTP status is 503"},
      {h2::response(1, false, "404", {{"content-type", "text/html"}}), GrpcStatus::kUnimplemented,
       "the server answers with HTTP status 404"},
      {h2::response(1, false, "200", {{"content-type", "text/html"}}), GrpcStatus::kUnknown,
       "the server answers with content-type 'text/html'"},
      {head + h2::data(1, framed("x"), true), GrpcStatus::kUnknown,
       "the response has no grpc-status; its HTTP status is 200"},
      {head + trailers(1, {{"grpc-status", "fine"}}), GrpcStatus::kUnknown,
       "the response has no grpc-status; its HTTP status is 200"},
      {head + h2::data(1, framed("xyz").substr(0, 6), false) + trailers(1, {{"grpc-status", "0"}}),
       GrpcStatus::kInternal, "the response ends within a message"},
      {head + h2::data(1, framed("x", http::kGrpcCompressed), false), GrpcStatus::kInternal,
       "a message is compressed, which was not offered"},
      {head + h2::data(1, framed(std::string(1001, 'x')).substr(0, 5), false),
       GrpcStatus::kResourceExhausted, "a message is longer than 1000 bytes"},
  };
  for (const Row& row : rows) {
    config_.name = config_.stat_name = "c";
    open();
    heard_ = Listener();
    start(kEcho, {"one"}, true);
    accept();
    server_->body(1);
    server_->send(row.frames);
    expect_end(row.status, row.message);
    TearDown();
  }
}

TEST_F(GrpcClientTest, ResetsHaveAStatus) {
  const std::pair<std::string, GrpcStatus> rows[] = {
      {h2::rst(1, NGHTTP2_REFUSED_STREAM), GrpcStatus::kUnavailable},
      {h2::rst(1, NGHTTP2_INTERNAL_ERROR), GrpcStatus::kUnavailable},
      {h2::response(1, true, "abc"), GrpcStatus::kInternal},
      {h2::goaway(0, NGHTTP2_NO_ERROR), GrpcStatus::kUnavailable},
      {"", GrpcStatus::kUnavailable},  // the connection ends
  };
  for (const auto& [frames, status] : rows) {
    open();
    heard_ = Listener();
    start(kEcho, {"one"}, true);
    accept();
    server_->body(1);
    server_->send(frames);
    if (frames.empty()) server_.reset();
    ASSERT_TRUE(ends());
    EXPECT_EQ(heard_.outcome->code, static_cast<uint32_t>(status)) << heard_.outcome->message;
    EXPECT_TRUE(heard_.outcome->message.starts_with("the call broke off: "));
    TearDown();
  }
}

TEST_F(GrpcClientTest, FailuresToBeginAreToldLater) {
  open(/*with_host=*/false);
  start(kEcho, {"one"}, true);
  expect_end(GrpcStatus::kUnavailable, "no healthy upstream");
}

TEST_F(GrpcClientTest, ALimitIsKept) {
  config_.thresholds[0].max_requests = 0;
  open();
  start(kEcho, {"one"}, true);
  expect_end(GrpcStatus::kUnavailable, "no connection: overflow");
}

TEST_F(GrpcClientTest, WhatIsDroppedMayBeTriedAgain) {
  auto all = std::make_shared<DropPolicy>();
  all->add("all", 1);
  drops_ = std::move(all);
  open();
  start(kEcho, {"one"}, true);
  expect_end(GrpcStatus::kUnavailable, "drop overload");
  EXPECT_EQ(registry_.value("cluster.c.upstream_rq_drop_overload"), 1u);
}

TEST_F(GrpcClientTest, HttpOneIsNoWayToCall) {
  config_.versions = ClusterConfig::Versions::kHttp1;
  open();
  start(kEcho, {"one"}, true);
  expect_end(GrpcStatus::kUnavailable, "cluster 'c' is not configured for HTTP/2");
}

TEST_F(GrpcClientTest, NobodyListens) {
  listener_ = RawSocket();
  listener_ = RawSocket::listen();
  const net::Address closed = listener_.address();
  open();
  listener_ = RawSocket::listen();
  start(kEcho, {"one"}, true);
  expect_end(GrpcStatus::kUnavailable, "no connection: connection_refused");
  EXPECT_EQ(t_.run([&] { return cluster_->host(0).counters.rq_error; }), 1u);
  EXPECT_NE(closed.text(), listener_.address().text());
}

TEST_F(GrpcClientTest, ADeadlinePasses) {
  open();
  GrpcMethod method = kEcho;
  method.timeout_ms = 50;
  start(method, {"one"}, true);
  accept();
  server_->body(1);
  expect_end(GrpcStatus::kDeadlineExceeded, "the deadline has passed");
  EXPECT_EQ(server_->wait_for(h2::kRstStream, 1u).error_code(), uint32_t{NGHTTP2_CANCEL});
}

TEST_F(GrpcClientTest, CancellingIsSilent) {
  open();
  start(kEcho, {"one"}, false);
  accept();
  server_->wait_for(h2::kHeaders, 1u);
  t_.run([&] { stream_->cancel(); });
  EXPECT_EQ(server_->wait_for(h2::kRstStream, 1u).error_code(), uint32_t{NGHTTP2_CANCEL});
  EXPECT_FALSE(heard_.outcome);
  EXPECT_TRUE(t_.run([&] { return stream_->over(); }));
}

TEST_F(GrpcClientTest, CancellingBeforeAConnectionStands) {
  open();
  t_.run([&] {
    stream_ = std::make_unique<GrpcStream>(*cluster_, t_.loop(), heard_);
    stream_->start(kEcho);
    stream_->send("one", true);
    stream_.reset();
  });
  accept();
  start(kEcho, {"two"}, true);
  EXPECT_EQ(server_->body(1), framed("two"));
}

TEST_F(GrpcClientTest, MayBeDestroyedByWhatItTells) {
  open();
  heard_.then = [&] { stream_.reset(); };
  start(kEcho, {"one"}, false);
  accept();
  server_->wait_for(h2::kHeaders, 1u);
  server_->send(h2::response(1, false, "200", kGrpc) +
                h2::data(1, framed("first") + framed("second"), false));
  EXPECT_EQ(server_->wait_for(h2::kRstStream, 1u).type, h2::kRstStream);
  EXPECT_EQ(t_.run([&] { return heard_.messages.size(); }), 1u);
  heard_ = Listener();
  heard_.at_end = [&] { stream_.reset(); };
  start(kEcho, {"one"}, true);
  server_->body(3);
  server_->send(h2::response(3, true, "200", {{"grpc-status", "0"}}));
  EXPECT_TRUE(until([&] { return stream_ == nullptr; }));
}

TEST_F(GrpcClientTest, AStalledServerMakesItFull) {
  config_.buffer_limit_bytes = 16 * 1024;
  open();
  t_.run([&] {
    stream_ = std::make_unique<GrpcStream>(*cluster_, t_.loop(), heard_);
    stream_->start(kEcho);
    EXPECT_FALSE(stream_->full());
    // Without a connection, what waits counts.
    stream_->send(std::string(20'000, 'a'), false);
    EXPECT_TRUE(stream_->full());
  });
  accept();
  server_->wait_for(h2::kHeaders, 1u);
  // The server's window takes 65535 bytes, and then no more.
  t_.run([&] { stream_->send(std::string(100'000, 'b'), false); });
  EXPECT_TRUE(until([&] { return stream_->full(); }));
  const int before = t_.run([&] { return heard_.writable; });
  server_->send(h2::window_update(0, 1 << 20) + h2::window_update(1, 1 << 20));
  EXPECT_TRUE(until([&] { return !stream_->full(); }));
  EXPECT_EQ(t_.run([&] { return heard_.writable; }), before + 1);
}

}  // namespace
}  // namespace weir::upstream
