#include "proxy/upstream/discovery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "proxy/upstream/testing/dns_test_server.h"

namespace weir::upstream {
namespace {

using Fault = DnsTestServer::Fault;
using Status = DnsAnswer::Status;

// Discovery against a server of our own, with short times. Each test runs the loop once, until it
// has seen what it waits for.
class DiscoveryTest : public ::testing::Test, private net::Timer::Owner {
 protected:
  DiscoveryTest() : guard_(*this) { EXPECT_TRUE(server_.ok()); }

  std::shared_ptr<ClusterConfig> cluster(const std::string& name,
                                         std::vector<std::string> targets) {
    auto config = std::make_shared<ClusterConfig>();
    config->name = name;
    config->discovery = ClusterConfig::Discovery::kStrictDns;
    config->resolvers.servers = {server_.address()};
    config->resolvers.search_domains = false;
    config->dns_family = DnsFamily::kV4Only;
    config->dns_refresh_ms = 20;
    config->dns_failure_base_ms = config->dns_failure_max_ms = 20;
    config->target_localities.push_back({});
    for (std::string& target : targets) {
      Endpoint prototype;
      prototype.hostname = target;
      config->targets.push_back({std::move(target), 80, prototype});
    }
    return config;
  }

  // Runs until `done`, which is asked after each event; fails when that takes too long.
  void run_until(std::function<bool()> done) {
    done_ = std::move(done);
    guard_.set(loop_.timers(), loop_.now_ms() + 10'000);
    check();
    loop_.run();
    EXPECT_TRUE(done_()) << "still waiting; seen: " << ::testing::PrintToString(log_);
  }

  void note(std::string event) {
    log_.push_back(std::move(event));
    check();
  }
  void check() {
    if (done_ && done_()) loop_.stop();
  }
  int asked(Status status) const { return asked_[static_cast<size_t>(status)]; }

  static std::string texts(const HostSet& hosts) {
    std::string out;
    for (const Endpoint& endpoint : hosts.endpoints) out += " " + endpoint.address_text;
    return out;
  }

  void on_timer(net::Timer&) override { loop_.stop(); }

  DnsTestServer server_;
  net::Loop loop_;
  net::Timer guard_;
  std::vector<std::string> log_;
  int asked_[3] = {};
  std::function<bool()> done_;
  std::function<void()> on_publish_;
  Discovery discovery_{
      loop_,
      {.publish =
           [this](const std::string& name, std::shared_ptr<const HostSet> hosts) {
             note(name + texts(*hosts));
             if (on_publish_) on_publish_();
           },
       .initialised = [this](const std::string& name) { note(name + " initialised"); },
       .asked =
           [this](const std::string&, Status status) {
             ++asked_[static_cast<size_t>(status)];
             check();
           }}};
};

using Log = std::vector<std::string>;

TEST_F(DiscoveryTest, PublishesEveryAddressOnce) {
  server_.set_v4("a.test", {.ips = {"10.0.0.2", "10.0.0.1", "10.0.0.2"}});
  discovery_.add(cluster("c", {"a.test"}));
  EXPECT_FALSE(discovery_.initialised());
  run_until([&] { return asked(Status::kFound) >= 4; });
  // Asked four times, published once.
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80 10.0.0.2:80", "c initialised"}));
  EXPECT_TRUE(discovery_.initialised());
  EXPECT_EQ(discovery_.hosts("c")->endpoints[0].hostname, "a.test");
  EXPECT_EQ(discovery_.hosts("c")->version, 1u);
}

TEST_F(DiscoveryTest, SeesHostsComeAndGo) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1", "10.0.0.2"}});
  discovery_.add(cluster("c", {"a.test"}));
  int64_t first_added_ms = 0;
  on_publish_ = [&] {
    const HostSet& hosts = *discovery_.hosts("c");
    if (hosts.version == 1) {
      first_added_ms = hosts.endpoints[1].added_ms;
      server_.set_v4("a.test", {.ips = {"10.0.0.3", "10.0.0.2"}});
      return;
    }
    EXPECT_EQ(hosts.endpoints[0].added_ms, first_added_ms);  // 10.0.0.2 was there before
    EXPECT_GT(hosts.endpoints[1].added_ms, first_added_ms);
  };
  run_until([&] { return log_.size() == 3; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80 10.0.0.2:80", "c initialised", "c 10.0.0.2:80 10.0.0.3:80"}));
}

TEST_F(DiscoveryTest, FailuresKeepTheLastAnswer) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(cluster("c", {"a.test"}));
  on_publish_ = [&] { server_.set_v4("a.test", {.fault = Fault::kServerFailure}); };
  run_until([&] { return asked(Status::kFailed) >= 3; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80", "c initialised"}));
}

// Its configuration is another one; the name and what it led to are the same.
TEST_F(DiscoveryTest, FailuresKeepTheLastAnswerToAClusterThatIsReplaced) {
  const auto of = [&](const std::string& name, auto kind, std::vector<std::string> targets) {
    auto config = cluster(name, std::move(targets));
    config->discovery = kind;
    return config;
  };
  using Kind = ClusterConfig::Discovery;
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(of("strict", Kind::kStrictDns, {"a.test"}));
  discovery_.add(of("logical", Kind::kLogicalDns, {"a.test"}));
  bool replaced = false;
  run_until([&] {
    if (log_.size() == 4 && !std::exchange(replaced, true)) {
      server_.set_v4("a.test", {.fault = Fault::kServerFailure});
      // Twice: the second one is replaced before it has heard anything.
      for (const char* more : {"b.test", "c.test"}) {
        discovery_.add(of("strict", Kind::kStrictDns, {"a.test", more}));
        discovery_.add(of("logical", Kind::kLogicalDns, {"a.test", more}));
      }
    }
    return replaced && log_.size() == 8 && asked(Status::kFailed) >= 4;
  });
  std::sort(log_.begin(), log_.end());
  const std::string known[] = {"logical 10.0.0.1:80", "logical initialised", "strict 10.0.0.1:80",
                               "strict initialised"};
  for (size_t i = 0; i < log_.size(); ++i) EXPECT_EQ(log_[i], known[i / 2]);
}

TEST_F(DiscoveryTest, RecoversAfterFailures) {
  server_.set_v4("a.test", {.fault = Fault::kServerFailure});
  discovery_.add(cluster("c", {"a.test"}));
  bool repaired = false;
  run_until([&] {
    if (asked(Status::kFailed) == 2 && !std::exchange(repaired, true))
      server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
    return log_.size() == 2;
  });
  // A first failure counts as initialised: the process must not wait for a dead name for ever.
  EXPECT_EQ(log_, (Log{"c initialised", "c 10.0.0.1:80"}));
}

TEST_F(DiscoveryTest, ANameThatIsGoneHasNoHosts) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(cluster("c", {"a.test"}));
  on_publish_ = [&] { server_.clear("a.test"); };
  run_until([&] { return log_.size() == 3; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80", "c initialised", "c"}));
}

TEST_F(DiscoveryTest, LogicalDnsKeepsItsAddressWhenTheNameIsGone) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1", "10.0.0.2"}});
  auto config = cluster("c", {"a.test"});
  config->discovery = ClusterConfig::Discovery::kLogicalDns;
  discovery_.add(config);
  on_publish_ = [&] { server_.clear("a.test"); };
  run_until([&] { return asked(Status::kNone) >= 2; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80", "c initialised"}));
}

TEST_F(DiscoveryTest, LogicalDnsFollowsTheRotation) {
  server_.set_v4("a.test", {.ips = {"10.0.0.2", "10.0.0.1"}});
  auto config = cluster("c", {"a.test"});
  config->discovery = ClusterConfig::Discovery::kLogicalDns;
  discovery_.add(config);
  int64_t added_ms = 0;
  on_publish_ = [&] {
    const Endpoint& only = discovery_.hosts("c")->endpoints.at(0);
    EXPECT_TRUE(only.logical);
    if (discovery_.hosts("c")->version == 1) added_ms = only.added_ms;
    EXPECT_EQ(only.added_ms, added_ms);
    server_.set_v4("a.test", {.ips = {"10.0.0.1", "10.0.0.2"}});
  };
  run_until([&] { return log_.size() == 3; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.2:80", "c initialised", "c 10.0.0.1:80"}));
}

TEST_F(DiscoveryTest, LiteralAddressesNeedNoQuery) {
  discovery_.add(cluster("c", {"10.0.0.9", "::1"}));
  EXPECT_EQ(log_, (Log{"c 10.0.0.9:80 [::1]:80", "c initialised"}));
  EXPECT_TRUE(discovery_.initialised());
  EXPECT_EQ(server_.asked(), 0);
}

TEST_F(DiscoveryTest, SeveralNamesInitialiseTogether) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  server_.set_v4("b.test", {.ips = {"10.0.0.2", "10.0.0.1"}});  // one host by two names
  auto config = cluster("c", {"a.test", "b.test"});
  config->targets[1].prototype.weight = 7;
  discovery_.add(config);
  run_until([&] { return discovery_.initialised(); });
  ASSERT_EQ(log_.back(), "c initialised");
  const HostSet& hosts = *discovery_.hosts("c");
  ASSERT_EQ(texts(hosts), " 10.0.0.1:80 10.0.0.2:80");
  EXPECT_EQ(hosts.endpoints[1].weight, 7u);
}

TEST_F(DiscoveryTest, HonoursTtlsWhenAsked) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}, .ttl_s = 1});
  auto config = cluster("c", {"a.test"});
  config->respect_dns_ttl = true;
  config->dns_refresh_ms = 1;
  discovery_.add(config);
  const auto begin = std::chrono::steady_clock::now();
  run_until([&] { return asked(Status::kFound) == 2; });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(950));
  EXPECT_EQ(server_.asked(), 2);
}

TEST_F(DiscoveryTest, BacksOffWhileFailing) {
  server_.set_v4("a.test", {.fault = Fault::kServerFailure});
  auto config = cluster("c", {"a.test"});
  config->dns_refresh_ms = 1;
  config->dns_failure_base_ms = 20;
  config->dns_failure_max_ms = 10'000;
  discovery_.add(config);
  const auto begin = std::chrono::steady_clock::now();
  // 20, 40, 80, 160 ms, each at least half.
  run_until([&] { return asked(Status::kFailed) == 5; });
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(150));
}

TEST_F(DiscoveryTest, RemovedClustersAreSilent) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(cluster("gone", {"a.test"}));
  discovery_.remove("gone");
  discovery_.remove("never");
  discovery_.add(cluster("c", {"a.test"}));
  run_until([&] { return asked(Status::kFound) >= 3; });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80", "c initialised"}));
  EXPECT_EQ(discovery_.hosts("gone"), nullptr);
}

TEST_F(DiscoveryTest, AClusterMayBeRemovedFromWithinItsOwnEvent) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(cluster("c", {"a.test"}));
  on_publish_ = [&] {
    discovery_.remove("c");
    loop_.stop();
  };
  run_until([&] { return !log_.empty(); });
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80"}));
  // The same when everything happens within add().
  discovery_.add(cluster("literal", {"10.0.0.9"}));
  EXPECT_EQ(log_, (Log{"c 10.0.0.1:80", "literal 10.0.0.9:80", "literal initialised"}));
}

TEST_F(DiscoveryTest, AReplacedClusterKeepsTheTimesOfItsHosts) {
  discovery_.add(cluster("c", {"10.0.0.9"}));
  const int64_t added_ms = discovery_.hosts("c")->endpoints[0].added_ms;
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  discovery_.add(cluster("other", {"a.test"}));
  run_until([&] { return asked(Status::kFound) >= 2; });
  discovery_.add(cluster("c", {"10.0.0.9", "10.0.0.10"}));
  const HostSet& hosts = *discovery_.hosts("c");
  EXPECT_EQ(hosts.endpoints[0].added_ms, added_ms);
  EXPECT_GT(hosts.endpoints[1].added_ms, added_ms);
  EXPECT_EQ(hosts.version, 1u);
}

}  // namespace
}  // namespace weir::upstream
