// Which filter chain a connection belongs to.
#include "proxy/chain_match.h"

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

// The names of the matches, of which one is chosen.
class ChainChoice : public testing::Test {
 protected:
  void add(const std::string& name, ChainMatch match = {}) {
    names_.push_back(name);
    matches_.push_back(std::move(match));
  }
  std::string choose(const Approach& approach) const {
    ChainChooser chooser(approach);
    std::string best = "none";
    for (size_t i = 0; i < matches_.size(); ++i)
      if (chooser.offer(matches_[i])) best = names_[i];
    return chooser.holds() ? best : "none";
  }
  std::string choose(const net::Address& local, const net::Address& peer) const {
    return choose(Approach{.local = local, .peer = peer, .direct_peer = peer});
  }
  std::string choose_named(const std::string& server_name,
                           const std::vector<std::string>& application = {}) const {
    return choose(Approach{.local = local_,
                           .peer = peer_,
                           .direct_peer = peer_,
                           .tls = true,
                           .server_name = server_name,
                           .application_protocols = application});
  }

  std::vector<std::string> names_;
  std::vector<ChainMatch> matches_;
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

TEST_F(ChainChoice, WithoutChainsNone) {
  EXPECT_EQ(choose(local_, peer_), "none");
  add("any");
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

TEST_F(ChainChoice, ServerNames) {
  add("any");
  add("exact", {.server_names = {"x.org", "www.example.com"}});
  add("example", {.server_names = {".example.com"}});
  add("com", {.server_names = {".com"}});
  add("deep", {.server_names = {".a.example.com"}});
  EXPECT_EQ(choose_named("www.example.com"), "exact");
  EXPECT_EQ(choose_named("api.example.com"), "example");
  EXPECT_EQ(choose_named("b.a.example.com"), "deep");
  EXPECT_EQ(choose_named("a.example.com"), "example") << "a suffix begins within the name";
  EXPECT_EQ(choose_named("example.com"), "com");
  EXPECT_EQ(choose_named("com"), "any");
  EXPECT_EQ(choose_named(""), "any");
  EXPECT_EQ(choose_named("badexample.com"), "com");
}

TEST_F(ChainChoice, TransportProtocol) {
  add("any");
  add("raw", {.transport_protocol = "raw_buffer"});
  EXPECT_EQ(choose(local_, peer_), "raw") << "what is asked for goes before what is not";
  EXPECT_EQ(choose_named("a"), "any");
  add("tls", {.transport_protocol = "tls"});
  EXPECT_EQ(choose_named("a"), "tls");
  EXPECT_EQ(choose(local_, peer_), "raw");
}

TEST_F(ChainChoice, ApplicationProtocolsInTheClientsOrder) {
  add("any");
  add("one", {.application_protocols = {"http/1.1", "http/1.0"}});
  add("two", {.application_protocols = {"h2"}});
  EXPECT_EQ(choose_named("a", {"h2", "http/1.1"}), "two");
  EXPECT_EQ(choose_named("a", {"http/1.1", "h2"}), "one");
  EXPECT_EQ(choose_named("a", {"spdy", "http/1.0"}), "one");
  EXPECT_EQ(choose_named("a", {"spdy"}), "any");
  EXPECT_EQ(choose_named("a"), "any");
}

TEST_F(ChainChoice, TheDirectSourceIsTheSockets) {
  add("relay", {.direct_sources = {range("10.9.0.0", 16)}});
  add("client", {.sources = {range("192.0.2.0", 24)}});
  const Approach relayed{.local = local_, .peer = peer_, .direct_peer = at("10.9.1.1")};
  EXPECT_EQ(choose(relayed), "relay") << "it goes before the client";
  EXPECT_EQ(choose(local_, peer_), "client");
  EXPECT_EQ(choose(at("10.0.0.1"), at("10.9.1.1")), "relay");
}

// Each criterion beats all that come after it.
TEST_F(ChainChoice, OrderOfPrecedence) {
  const CidrRange exact_source = range("192.0.2.7", 32);
  const Approach approach{.local = local_,
                          .peer = peer_,
                          .direct_peer = peer_,
                          .tls = true,
                          .server_name = "a.org",
                          .application_protocols = {"h2"}};
  const auto expect = [&](const std::string& name, ChainMatch match) {
    add(name, std::move(match));
    EXPECT_EQ(choose(approach), name);
  };
  expect("source port", {.source_ports = {1234}});
  expect("source", {.sources = {range("192.0.0.0", 8)}});
  expect("source type", {.source_type = SourceType::kExternal});
  expect("direct source", {.direct_sources = {range("192.0.0.0", 8)}});
  expect("application", {.application_protocols = {"h2"}});
  expect("transport", {.transport_protocol = "tls"});
  expect("name", {.server_names = {".org"}});
  expect("destination", {.destinations = {range("0.0.0.0", 1)}});
  expect("port", {.destination_port = 80});
  add("all but the port", {.destinations = {range("10.0.0.1", 32)},
                           .server_names = {"a.org"},
                           .transport_protocol = "tls",
                           .application_protocols = {"h2"},
                           .direct_sources = {exact_source},
                           .source_type = SourceType::kExternal,
                           .sources = {exact_source},
                           .source_ports = {1234}});
  EXPECT_EQ(choose(approach), "port");
}

// Envoy does not go back to a chain that is less specific in an earlier criterion.
TEST_F(ChainChoice, NoWayBack) {
  add("any");
  add("port", {.destination_port = 80, .sources = {range("198.51.100.0", 24)}});
  EXPECT_EQ(choose(local_, peer_), "none");
  EXPECT_EQ(choose(local_, at("198.51.100.1")), "port");
  EXPECT_EQ(choose(at("10.0.0.1", 81), peer_), "any");
}

TEST_F(ChainChoice, UnixSockets) {
  const net::Address path = net::Address::unix_path("/tmp/socket").take();
  add("external", {.source_type = SourceType::kExternal});
  add("prefix", {.destinations = {range("0.0.0.0", 0)}});
  EXPECT_EQ(choose(path, path), "none");
  add("local", {.source_type = SourceType::kLocal});
  EXPECT_EQ(choose(path, path), "local");
}

TEST(ChainMatchTest, Overlaps) {
  struct Case {
    ChainMatch a;
    ChainMatch b;
    bool overlap;
  };
  const Case cases[] = {
      {{}, {}, true},
      {{}, {.destination_port = 1}, false},
      {{.destination_port = 1}, {.destination_port = 1}, true},
      {{.server_names = {"a", "b"}}, {.server_names = {"c", "b"}}, true},
      {{.server_names = {"a"}}, {.server_names = {".a"}}, false},
      {{.server_names = {"a"}}, {.server_names = {"a"}, .source_ports = {1}}, false},
      {{.sources = {range("10.0.0.1", 8)}}, {.sources = {range("10.2.0.0", 8)}}, true},
      {{.sources = {range("10.0.0.0", 8)}}, {.sources = {range("10.0.0.0", 9)}}, false},
      {{.transport_protocol = "tls"}, {.transport_protocol = "raw_buffer"}, false},
      {{.source_type = SourceType::kLocal}, {}, false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(c.a.overlaps(c.b), c.overlap) << &c - cases;
    EXPECT_EQ(c.b.overlaps(c.a), c.overlap) << &c - cases;
  }
}

TEST(ChainMatchTest, WhoNeedsTheClientHello) {
  EXPECT_FALSE(ChainMatch{}.needs_client_hello());
  EXPECT_TRUE(ChainMatch{.server_names = {"a"}}.needs_client_hello());
  EXPECT_TRUE(ChainMatch{.application_protocols = {"h2"}}.needs_client_hello());
  EXPECT_TRUE(ChainMatch{.transport_protocol = "tls"}.needs_client_hello());
  ChainMatch plain{.transport_protocol = "raw_buffer", .application_protocols = {"h2c"}};
  EXPECT_FALSE(plain.needs_client_hello());
}

}  // namespace
}  // namespace weir
