#include "proxy/upstream/dns_resolver.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "proxy/upstream/testing/dns_test_server.h"

namespace weir::upstream {
namespace {

using Fault = DnsTestServer::Fault;
using Status = DnsAnswer::Status;

// A loop that ends when it is told to, or, so that no test hangs, after a while.
class TestLoop : private net::Timer::Owner {
 public:
  TestLoop() : guard_(*this) {}
  void run(int64_t most_ms = 10'000) {
    guard_.set(loop.timers(), loop.now_ms() + most_ms);
    loop.run();
  }
  net::Loop loop;

 private:
  void on_timer(net::Timer&) override { loop.stop(); }
  net::Timer guard_;
};

class DnsResolverTest : public ::testing::Test {
 protected:
  DnsResolverTest() {
    EXPECT_TRUE(server_.ok());
    settings_.servers = {server_.address()};
    settings_.search_domains = false;
    settings_.try_timeout_ms = 100;
    settings_.tries = 2;
  }

  DnsAnswer ask(const std::string& name, DnsFamily family = DnsFamily::kAll) {
    TestLoop test;
    DnsResolver resolver(test.loop);
    DnsAnswer answer;
    int calls = 0;
    DnsQuery query(resolver, settings_, [&](const DnsAnswer& got) {
      answer = got;
      ++calls;
      test.loop.stop();
    });
    query.start(name, family);
    test.run();
    EXPECT_EQ(calls, 1) << name;
    EXPECT_FALSE(query.running());
    EXPECT_EQ(resolver.running(), 0u);
    return answer;
  }

  static std::string texts(const DnsAnswer& answer) {
    std::string out;
    for (const net::Address& address : answer.addresses)
      out += (out.empty() ? "" : " ") + address.ip_text();
    return out;
  }

  DnsTestServer server_;
  DnsSettings settings_;
};

TEST_F(DnsResolverTest, FindsAddressesAndTheirTtl) {
  server_.set_v4("a.test", {.ips = {"10.0.0.2", "10.0.0.1"}, .ttl_s = 17});
  const DnsAnswer answer = ask("a.test", DnsFamily::kV4Only);
  EXPECT_EQ(answer.status, Status::kFound);
  EXPECT_EQ(texts(answer), "10.0.0.2 10.0.0.1");
  EXPECT_EQ(answer.ttl_s, 17u);
  EXPECT_EQ(server_.asked(), 1);
}

TEST_F(DnsResolverTest, FollowsAliases) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}, .ttl_s = 30, .alias = "b.test"});
  const DnsAnswer answer = ask("a.test", DnsFamily::kV4Only);
  EXPECT_EQ(texts(answer), "10.0.0.1");
  EXPECT_EQ(answer.ttl_s, 30u);
}

TEST_F(DnsResolverTest, FamiliesOfANameWithBoth) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}, .ttl_s = 20});
  server_.set_v6("a.test", {.ips = {"fd00::1"}, .ttl_s = 10});
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kAll)), "fd00::1 10.0.0.1");
  EXPECT_EQ(ask("a.test", DnsFamily::kAll).ttl_s, 10u);
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kAuto)), "fd00::1");
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kV4Preferred)), "10.0.0.1");
  EXPECT_EQ(ask("a.test", DnsFamily::kV4Preferred).ttl_s, 20u);
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kV4Only)), "10.0.0.1");
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kV6Only)), "fd00::1");
}

TEST_F(DnsResolverTest, FamiliesOfANameWithOne) {
  server_.set_v4("four.test", {.ips = {"10.0.0.1"}});
  server_.set_v6("six.test", {.ips = {"fd00::1"}});
  EXPECT_EQ(texts(ask("four.test", DnsFamily::kAuto)), "10.0.0.1");
  EXPECT_EQ(texts(ask("six.test", DnsFamily::kV4Preferred)), "fd00::1");
  EXPECT_EQ(ask("four.test", DnsFamily::kV6Only).status, Status::kNone);
}

