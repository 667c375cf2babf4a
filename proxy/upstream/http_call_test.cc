// POSTs over a worker's pools, against servers that are written byte by byte.
#include "proxy/upstream/http_call.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "proxy/http/testing/h2_peer.h"
#include "proxy/upstream/host_feedback.h"
#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
namespace h2 = http::h2::testing;

class HttpCallTest : public WorkerClusterFixture {
 protected:
  ~HttpCallTest() override {
    t_.run([&] { call_.reset(); });
  }

  void post(const std::string& body = "{}", size_t max_body_bytes = 100) {
    t_.run([&] {
      reply_.reset();
      call_ = std::make_unique<HttpCall>(*cluster_, t_.loop(), max_body_bytes,
                                         [&](const HttpReply& reply) {
                                           reply_ = reply;
                                           call_.reset();
                                         });
      call_->post("/v3/discovery:clusters", "application/json", body);
      EXPECT_FALSE(reply_) << "told in a later turn";
    });
  }
  void expect_reply(uint16_t status, const std::string& body) {
    ASSERT_TRUE(until([&] { return reply_.has_value(); }));
    EXPECT_EQ(reply_->status, status) << reply_->error;
    EXPECT_EQ(reply_->body, body);
    EXPECT_EQ(reply_->error, "");
  }
  void expect_none(const std::string& error) {
    ASSERT_TRUE(until([&] { return reply_.has_value(); }));
    EXPECT_EQ(reply_->status, 0);
    EXPECT_EQ(reply_->body, "");
    EXPECT_EQ(reply_->error, error);
  }

  std::unique_ptr<HttpCall> call_;
  std::optional<HttpReply> reply_;
};

TEST_F(HttpCallTest, PostsAndReadsTheAnswer) {
  open({0});
  post("{\"a\": 1}");
  RawSocket server = listeners_[0].accept();
  const std::string request = server.receive_some();
  EXPECT_TRUE(request.starts_with("POST /v3/discovery:clusters HTTP/1.1\r\n")) << request;
  for (const char* line :
       {"host: c\r\n", "content-type: application/json\r\n", "content-length: 8\r\n"})
    EXPECT_NE(request.find(line), std::string::npos) << line;
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"a\": 1}")) << request;
  server.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nans");
  server.send("wer");
  expect_reply(200, "answer");
  EXPECT_EQ(t_.run([&] { return host(0).counters.rq_success; }), 1u);
  EXPECT_EQ(counter("upstream_rq_200"), 1u);
  EXPECT_EQ(counter("upstream_rq_2xx"), 1u);
}

TEST_F(HttpCallTest, CallsShareAConnection) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("HTTP/1.1 304 Not Modified\r\n\r\n");
  expect_reply(304, "");
  post();
  server.receive_some();
  server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n");
  expect_reply(200, "abc");
}

TEST_F(HttpCallTest, SpeaksHttpTwo) {
  config_.versions = ClusterConfig::Versions::kHttp2;
  open({0});
  post("question");
  h2::Peer server(listeners_[0].accept());
  server.expect_preface();
  server.send(h2::settings());
  const h2::Frame head = server.wait_for(h2::kHeaders, 1u);
  EXPECT_EQ(head.get(":method"), "POST");
  EXPECT_EQ(head.get(":authority"), "c");
  EXPECT_EQ(head.get(":path"), "/v3/discovery:clusters");
  EXPECT_EQ(head.get("content-length"), "8");
  EXPECT_EQ(server.body(1), "question");
  server.send(h2::response(1, false, "200") + h2::data(1, "answer", true));
  expect_reply(200, "answer");
}

