// Which filter chain a connection belongs to.
#include "proxy/listener_config.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir {
namespace {

using SourceType = ChainMatch::SourceType;

net::Address at(const std::string& ip, uint16_t port = 80) {
  return net::Address::ip(ip, port).take();
}

CidrRange range(const std::string& ip, uint32_t bits) {
  return {at(ip, 0), bits};
}

class ChainChoice : public testing::Test {
 protected:
  void add(const std::string& name, ChainMatch match = {}) {
    listener_.chains.push_back({name, std::move(match), {}});
  }
  std::string choose(const net::Address& local, const net::Address& peer) const {
    const ChainConfig* chain = listener_.chain_for(local, peer);
    return chain == nullptr ? "none" : chain->name;
  }

  ListenerConfig listener_;
  const net::Address local_ = at("10.0.0.1", 80);
  const net::Address peer_ = at("192.0.2.7", 1234);
};

TEST(CidrRangeTest, Contains) {
  EXPECT_TRUE(range("10.0.0.0", 8).contains(at("10.255.1.2")));
  EXPECT_FALSE(range("10.0.0.0", 8).contains(at("11.0.0.0")));
  EXPECT_TRUE(range("192.0.2.128", 25).contains(at("192.0.2.129")));
  EXPECT_FALSE(range("192.0.2.128", 25).contains(at("192.0.2.127")));
  EXPECT_TRUE(range("192.0.2.1", 32).contains(at("192.0.2.1")));
  EXPECT_FALSE(range("192.0.2.1", 32).contains(at("192.0.2.2")));
  EXPECT_TRUE(range("0.0.0.0", 0).contains(at("203.0.113.9")));
  EXPECT_FALSE(range("0.0.0.0", 0).contains(at("::1"))) << "another family";
  EXPECT_TRUE(range("2001:db8::", 33).contains(at("2001:db8:7fff::1")));
  EXPECT_FALSE(range("2001:db8::", 33).contains(at("2001:db8:8000::1")));
  EXPECT_TRUE(range("::1", 128).contains(at("::1")));
  EXPECT_FALSE(range("10.0.0.0", 8).contains(net::Address::unix_path("/a").take()));
}

TEST_F(ChainChoice, WithoutChainsTheDefault) {
  EXPECT_EQ(choose(local_, peer_), "none");
  listener_.default_chain = ChainConfig{"default", {}, {}};
  EXPECT_EQ(choose(local_, peer_), "default");
  ASSERT_NE(listener_.single_chain(), nullptr);
  EXPECT_EQ(listener_.single_chain()->name, "default");
  add("any");
  EXPECT_EQ(listener_.single_chain(), nullptr);
  EXPECT_EQ(choose(local_, peer_), "any");
}

TEST_F(ChainChoice, TheFirstOfEquals) {
  add("first");
  add("second");
  EXPECT_EQ(choose(local_, peer_), "first");
}

TEST_F(ChainChoice, TheLongestPrefix) {
  add("eight", {.destinations = {range("10.0.0.0", 8)}});
  add("thirty", {.destinations = {range("172.16.0.0", 12), range("10.0.0.0", 30)}});
  add("sixteen", {.destinations = {range("10.0.0.0", 16)}});
  EXPECT_EQ(choose(local_, peer_), "thirty");
  EXPECT_EQ(choose(at("10.0.9.9"), peer_), "sixteen");
  EXPECT_EQ(choose(at("10.9.9.9"), peer_), "eight");
  EXPECT_EQ(choose(at("11.0.0.1"), peer_), "none");
}

TEST_F(ChainChoice, SourceTypes) {
  add("any");
  add("local", {.source_type = SourceType::kLocal});
  add("external", {.source_type = SourceType::kExternal});
  EXPECT_EQ(choose(local_, peer_), "external");
  EXPECT_EQ(choose(local_, at("127.0.0.9")), "local");
  EXPECT_EQ(choose(local_, at("10.0.0.1", 999)), "local") << "the address it came in on";
}

TEST_F(ChainChoice, SourcesAndTheirPorts) {
  add("port", {.source_ports = {1, 1234}});
  add("address", {.sources = {range("192.0.2.0", 24)}});
  add("both", {.sources = {range("192.0.2.0", 24)}, .source_ports = {1234}});
  EXPECT_EQ(choose(local_, peer_), "both");
  EXPECT_EQ(choose(local_, at("192.0.2.7", 5)), "address");
  EXPECT_EQ(choose(local_, at("198.51.100.1", 1)), "port");
  EXPECT_EQ(choose(local_, at("198.51.100.1", 2)), "none");
}

// Each criterion beats all that come after it.
TEST_F(ChainChoice, OrderOfPrecedence) {
  const CidrRange exact_source = range("192.0.2.7", 32);
  add("source port", {.source_ports = {1234}});
  EXPECT_EQ(choose(local_, peer_), "source port");
  add("source", {.sources = {range("192.0.0.0", 8)}});
  EXPECT_EQ(choose(local_, peer_), "source");
  add("source type", {.source_type = SourceType::kExternal});
  EXPECT_EQ(choose(local_, peer_), "source type");
  add("destination", {.destinations = {range("0.0.0.0", 1)}});
  EXPECT_EQ(choose(local_, peer_), "destination");
  add("all of the source",
      {.source_type = SourceType::kExternal, .sources = {exact_source}, .source_ports = {1234}});
  EXPECT_EQ(choose(local_, peer_), "destination");
  add("port", {.destination_port = 80});
  EXPECT_EQ(choose(local_, peer_), "port");
  add("all but the port", {.destinations = {range("10.0.0.1", 32)}, .sources = {exact_source}});
  EXPECT_EQ(choose(local_, peer_), "port");
}

// Envoy does not go back to a chain that is less specific in an earlier criterion.
TEST_F(ChainChoice, NoWayBack) {
  listener_.default_chain = ChainConfig{"default", {}, {}};
  add("any");
  add("port", {.destination_port = 80, .sources = {range("198.51.100.0", 24)}});
  EXPECT_EQ(choose(local_, peer_), "default");
  EXPECT_EQ(choose(local_, at("198.51.100.1")), "port");
  EXPECT_EQ(choose(at("10.0.0.1", 81), peer_), "any");
}

TEST_F(ChainChoice, ChainsForTls) {
  add("tls", {.needs_tls = true});
  EXPECT_EQ(choose(local_, peer_), "none");
  add("plain");
  EXPECT_EQ(choose(local_, peer_), "plain");
  add("tls by address", {.destinations = {range("10.0.0.1", 32)}, .needs_tls = true});
  EXPECT_EQ(choose(local_, peer_), "none") << "the address comes before TLS";
  EXPECT_EQ(choose(at("10.0.0.2"), peer_), "plain");
}

TEST_F(ChainChoice, UnixSockets) {
  const net::Address path = net::Address::unix_path("/tmp/socket").take();
  add("external", {.source_type = SourceType::kExternal});
  add("prefix", {.destinations = {range("0.0.0.0", 0)}});
  EXPECT_EQ(choose(path, path), "none");
  add("local", {.source_type = SourceType::kLocal});
  EXPECT_EQ(choose(path, path), "local");
}

}  // namespace
}  // namespace weir