TEST_F(DnsResolverTest, TellsNoSuchNameFromFailure) {
  EXPECT_EQ(ask("nowhere.test").status, Status::kNone);
  server_.set_v4("broken.test", {.fault = Fault::kServerFailure});
  server_.set_v6("broken.test", {.fault = Fault::kServerFailure});
  const DnsAnswer answer = ask("broken.test");
  EXPECT_EQ(answer.status, Status::kFailed);
  EXPECT_FALSE(answer.error.empty());
}

// One family's "there is none" says nothing about the other, whichever is answered last.
TEST_F(DnsResolverTest, HalfAFailureIsNotAbsence) {
  server_.set_v4("v4.test", {.fault = Fault::kServerFailure});
  server_.set_v6("v6.test", {.fault = Fault::kServerFailure});
  EXPECT_EQ(ask("v4.test").status, Status::kFailed);
  EXPECT_EQ(ask("v6.test").status, Status::kFailed);
  server_.set_v4("half.test", {.ips = {"10.0.0.1"}});
  server_.set_v6("half.test", {.fault = Fault::kServerFailure});
  EXPECT_EQ(texts(ask("half.test", DnsFamily::kAuto)), "10.0.0.1");
}

TEST_F(DnsResolverTest, SilenceIsAFailureInTime) {
  server_.set_v4("silent.test", {.fault = Fault::kSilence});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(ask("silent.test", DnsFamily::kV4Only).status, Status::kFailed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  EXPECT_EQ(server_.asked(), 2);  // two tries
}

TEST_F(DnsResolverTest, TheDeadlineEndsEverything) {
  server_.set_v4("silent.test", {.fault = Fault::kSilence});
  settings_.try_timeout_ms = 60'000;
  settings_.deadline_ms = 50;
  const DnsAnswer answer = ask("silent.test", DnsFamily::kV4Only);
  EXPECT_EQ(answer.status, Status::kFailed);
  EXPECT_EQ(answer.error, "no answer in time");
}

TEST_F(DnsResolverTest, ASilentFamilyIsNotWaitedForLong) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  server_.set_v6("a.test", {.fault = Fault::kSilence});
  settings_.try_timeout_ms = 60'000;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kAuto)), "10.0.0.1");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST_F(DnsResolverTest, AnswersThatMakeNoSenseAreFailures) {
  server_.set_v4("garbage.test", {.fault = Fault::kGarbage});
  server_.set_v4("cut.test", {.ips = {"10.0.0.1"}, .fault = Fault::kCutOff});
  EXPECT_EQ(ask("garbage.test", DnsFamily::kV4Only).status, Status::kFailed);
  EXPECT_EQ(ask("cut.test", DnsFamily::kV4Only).status, Status::kFailed);
}

TEST_F(DnsResolverTest, TruncatedAnswersAreAskedForByTcp) {
  DnsTestServer::Reply many{.fault = Fault::kTruncated};
  for (int i = 1; i <= 100; ++i) many.ips.push_back("10.0.0." + std::to_string(i));
  server_.set_v4("many.test", many);
  const DnsAnswer answer = ask("many.test", DnsFamily::kV4Only);
  EXPECT_EQ(answer.addresses.size(), 100u);
  EXPECT_EQ(server_.asked_by_tcp(), 1);
}

TEST_F(DnsResolverTest, MayUseTcpOnly) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  server_.set_v6("a.test", {.ips = {"fd00::1"}});
  settings_.over_tcp = true;
  settings_.try_timeout_ms = 2'000;
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kV4Only)), "10.0.0.1");
  EXPECT_EQ(server_.asked_by_tcp(), server_.asked());
}

TEST_F(DnsResolverTest, ADeadServerIsAFailure) {
  // Port 9 of the loopback: nobody is there, and the kernel says so.
  settings_.servers = {server_.address().with_port(9)};
  EXPECT_EQ(ask("a.test", DnsFamily::kV4Only).status, Status::kFailed);
}