TEST_F(HttpCallTest, AServerMayAnswerBeforeItHasReadTheRequest) {
  config_.versions = ClusterConfig::Versions::kHttp2;
  open({0});
  post(std::string(200'000, 'x'));  // more than the server's window takes
  h2::Peer server(listeners_[0].accept());
  server.expect_preface();
  server.send(h2::settings());
  server.wait_for(h2::kHeaders, 1u);
  server.send(h2::response(1, true, "413"));
  expect_reply(413, "");
}

TEST_F(HttpCallTest, AnErrorOfTheServerIsAReply) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy");
  expect_reply(503, "busy");
  EXPECT_EQ(t_.run([&] { return host(0).counters.rq_error; }), 1u);
}

// As a request's: outlier detection of a control plane's cluster hears of it.
TEST_F(HttpCallTest, ItsHostIsJudgedByIt) {
  auto outlier = std::make_shared<OutlierConfig>();
  outlier->split_local_origin = true;
  const auto judged = [&](int listener) {
    HostSet hosts = *host_set({listener});
    Endpoint endpoint = hosts.endpoints[0];
    const auto box = std::make_shared<FeedbackBox>(t_.loop(), FeedbackBox::Taken());
    endpoint.feedback = std::make_shared<HostFeedback>(box, "a", outlier);
    hosts.endpoints.replace(0, std::make_shared<const Endpoint>(endpoint));
    open(std::make_shared<const ClusterConfig>(config_),
         std::make_shared<const HostSet>(std::move(hosts)));
    post();
    return endpoint.feedback;
  };
  using Origin = HostFeedback::Origin;
  const auto answering = judged(0);
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy");
  expect_reply(503, "busy");
  t_.run([&] {
    const HostFeedback::Window answers = answering->take_window(Origin::kExternal);
    EXPECT_EQ(answers.total, 1u);
    EXPECT_EQ(answers.successes, 0u);
    EXPECT_EQ(answering->take_window(Origin::kLocal).successes, 1u);
  });
  TearDown();
  const auto absent = judged(-1);
  expect_none("no connection: connection_refused");
  t_.run([&] {
    const HostFeedback::Window attempts = absent->take_window(Origin::kLocal);
    EXPECT_EQ(attempts.total, 1u);
    EXPECT_EQ(attempts.successes, 0u);
  });
}

TEST_F(HttpCallTest, AResponseIsBounded) {
  open({0});
  post("{}", 5);
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("HTTP/1.1 200 OK\r\n\r\n123");
  server.send("456");
  expect_none("the response is longer than 5 bytes");
  EXPECT_EQ(server.receive_some(), "") << "the connection ends";
}

TEST_F(HttpCallTest, WhatIsNoResponseIsTold) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("SSH-2.0\r\n\r\n");
  ASSERT_TRUE(until([&] { return reply_.has_value(); }));
  EXPECT_EQ(reply_->status, 0);
  EXPECT_TRUE(reply_->error.starts_with("the response did not come: http1.")) << reply_->error;
}

TEST_F(HttpCallTest, AServerThatGoesAwayIsTold) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  server.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123");
  server.close();
  expect_none("the response did not come: upstream_remote_disconnect");
}

TEST_F(HttpCallTest, NobodyListens) {
  open({-1});
  post();
  expect_none("no connection: connection_refused");
}

TEST_F(HttpCallTest, FailuresToBeginAreToldLater) {
  open({});
  post();
  expect_none("no healthy upstream");
}

TEST_F(HttpCallTest, ALimitIsKept) {
  config_.thresholds[0].max_requests = 0;
  open({0});
  post();
  expect_none("no connection: overflow");
}

TEST_F(HttpCallTest, WhatIsDroppedIsToldLater) {
  auto drops = std::make_shared<DropPolicy>();
  drops->add("all", 1);
  HostSet hosts = *host_set({0});
  hosts.drops = std::move(drops);
  open(std::make_shared<const ClusterConfig>(config_),
       std::make_shared<const HostSet>(std::move(hosts)));
  post();
  expect_none("drop overload");
  EXPECT_EQ(counter("upstream_rq_drop_overload"), 1u);
}

TEST_F(HttpCallTest, AHostThatGoesAwayEndsWithItsCall) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  update({1});
  server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  expect_reply(200, "ok");
  EXPECT_EQ(server.receive_some(), "") << "and then its connection";
  post();
  RawSocket other = listeners_[1].accept();
  other.receive_some();
  other.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  expect_reply(200, "");
}

TEST_F(HttpCallTest, GivingUpIsSilent) {
  open({0});
  post();
  RawSocket server = listeners_[0].accept();
  server.receive_some();
  t_.run([&] { call_.reset(); });
  EXPECT_EQ(server.receive_some(), "");
  EXPECT_FALSE(t_.run([&] { return reply_.has_value(); }));
  EXPECT_TRUE(until([&] { return cluster_->unused(); }));
}

TEST_F(HttpCallTest, GivingUpBeforeAConnectionStands) {
  open({0});
  t_.run([&] {
    HttpCall call(*cluster_, t_.loop(), 100, [&](const HttpReply& reply) { reply_ = reply; });
    call.post("/", "text/plain", "gone");
  });
  post("next");
  RawSocket server = listeners_[0].accept();
  const std::string request = server.receive_some();
  EXPECT_TRUE(request.ends_with("next")) << request;
  server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  expect_reply(200, "");
}

}  // namespace
}  // namespace weir::upstream
