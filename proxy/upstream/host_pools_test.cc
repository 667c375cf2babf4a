// What a cluster's connections begin with, against servers made by hand: TLS under the right name
// and with the right checks, the version that was agreed on, and the PROXY protocol.
#include "proxy/upstream/host_pools.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "proxy/http/testing/h2_frames.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"
#include "proxy/upstream/testing/compiled_cluster.h"
#include "proxy/upstream/testing/worker_cluster_fixture.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
using tls::testing::Certificate;
using tls::testing::TlsPeer;
using Outcome = Host::Outcome;

constexpr const char* kProxy = "transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";

std::string one_line(const std::string& pem) {
  std::string out;
  for (const char c : pem) c == '\n' ? out += "\\n" : out += c;
  return out;
}

std::string label(const std::string& name) {
  return "metadata { filter_metadata { key: 'envoy.transport_socket_match' value { fields { key: "
         "'kind' value { string_value: '" +
         name + "' } } } } }";
}

class HostPoolsTest : public WorkerClusterFixture {
 protected:
  HostPoolsTest()
      : root_(tls::testing::make_root()),
        leaf_(root_.issue({.dns = {"a.test"}, .ips = {"192.0.2.7", "2001:db8::7"}})),
        server_(tls::testing::bare_server(leaf_)) {
    log_.set_level(LogLevel::kOff);
  }
  ~HostPoolsTest() override { TearDown(); }

  // A TransportSocket in protobuf's text format.
  std::string tls(const std::string& more = "") const {
    return "name: 'tls' typed_config { " +
           any("transport_sockets.tls.v3.UpstreamTlsContext",
               more + " common_tls_context { validation_context { trusted_ca { inline_string: '" +
                   one_line(root_.pem()) + "' } } }") +
           " }";
  }
  static std::string plain() {
    return "name: 'raw' typed_config { " + any("transport_sockets.raw_buffer.v3.RawBuffer") + " }";
  }
  static std::string introduced(const std::string& config, const std::string& inner) {
    return "name: 'proxy' typed_config { " +
           any(kProxy, "config { " + config + " } transport_socket { " + inner + " }") + " }";
  }
  static std::string socket(const std::string& inner) {
    return "transport_socket { " + inner + " }";
  }
  std::string at(size_t listener, const std::string& more = "") const {
    return endpoint("127.0.0.1", listeners_[listener].address().port(), more);
  }
  void open_compiled(const std::string& text, const std::string& endpoints) {
    const Compiled compiled(
        "connect_timeout { seconds: 5 } " + text + assignment("endpoints { " + endpoints + " }"),
        {&secrets_, &registry_});
    ASSERT_NE(compiled.config, nullptr) << compiled.problems();
    open(compiled.config, std::make_shared<const HostSet>(compiled.config->hosts));
  }
  TlsPeer accept(size_t listener = 0) { return TlsPeer(listeners_[listener].accept(), *server_); }
  void ask_for(Asker& who, const std::string& host_name) {
    t_.run([&] {
      Wish wish;
      wish.set_host(host_name, cluster_->config());
      who.ask(host(0), false, wish);
    });
  }
  void ask_from(Asker& who, const std::string& from, std::vector<net::ProxyTlv> tlvs = {}) {
    const net::Address source = net::Address::parse(from).take();
    t_.run([&] {
      Wish wish{.source = &source, .destination = &here_, .tlvs = tlvs};
      who.ask(host(0), false, wish);
    });
  }

  const net::Address here_ = net::Address::ip("203.0.113.1", 443).take();
  Logger log_;
  tls::Secrets secrets_{registry_, log_};
  Certificate root_;
  Certificate leaf_;
  bssl::UniquePtr<SSL_CTX> server_;
};

// ---- transport_socket_matches ----

TEST_F(HostPoolsTest, LabelsChooseTheTransportSocket) {
  open_compiled(
      "transport_socket_matches { name: 'x' match { fields { key: 'kind' value { "
      "string_value: 'x' } } } transport_socket { " +
          tls("sni: 'x.test'") +
          " } } transport_socket_matches { name: 'plain' match { fields { key: 'kind' "
          "value { string_value: 'plain' } } } transport_socket { " +
          plain() + " } }" + socket(tls("sni: 'own.test'")),
      at(0, label("x")) + at(1, label("plain")) + at(2, label("other")));
  for (size_t i = 0; i < 3; ++i) ask(asker(), i);
  TlsPeer first = accept(0);
  EXPECT_TRUE(first.shake_hands());
  EXPECT_EQ(first.session().sni(), "x.test");
  RawSocket second = listeners_[1].accept();
  EXPECT_TRUE(second.receive_some().starts_with("GET / HTTP/1.1")) << "in the clear";
  TlsPeer third = accept(2);
  EXPECT_TRUE(third.shake_hands());
  EXPECT_EQ(third.session().sni(), "own.test") << "no match: the cluster's own";
}

