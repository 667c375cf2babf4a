#include "xds/rest_source.h"

#include <gmock/gmock.h>

#include "config/diagnostic_format.h"
#include "xds/testing/client_driver.h"

namespace weir::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = ResourceStatus::State;

constexpr auto kCds = ResourceType::kCluster;
constexpr auto kEds = ResourceType::kEndpoint;

constexpr const char* kAssignments = R"({"version_info": "1", "resources": [
  {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
   "cluster_name": "a"},
  {"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
   "cluster_name": "b"}]})";

std::string clusters(const std::string& version, const std::vector<std::string>& names) {
  std::string text = R"({"version_info": ")" + version + R"(", "resources": [)";
  for (const std::string& name : names) {
    if (!text.ends_with('[')) text += ',';
    text += R"({"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": ")" + name +
            "\"}";
  }
  return text + "]}";
}

class RestSourceTest : public ::testing::Test {
 protected:
  class Exchange : public RestExchange {
   public:
    explicit Exchange(RestSourceTest& test) : test_(test) {}
    ~Exchange() override { test_.done_ = nullptr; }

   private:
    RestSourceTest& test_;
  };

  RestSource& source(ResourceType type = kCds) {
    if (source_ != nullptr) return *source_;
    options_.refresh_delay_ms = 5'000;
    options_.request_timeout_ms = 1'000;
    options_.on_event = [this](ResourceType, Event event) { ++events_[event]; };
    options_.on_problem = [this](const config::Diagnostics& diagnostics) {
      problems_ += config::format_text(diagnostics, false);
    };
    const RestPost post = [this](const RestRequest& request, auto done) {
      requests_.push_back(request);
      done_ = std::move(done);
      return std::make_unique<Exchange>(*this);
    };
    source_ = std::make_unique<RestSource>(type, options_, wire_, post, handler_);
    return *source_;
  }
  void pass(int64_t ms) {
    wire_.pass(ms, [this] { source().tick(); });
  }
  void respond(int status, const std::string& body = "", const std::string& error = "") {
    ASSERT_TRUE(done_);
    const auto done = done_;
    done({status, body, error});
  }
  ResourceStatus status_of(const std::string& name) {
    for (const ResourceStatus& status : source().status()) {
      if (status.name == name) return status;
    }
    ADD_FAILURE() << "no status of " << name;
    return {};
  }
  // All clusters are polled for, and version 1 with `a` is in force.
  void take_first() {
    source().subscribe("*", 0);
    source().start();
    pass(0);
    respond(200, clusters("1", {"a"}));
    requests_.clear();
    handler_.updates.clear();
  }

  testing::FakeWire wire_;
  testing::RecordingHandler handler_;
  RestSourceOptions options_;
  std::vector<RestRequest> requests_;
  std::function<void(const RestResponse&)> done_;
  std::map<Event, int> events_;
  std::string problems_;

 private:
  std::unique_ptr<RestSource> source_;
};

TEST_F(RestSourceTest, PostsARequestAsJson) {
  auto node = std::make_shared<envoy::config::core::v3::Node>();
  node->set_id("proxy-1");
  options_.node = node;
  source(kEds).subscribe("a", 0);
  source().subscribe("b", 0);
  EXPECT_THAT(requests_, IsEmpty());
  source().start();
  pass(0);
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].path, "/v3/discovery:endpoints");
  EXPECT_EQ(requests_[0].body,
            R"({"node":{"id":"proxy-1"},"resource_names":["a","b"],"type_url":)"
            R"("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"})");
}

