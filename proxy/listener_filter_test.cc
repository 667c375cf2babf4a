// What listener filters learn of a connection's first bytes.
#include "proxy/listener_filter.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using Kind = FilterVerdict::Kind;

net::Address at(const std::string& text) {
  return net::Address::parse(text).take();
}

class ListenerFilters : public testing::Test {
 protected:
  ListenerFilters() {
    approach_.local = at("10.0.0.1:443");
    approach_.peer = approach_.direct_peer = at("10.9.9.9:1");
  }
  FilterVerdict look(const ListenerFilter& filter, std::string_view bytes) {
    return weir::look(filter, -1, bytes, approach_, stats_);
  }
  stats::Registry registry_;
  stats::Shard& stats_ = registry_.new_shard();
  Approach approach_;
};

TEST_F(ListenerFilters, AProxyHeaderMovesTheAddressesAndIsConsumed) {
  ProxyProtocolFilter filter;
  filter.versions[1].found = registry_.counter("found");
  const std::string header = "PROXY TCP4 192.0.2.1 198.51.100.1 5 6\r\n";
  const FilterVerdict verdict = look(filter, header + "GET");
  EXPECT_EQ(verdict.kind, Kind::kPass);
  EXPECT_EQ(verdict.consumed, header.size());
  EXPECT_EQ(approach_.peer, at("192.0.2.1:5"));
  EXPECT_EQ(approach_.local, at("198.51.100.1:6"));
  EXPECT_EQ(approach_.direct_peer, at("10.9.9.9:1"));
  EXPECT_EQ(registry_.value("found"), 1u);
}

TEST_F(ListenerFilters, AProxyHeaderThatNamesNobodyMovesNothing) {
  EXPECT_EQ(look(ProxyProtocolFilter(), "PROXY UNKNOWN\r\n").consumed, 15u);
  EXPECT_EQ(approach_.peer, approach_.direct_peer);
  EXPECT_EQ(approach_.local, at("10.0.0.1:443"));
}

TEST_F(ListenerFilters, OnlyTlvsThatMayBePassedOnAreKept) {
  std::string header;
  const std::vector<net::ProxyTlv> tlvs = {{5, "id"}, {6, "x"}, {224, "y"}};
  net::write_proxy_v2(at("192.0.2.1:5"), at("198.51.100.1:6"), tlvs, header);
  ProxyProtocolFilter filter;
  look(filter, header);
  EXPECT_TRUE(approach_.tlvs.empty()) << "by default none";
  filter.kept_tlvs.types.set(224);
  look(filter, header);
  ASSERT_EQ(approach_.tlvs.size(), 1u);
  EXPECT_EQ(approach_.tlvs[0].value, "y");
  filter.kept_tlvs.all = true;
  look(filter, header);
  EXPECT_EQ(approach_.tlvs.size(), 3u);
}

TEST_F(ListenerFilters, ProxyHeadersThatAreMissingOrForbidden) {
  ProxyProtocolFilter strict;
  EXPECT_EQ(look(strict, "P").kind, Kind::kWait);
  EXPECT_EQ(look(strict, "POST / HTTP/1.1").kind, Kind::kRefuse);
  EXPECT_EQ(look(strict, "PROXY TCP9 \r\n").kind, Kind::kRefuse);
  ProxyProtocolFilter lenient;
  lenient.allow_without_header = true;
  const FilterVerdict without = look(lenient, "POST / HTTP/1.1");
  EXPECT_EQ(without.kind, Kind::kPass);
  EXPECT_EQ(without.consumed, 0u);
  lenient.disallowed[1] = true;
  EXPECT_EQ(look(lenient, "PROXY ").kind, Kind::kRefuse) << "the rest need not come";
}

TEST_F(ListenerFilters, TheHttpInspectorNamesTheProtocol) {
  const HttpInspector filter;
  EXPECT_EQ(look(filter, "GET / HT").kind, Kind::kWait);
  EXPECT_EQ(look(filter, "GET / HTTP/1.0\r\n").kind, Kind::kPass);
  EXPECT_EQ(approach_.application_protocols, std::vector<std::string>{"http/1.0"});
  EXPECT_EQ(look(filter, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").kind, Kind::kPass);
  EXPECT_EQ(approach_.application_protocols, std::vector<std::string>{"h2c"});
  approach_.application_protocols.clear();
  EXPECT_EQ(look(filter, "\x01\x02").kind, Kind::kPass);
  EXPECT_TRUE(approach_.application_protocols.empty());
}

TEST_F(ListenerFilters, WithinTlsTheHttpInspectorSeesNothing) {
  approach_.tls = true;
  approach_.application_protocols = {"h2"};
  EXPECT_EQ(look(HttpInspector(), "GET / HTTP/1.1\r\n").kind, Kind::kPass);
  EXPECT_EQ(approach_.application_protocols, std::vector<std::string>{"h2"});
}

TEST_F(ListenerFilters, TheTlsInspectorLetsOthersPass) {
  const TlsInspector filter;
  EXPECT_EQ(look(filter, "GET").kind, Kind::kPass);
  EXPECT_FALSE(approach_.tls);
  EXPECT_EQ(look(filter, "\x16\x03").kind, Kind::kWait);
  EXPECT_EQ(look(filter, std::string("\x16\x03\x01\x00\x00", 5)).kind, Kind::kRefuse);
  EXPECT_EQ(look(filter, std::string("\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9)).kind,
            Kind::kRefuse);
}

TEST_F(ListenerFilters, WithoutARedirectionTheAddressStays) {
  EXPECT_TRUE(needs_no_bytes(OriginalDst()));
  EXPECT_EQ(look(OriginalDst(), "").kind, Kind::kPass);
  EXPECT_EQ(approach_.local, at("10.0.0.1:443"));
}

}  // namespace
}  // namespace weir