TEST_F(DnsResolverTest, TheNextServerIsAskedWhenOneIsDead) {
  settings_.servers = {server_.address().with_port(9), server_.address()};
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  EXPECT_EQ(texts(ask("a.test", DnsFamily::kV4Only)), "10.0.0.1");
}

TEST_F(DnsResolverTest, TheHostsFileComesFirst) {
  const std::string path = ::testing::TempDir() + "/dns_resolver_test_hosts";
  std::ofstream(path) << "10.9.8.7 inhosts.test\nfd00::9 inhosts.test\n10.9.8.6 four.test\n";
  setenv("CARES_HOSTS", path.c_str(), 1);
  server_.set_v4("inhosts.test", {.ips = {"10.0.0.1"}});
  EXPECT_EQ(texts(ask("inhosts.test", DnsFamily::kAll)), "fd00::9 10.9.8.7");
  EXPECT_EQ(server_.asked(), 0);
  EXPECT_EQ(texts(ask("four.test", DnsFamily::kV4Only)), "10.9.8.6");
  unsetenv("CARES_HOSTS");
}

TEST_F(DnsResolverTest, NamesThatAreNone) {
  for (const std::string& name : {std::string(300, 'x'), std::string("a..b"), std::string()})
    EXPECT_NE(ask(name, DnsFamily::kV4Only).status, Status::kFound) << name;
}

TEST_F(DnsResolverTest, CancelledQueriesStaySilent) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  TestLoop test;
  DnsResolver resolver(test.loop);
  int calls = 0;
  {
    DnsQuery gone(resolver, settings_, [&](const DnsAnswer&) { ++calls; });
    gone.start("a.test", DnsFamily::kV4Only);
    EXPECT_TRUE(gone.running());
  }
  DnsQuery cancelled(resolver, settings_, [&](const DnsAnswer&) { ++calls; });
  cancelled.start("a.test", DnsFamily::kV4Only);
  cancelled.cancel();
  DnsQuery query(resolver, settings_, [&](const DnsAnswer& answer) {
    EXPECT_EQ(texts(answer), "10.0.0.1");
    test.loop.stop();
  });
  query.start("a.test", DnsFamily::kV4Only);
  test.run();
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(query.running());
}

TEST_F(DnsResolverTest, ManyQueriesTakeTurns) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  TestLoop test;
  DnsResolver resolver(test.loop, 3);
  constexpr int kQueries = 50;
  int answered = 0;
  std::vector<std::unique_ptr<DnsQuery>> queries;
  for (int i = 0; i < kQueries; ++i) {
    queries.push_back(std::make_unique<DnsQuery>(resolver, settings_, [&](const DnsAnswer& got) {
      EXPECT_EQ(got.status, Status::kFound);
      EXPECT_LE(resolver.running(), 3u);
      if (++answered == kQueries) test.loop.stop();
    }));
    queries.back()->start("a.test", DnsFamily::kV4Only);
  }
  EXPECT_EQ(resolver.running(), 3u);
  queries[40].reset();  // one that waits
  queries[0].reset();   // one that runs
  answered += 2;
  test.run();
  EXPECT_EQ(answered, kQueries);
}

TEST_F(DnsResolverTest, ACallbackMayAskAgain) {
  server_.set_v4("a.test", {.ips = {"10.0.0.1"}});
  TestLoop test;
  DnsResolver resolver(test.loop);
  int calls = 0;
  std::unique_ptr<DnsQuery> query;
  query = std::make_unique<DnsQuery>(resolver, settings_, [&](const DnsAnswer&) {
    if (++calls < 3) return query->start("a.test", DnsFamily::kV4Only);
    test.loop.stop();
  });
  query->start("a.test", DnsFamily::kV4Only);
  test.run();
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace weir::upstream