TEST_F(HostPoolsTest, AMatchThatAsksNothingIsEverybodys) {
  open_compiled(
      "transport_socket_matches { name: 'x' match { fields { key: 'kind' value { "
      "string_value: 'x' } } } transport_socket { " +
          plain() +
          " } } transport_socket_matches { name: 'rest' match { } "
          "transport_socket { " +
          tls("sni: 'rest.test'") + " } }",
      at(0, label("x")) + at(1));
  ask(asker(), 0);
  ask(asker(), 1);
  RawSocket first = listeners_[0].accept();
  EXPECT_TRUE(first.receive_some().starts_with("GET")) << "the first that fits counts";
  TlsPeer second = accept(1);
  EXPECT_TRUE(second.shake_hands());
  EXPECT_EQ(second.session().sni(), "rest.test");
}

// ---- the name ----

TEST_F(HostPoolsTest, AutoSniAsksForTheHost) {
  open_compiled(socket(tls("sni: 'fixed.test'")) +
                    options("upstream_http_protocol_options { auto_sni: true } "
                            "explicit_http_config { http_protocol_options { } }"),
                at(0));
  Asker& first = asker();
  ask_for(first, "a.test:8443");
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "a.test");
  EXPECT_TRUE(peer.receive_some().starts_with("GET"));
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(until([&] { return first.done; }));
  ask_for(asker(), "b.test");
  TlsPeer other = accept();
  ASSERT_TRUE(other.shake_hands());
  EXPECT_EQ(other.session().sni(), "b.test") << "not on the idle connection of another name";
  Asker& again = asker();
  ask_for(again, "a.test");
  EXPECT_TRUE(again.lent.reused);
  ask_for(asker(), "192.0.2.7");
  TlsPeer third = accept();
  ASSERT_TRUE(third.shake_hands());
  EXPECT_EQ(third.session().sni(), "fixed.test") << "an address is no name";
  EXPECT_EQ(counter("upstream_cx_total"), 3u);
}

TEST_F(HostPoolsTest, AutoSanValidationFindsTheHostInTheCertificate) {
  open_compiled(socket(tls("sni: 'fixed.test'")) +
                    options("upstream_http_protocol_options { auto_san_validation: true } "
                            "explicit_http_config { http_protocol_options { } }"),
                at(0));
  for (const std::string host : {"a.test:443", "192.0.2.7", "[2001:db8::7]:443"}) {
    ask_for(asker(), host);
    TlsPeer peer = accept();
    EXPECT_TRUE(peer.shake_hands()) << host;
    EXPECT_EQ(peer.session().sni(), "fixed.test");
    EXPECT_TRUE(peer.receive_some().starts_with("GET")) << host;
  }
  for (const std::string host : {"b.test", "192.0.2.8", "a.test.", "bad host", ""}) {
    Asker& refused = asker();
    ask_for(refused, host);
    TlsPeer peer = accept();
    peer.shake_hands();
    EXPECT_EQ(peer.receive_some(), "") << host;
    EXPECT_TRUE(until([&] { return !refused.failure.empty(); }));
    EXPECT_NE(refused.failure.find("is not for '"), std::string::npos) << refused.failure;
  }
  EXPECT_EQ(counter("ssl.fail_verify_san"), 5u);
}

// ---- the version ----

class AutoVersionTest : public HostPoolsTest {
 protected:
  void open_auto() {
    tls::testing::agree_on(*server_, protocol_);
    open_compiled(socket(tls()) + options("auto_config { }"), at(0));
  }
  // A connection on which HTTP/2 was agreed on and a request came.
  TlsPeer meet_http2() {
    protocol_ = "h2";
    ask(asker());
    TlsPeer peer = accept();
    EXPECT_TRUE(peer.shake_hands());
    EXPECT_TRUE(peer.receive_some().starts_with(http::h2::testing::kPreface));
    return peer;
  }
  std::string protocol_;  // of the server
};