TEST_F(RestSourceTest, TakesOverWhatComes) {
  take_first();
  EXPECT_EQ(source().version(), "1");
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  pass(5'000);
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_THAT(requests_[0].body, HasSubstr(R"("version_info":"1")"));
  respond(200, clusters("2", {"b"}));
  ASSERT_EQ(handler_.updates.size(), 1u);
  EXPECT_THAT(handler_.updates[0].removed, ElementsAre("a"));
  EXPECT_EQ(handler_.take_added(), "b");
  EXPECT_EQ(events_[Event::kSuccess], 2);
}

TEST_F(RestSourceTest, WaitsTheDelayAndUpToAsMuchAgain) {
  wire_.random_value = 4'999;
  take_first();
  pass(9'998);
  EXPECT_THAT(requests_, IsEmpty());
  pass(1);
  EXPECT_EQ(requests_.size(), 1u);
  wire_.random_value = 5'000;
  respond(304);
  pass(4'999);
  EXPECT_EQ(requests_.size(), 1u);
  pass(1);
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(RestSourceTest, NotModifiedIsUnchanged) {
  take_first();
  pass(5'000);
  respond(304);
  EXPECT_THAT(handler_.updates, IsEmpty());
  EXPECT_EQ(problems_, "");
  EXPECT_EQ(events_[Event::kFailure], 0);
  EXPECT_EQ(source().version(), "1");
}

TEST_F(RestSourceTest, AFailureKeepsTheLastGoodAndPollsAgain) {
  take_first();
  pass(5'000);
  respond(503);
  EXPECT_THAT(problems_, HasSubstr("/v3/discovery:clusters: error: status 503 [io]"));
  pass(5'000);
  respond(0, "", "connection refused");
  EXPECT_THAT(problems_, HasSubstr("connection refused"));
  EXPECT_EQ(events_[Event::kFailure], 2);
  EXPECT_EQ(requests_.size(), 2u);
  EXPECT_EQ(status_of("a").state, State::kAccepted);
  pass(5'000);
  EXPECT_EQ(requests_.size(), 3u);
}

TEST_F(RestSourceTest, ARequestThatTakesTooLongIsGivenUp) {
  take_first();
  pass(5'000);
  EXPECT_TRUE(done_);
  pass(999);
  EXPECT_TRUE(done_);
  pass(1);
  EXPECT_FALSE(done_) << "the exchange is destroyed";
  EXPECT_THAT(problems_, HasSubstr("there was no response within 1000 ms"));
  pass(5'000);
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(RestSourceTest, WhatIsRefusedIsSaidOnce) {
  take_first();
  handler_.refused["b"] = "odd";
  pass(5'000);
  respond(200, clusters("2", {"b"}));
  EXPECT_THAT(problems_, HasSubstr("b: odd"));
  EXPECT_EQ(events_[Event::kRejected], 1);
  pass(5'000);
  EXPECT_THAT(requests_.back().body, HasSubstr(R"("error_detail":{"code":13,"message":"b: odd"})"));
  EXPECT_THAT(requests_.back().body, HasSubstr(R"("version_info":"1")"));
  respond(304);
  pass(5'000);
  EXPECT_THAT(requests_.back().body, ::testing::Not(HasSubstr("error_detail")));
}

TEST_F(RestSourceTest, WhatIsNoResponseIsRefused) {
  source().subscribe("*", 15'000);
  source().subscribe("x", 0);
  source().start();
  pass(0);
  respond(200, "{");
  EXPECT_THAT(problems_, HasSubstr("[syntax]"));
  EXPECT_EQ(events_[Event::kRejected], 1);
  EXPECT_THAT(handler_.absent, ElementsAre("x", "*")) << "a rejection ends the wait";
  pass(20'000);
  EXPECT_EQ(handler_.absent.size(), 2u);
}

TEST_F(RestSourceTest, UnknownFieldsAreWarnings) {
  take_first();
  pass(5'000);
  respond(200, R"({"version_info": "2", "newer": 1})");
  EXPECT_THAT(problems_, HasSubstr("warning: "));
  EXPECT_EQ(source().version(), "2");
}

TEST_F(RestSourceTest, WhatDoesNotComeInTimeIsAbsent) {
  source(kEds).subscribe("a", 15'000);
  source().start();
  for (int i = 0; i < 3; ++i) {
    pass(5'000);
    if (done_) respond(503);
  }
  EXPECT_THAT(handler_.absent, ElementsAre("a"));
  EXPECT_EQ(status_of("a").state, State::kTimeout);
  EXPECT_EQ(events_[Event::kFetchTimeout], 1);
}

TEST_F(RestSourceTest, ANewNameDoesNotWait) {
  source(kEds).subscribe("a", 0);
  source().start();
  pass(0);
  respond(304);
  source().subscribe("b", 0);
  pass(0);
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_THAT(requests_[1].body, HasSubstr(R"(["a","b"])"));
  source().subscribe("c", 0);
  pass(0);
  EXPECT_EQ(requests_.size(), 2u) << "one at a time";
  respond(304);
  pass(0);
  EXPECT_EQ(requests_.size(), 3u);
}

TEST_F(RestSourceTest, WhatIsAskedForAgainMayBeUnchanged) {
  source(kEds).subscribe("a", 0);
  source().subscribe("b", 0);
  source().start();
  pass(0);
  respond(200, kAssignments);
  source().refresh("a", 1'000);
  pass(0);
  ASSERT_EQ(requests_.size(), 2u) << "it does not wait for the next poll";
  source().refresh("b", 1'000);
  respond(304);
  EXPECT_THAT(handler_.unchanged, IsEmpty()) << "one was asked for later";
  pass(0);
  ASSERT_EQ(requests_.size(), 3u);
  respond(304);
  EXPECT_THAT(handler_.unchanged, ElementsAre("a", "b"));
  source().refresh("a", 1'000);
  pass(0);
  respond(200, kAssignments);
  EXPECT_THAT(handler_.unchanged, ElementsAre("a", "b", "a", "b"));
  pass(2'000);
  EXPECT_THAT(handler_.absent, IsEmpty());
}

TEST_F(RestSourceTest, AHandlerMaySubscribe) {
  take_first();
  pass(5'000);
  handler_.on_apply = [&](const Update&) { source().subscribe("more", 0); };
  respond(200, clusters("2", {"a", "b"}));
  pass(0);
  EXPECT_THAT(requests_.back().body, HasSubstr(R"("resource_names":["*","more"])"));
}

TEST_F(RestSourceTest, WithoutSubscriptionsThereIsNoPoll) {
  take_first();
  pass(5'000);
  EXPECT_TRUE(done_);
  source().unsubscribe("*");
  EXPECT_FALSE(done_);
  pass(100'000);
  EXPECT_EQ(requests_.size(), 1u);
  source().subscribe("*", 0);
  pass(0);
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(RestSourceTest, EveryTypeHasItsPath) {
  const std::vector<std::string> paths = {"clusters", "endpoints",        "listeners",
                                          "routes",   "scoped-routes",    "secrets",
                                          "runtime",  "extension_configs"};
  for (size_t i = 0; i < kResourceTypes; ++i) {
    requests_.clear();
    const RestPost post = [this](const RestRequest& request, auto) {
      requests_.push_back(request);
      return std::make_unique<Exchange>(*this);
    };
    RestSource one(static_cast<ResourceType>(i), {}, wire_, post, handler_);
    one.subscribe("a", 0);
    one.start();
    one.tick();
    ASSERT_EQ(requests_.size(), 1u);
    EXPECT_EQ(requests_[0].path, "/v3/discovery:" + paths[i]);
  }
}

}  // namespace
}  // namespace weir::xds