TEST_F(AutoVersionTest, HandshakesDecide) {
  open_auto();
  TlsPeer peer = meet_http2();
  EXPECT_TRUE(until([&] { return askers_[0]->lent.stream != nullptr; }));
  EXPECT_EQ(ask(asker()), Outcome::kLent) << "the same connection takes another stream";
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(AutoVersionTest, AHostThatHasOnlyHttp1GetsThat) {
  protocol_ = "http/1.1";
  open_auto();
  ask(asker());
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_TRUE(peer.receive_some().starts_with("GET / HTTP/1.1"));
}

class HttpVersionLost : public AutoVersionTest, public testing::WithParamInterface<std::string> {};

TEST_P(HttpVersionLost, AHostThatStopsAgreeingOnHttp2GetsHttp1Again) {
  const std::string now = GetParam();
  open_auto();
  TlsPeer peer = meet_http2();
  peer.socket().close();
  EXPECT_TRUE(until([&] { return host(0).connections() == 0; }));
  protocol_ = now;
  Asker& next = asker();
  EXPECT_EQ(ask(next), Outcome::kWaiting);
  TlsPeer refused = accept();
  refused.shake_hands();
  EXPECT_EQ(refused.receive_some(), "") << "no HTTP/2 goes there";
  TlsPeer again = accept();
  ASSERT_TRUE(again.shake_hands());
  EXPECT_TRUE(again.receive_some().starts_with("GET / HTTP/1.1")) << now;
  again.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(until([&] { return next.done; }));
  EXPECT_EQ(counter("upstream_cx_http2_total"), 1u) << "one was enough to know";
  Asker& last = asker();
  EXPECT_EQ(ask(last), Outcome::kLent) << "and it is remembered";
  EXPECT_EQ(last.lent.connection_id, next.lent.connection_id);
}

INSTANTIATE_TEST_SUITE_P(All, HttpVersionLost, testing::Values("http/1.1", ""));

// ---- the PROXY protocol ----

TEST_F(HostPoolsTest, TheProxyHeaderSaysForWhomAConnectionSpeaks) {
  open_compiled(socket(introduced("version: V1", plain())), at(0));
  ask_from(asker(), "198.51.100.9:1234");
  RawSocket peer = listeners_[0].accept();
  const std::string header = "PROXY TCP4 198.51.100.9 203.0.113.1 1234 443\r\n";
  EXPECT_EQ(peer.receive(header.size() + 3).substr(0, header.size() + 3), header + "GET");
}

TEST_F(HostPoolsTest, ClientsDoNotShareAConnectionThatSpeaksForOneOfThem) {
  open_compiled(socket(introduced("version: V1", plain())), at(0));
  Asker& first = asker();
  ask_from(first, "198.51.100.9:1");
  RawSocket peer = listeners_[0].accept();
  answer(peer);
  EXPECT_TRUE(until([&] { return first.done; }));
  Asker& other = asker();
  ask_from(other, "198.51.100.9:2");
  RawSocket others = listeners_[0].accept();
  EXPECT_NE(others.receive_some().find(" 2 443\r\n"), std::string::npos);
  Asker& again = asker();
  ask_from(again, "198.51.100.9:1");
  EXPECT_EQ(again.lent.connection_id, first.lent.connection_id);
  EXPECT_TRUE(peer.receive_some().starts_with("GET")) << "without another header";
  Asker& nobody = asker();
  ask(nobody);
  RawSocket last = listeners_[0].accept();
  EXPECT_TRUE(last.receive_some().starts_with("PROXY UNKNOWN\r\n"));
}

TEST_F(HostPoolsTest, TheProxyHeaderComesBeforeTls) {
  open_compiled(
      socket(introduced("version: V2 pass_through_tlvs { match_type: INCLUDE tlv_type: 5 }",
                        tls("sni: 'a.test'"))),
      at(0));
  ask_from(asker(), "198.51.100.9:1", {{5, "id"}, {6, "secret"}});
  TlsPeer peer = accept();
  const net::Address source = net::Address::parse("198.51.100.9:1").take();
  std::string wanted;
  net::write_proxy_v2(source, here_, std::vector<net::ProxyTlv>{{5, "id"}}, wanted);
  EXPECT_EQ(peer.receive_clear(wanted.size()), wanted);
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "a.test");
  EXPECT_TRUE(peer.receive_some().starts_with("GET"));
}

TEST_F(HostPoolsTest, Http2SpeaksForOneClientAConnection) {
  open_compiled(socket(introduced("version: V2 pass_through_tlvs { }", plain())) +
                    options("explicit_http_config { http2_protocol_options { } }"),
                at(0));
  ask_from(asker(), "[2001:db8::1]:1");
  ask_from(asker(), "198.51.100.9:1", {{6, "x"}});
  for (const bool mixed : {true, false}) {
    RawSocket peer = listeners_[0].accept();
    std::string wanted;
    const net::Address source =
        net::Address::parse(mixed ? "[2001:db8::1]:1" : "198.51.100.9:1").take();
    net::write_proxy_v2(source, here_, std::vector<net::ProxyTlv>{{6, "x"}}, wanted);
    EXPECT_EQ(peer.receive(wanted.size() + 24).substr(0, wanted.size() + 24),
              wanted + http::h2::testing::kPreface);
  }
}

TEST_F(HostPoolsTest, PoolsOfClientsThatAreGoneDoNotPileUp) {
  open_compiled(socket(introduced("version: V1", plain())) +
                    options("common_http_protocol_options { max_requests_per_connection { value: 1 "
                            "} } explicit_http_config { http_protocol_options { } }"),
                at(0));
  for (int port = 1; port <= 50; ++port) {
    Asker& one = asker();
    ask_from(one, "198.51.100.9:" + std::to_string(port));
    RawSocket peer = listeners_[0].accept();
    answer(peer);
    EXPECT_TRUE(until([&] { return one.done && host(0).connections() == 0; }));
  }
  EXPECT_LE(t_.run([&] { return host(0).named_pools(); }), 16u);
}

}  // namespace
}  // namespace weir::upstream
