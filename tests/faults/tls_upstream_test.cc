// Clusters whose connections begin with TLS or with a PROXY header, against servers made by hand.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <csignal>
#include <ctime>

#include "proxy/net/proxy_protocol.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"
#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using net::RawSocket;
using tls::testing::Certificate;
using tls::testing::TlsPeer;

constexpr const char* kSockets = "envoy.extensions.transport_sockets.";

std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += by + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string socket(const std::string& type, const std::string& lines) {
  return "transport_socket:\n"
         "  name: socket\n"
         "  typed_config:\n"
         "    \"@type\": type.googleapis.com/" +
         (kSockets + type) + "\n" + indented(lines, "    ");
}

std::string speaks_for_clients(const std::string& config, const std::string& inner) {
  return socket("proxy_protocol.v3.ProxyProtocolUpstreamTransport",
                "config: " + config + "\n" + inner);
}

std::string in_the_clear() {
  return socket("raw_buffer.v3.RawBuffer", "");
}

// PROXY headers of version 2 are read, and one kind of TLV is kept.
constexpr const char* kBehindRelay =
    "listener_filters:\n"
    "- name: proxy\n"
    "  typed_config:\n"
    "    \"@type\": type.googleapis.com/"
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol\n"
    "    pass_through_tlvs: {match_type: INCLUDE, tlv_type: [5, 224]}\n";

// As if the client came from 198.51.100.9 and had asked for 203.0.113.1.
std::string relayed(std::vector<net::ProxyTlv> tlvs, uint16_t port = 1234) {
  std::string out;
  net::write_proxy_v2(net::Address::ip("198.51.100.9", port).take(),
                      net::Address::ip("203.0.113.1", 443).take(), tlvs, out);
  return out;
}

bool logs(const Proxy& proxy, const std::string& wanted) {
  return eventually(
      [&] { return proxy.weir().access_log().find(wanted + "\n") != std::string::npos; });
}

// Nothing is answered before the test does so.
void send(RawClient& client, const std::string& bytes) {
  client.send(bytes);
  client.read(1, 50ms);
}

class TlsUpstream : public testing::Test {
 protected:
  TlsUpstream()
      : root_(tls::testing::make_root()),
        leaf_(root_.issue({.dns = {"a.test", "b.test"}})),
        server_(tls::testing::bare_server(leaf_)),
        listener_(RawSocket::listen()) {}

  std::string tls(const std::string& more = "", const std::string& common = "") const {
    return socket("tls.v3.UpstreamTlsContext", more + "common_tls_context:\n" +
                                                   indented(common, "  ") +
                                                   "  validation_context:\n"
                                                   "    trusted_ca:\n"
                                                   "      inline_string: |\n" +
                                                   indented(root_.pem(), "        "));
  }
  static std::string options(const std::string& upstream) {
    return "typed_extension_protocol_options:\n"
           "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
           "    \"@type\": type.googleapis.com/"
           "envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
           "    upstream_http_protocol_options: " +
           upstream +
           "\n"
           "    explicit_http_config: {http_protocol_options: {}}\n";
  }
  ProxyBuilder builder(const std::string& app) const {
    return weir().upstream_port(listener_.address().port()).with("app", app);
  }
  TlsPeer accept() { return TlsPeer(listener_.accept(), *server_); }
  // The name that TLS asks for when this request comes; it is answered if it gets there.
  std::string asked_for(const Proxy& proxy, const std::string& lines, int status) {
    RawClient client(proxy);
    send(client, "GET / HTTP/1.1\r\n" + lines + "\r\n");
    TlsPeer peer = accept();
    peer.shake_hands();
    if (status == 204) {
      EXPECT_TRUE(peer.receive_some().starts_with("GET / HTTP/1.1\r\n"));
      peer.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    }
    const Reply reply = client.reply();
    EXPECT_EQ(reply.status, status) << reply.body;
    return std::string(peer.session().sni());
  }

  const Certificate root_;
  const Certificate leaf_;
  bssl::UniquePtr<SSL_CTX> server_;
  RawSocket listener_;
};

TEST_F(TlsUpstream, TheRequestsHostIsAskedForAndFound) {
  Proxy proxy = builder(tls() + options("{auto_sni: true, auto_san_validation: true}")).start();
  EXPECT_EQ(asked_for(proxy, "Host: a.test:99\r\n", 204), "a.test");
  EXPECT_EQ(asked_for(proxy, "Host: B.test\r\n", 204), "B.test");
  EXPECT_EQ(asked_for(proxy, "Host: c.test\r\n", 503), "c.test");
  EXPECT_EQ(proxy.stat("cluster.app.ssl.fail_verify_san"), 1);
}

TEST_F(TlsUpstream, AnotherHeaderMaySayTheHost) {
  Proxy proxy = builder(tls() + options("{auto_sni: true, auto_san_validation: true, "
                                        "override_auto_sni_header: x-name}"))
                    .start();
  EXPECT_EQ(asked_for(proxy, "Host: a.test\r\nX-Name: b.test:8443\r\n", 204), "b.test");
  EXPECT_EQ(asked_for(proxy, "Host: a.test\r\n", 204), "a.test") << "without it, the host";
  EXPECT_EQ(asked_for(proxy, "Host: a.test\r\nX-Name: c.test\r\n", 503), "c.test");
}

TEST_F(TlsUpstream, NamesAreCheckedWithoutBeingAskedFor) {
  Proxy proxy = builder(tls("sni: fixed.test\n") + options("{auto_san_validation: true}")).start();
  EXPECT_EQ(asked_for(proxy, "Host: a.test\r\n", 204), "fixed.test");
  EXPECT_EQ(asked_for(proxy, "Host: 127.0.0.1\r\n", 503), "fixed.test") << "addresses, too";
}

TEST_F(TlsUpstream, LogsWhatWasAgreedOn) {
  const Certificate own =
      root_.issue({.common_name = "proxy", .dns = {"p.test"}, .uris = {"spiffe://test/proxy"}});
  const std::string identity = "tls_certificates:\n- certificate_chain:\n    inline_string: |\n" +
                               indented(own.pem(), "      ") +
                               "  private_key:\n    inline_string: |\n" +
                               indented(own.key_pem(), "      ");
  Proxy proxy =
      builder(tls("", identity))
          .with(
              "access_log",
              log_of("%UPSTREAM_TLS_VERSION% %UPSTREAM_TLS_CIPHER% %UPSTREAM_PEER_SUBJECT% "
                     "%UPSTREAM_PEER_ISSUER% %UPSTREAM_PEER_DNS_SAN% %UPSTREAM_PEER_URI_SAN% "
                     "%UPSTREAM_PEER_CERT_V_START(%Y)% %UPSTREAM_LOCAL_SUBJECT% "
                     "%UPSTREAM_LOCAL_URI_SAN% %UPSTREAM_LOCAL_DNS_SAN% %DOWNSTREAM_TLS_VERSION%"))
          .start();
  asked_for(proxy, "Host: a.test\r\n", 204);
  const time_t begin = time(nullptr) - 3600;
  tm parts;
  gmtime_r(&begin, &parts);
  const std::string year = std::to_string(1900 + parts.tm_year);
  EXPECT_TRUE(
      logs(proxy, "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 CN=test CN=test root a.test,b.test - " +
                      year + " CN=proxy spiffe://test/proxy p.test -"))
      << proxy.weir().access_log();
}

// It waits for its next attempt when its client goes away; the connection of the first is gone.
TEST_F(TlsUpstream, LogsKnowASessionThatOutlivesItsConnection) {
  Proxy proxy = builder(tls())
                    .route("/",
                           "{cluster: app, timeout: 0s, retry_policy: {retry_on: reset, "
                           "retry_back_off: {base_interval: 1000s, max_interval: 1000s}}}")
                    .with("access_log",
                          log_of("%RESPONSE_FLAGS% %UPSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT% "
                                 "%UPSTREAM_PEER_DNS_SAN%"))
                    .start();
  RawClient client(proxy);
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  {
    TlsPeer peer = accept();
    ASSERT_TRUE(peer.shake_hands());
    ASSERT_TRUE(peer.receive_some().starts_with("GET / HTTP/1.1\r\n"));
  }
  ASSERT_TRUE(eventually([&] { return proxy.stat("cluster.app.upstream_rq_retry") == 1; }));
  client.wire().close();
  EXPECT_TRUE(logs(proxy, "DC TLSv1.2 CN=test a.test,b.test")) << proxy.weir().access_log();
}

TEST_F(TlsUpstream, KeysAreLoggedForWhoeverReadsAlong) {
  const std::string folder = new_scratch_folder("keys");
  const auto logging = [&](const std::string& file, const std::string& range) {
    return tls("", "key_log: {path: " + folder + file + ", local_address_range: [{" + range +
                       "}], remote_address_range: [{" + range + "}]}\n");
  };
  for (const auto& [file, range] :
       {std::pair("/in", "address_prefix: 127.0.0.0, prefix_len: 8"),
        std::pair("/out", "address_prefix: 127.1.0.0, prefix_len: 16")}) {
    Proxy proxy = builder(logging(file, range)).start();
    asked_for(proxy, "Host: a.test\r\n", 204);
    proxy.signal(SIGTERM);
    EXPECT_EQ(proxy.wait(5s), 0);
  }
  EXPECT_TRUE(read_file(folder + "/in").starts_with("CLIENT_RANDOM ")) << "as of TLS 1.2";
  EXPECT_EQ(read_file(folder + "/out"), "");
}

// A cluster of one endpoint with this label, whose transport sockets are chosen by labels.
std::string labelled(const std::string& name, const std::string& kind, uint16_t port,
                     const std::string& secure) {
  return "- name: " + name + "\n  type: STATIC\n  transport_socket_matches:\n" +
         "  - name: secure\n    match: {kind: secure}\n" + indented(secure, "    ") +
         "  - name: plain\n    match: {kind: plain}\n" + indented(in_the_clear(), "    ") +
         "  load_assignment:\n    cluster_name: " + name +
         "\n    endpoints:\n    - lb_endpoints:\n"
         "      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
         std::to_string(port) +
         "}}}\n        metadata: {filter_metadata: {envoy.transport_socket_match: {kind: " + kind +
         "}}}\n";
}

TEST_F(TlsUpstream, LabelsOfEndpointsChooseTheTransportSocket) {
  const uint16_t port = listener_.address().port();
  const std::string secure = tls("sni: secure.test\n");
  Proxy proxy = builder("")
                    .route("/secure", "{cluster: one}")
                    .route("/plain", "{cluster: two}")
                    .with("clusters", labelled("one", "secure", port, secure) +
                                          labelled("two", "plain", port, secure))
                    .start();
  RawClient client(proxy);
  send(client, "GET /secure HTTP/1.1\r\nHost: a\r\n\r\n");
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "secure.test");
  RawClient other(proxy);
  send(other, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  RawSocket plain = listener_.accept();
  EXPECT_TRUE(plain.receive_some().starts_with("GET /plain HTTP/1.1\r\n"));
}

// ---- TCP ----

class TcpUpstream : public TlsUpstream {
 protected:
  // `more` are lines of the TcpProxy.
  ProxyBuilder tcp(const std::string& app, const std::string& more = "") const {
    return builder(app)
        .with("listener", kBehindRelay)
        .with("chain", "filter_chain_match: {destination_port: 1}")
        .with("chains",
              "- filters:\n"
              "  - name: tcp\n"
              "    typed_config:\n"
              "      \"@type\": type.googleapis.com/"
              "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n"
              "      stat_prefix: tcp\n"
              "      cluster: app\n" +
                  indented(more, "      "));
  }
};

TEST_F(TcpUpstream, BytesAreEncrypted) {
  Proxy proxy = tcp(tls("sni: a.test\n")).start();
  RawClient client(proxy);
  send(client, relayed({}) + "hello");
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "a.test");
  EXPECT_EQ(peer.receive_some(), "hello");
  peer.send("welcome");
  EXPECT_EQ(client.read(7), "welcome");
  EXPECT_EQ(proxy.stat("cluster.app.ssl.handshake"), 1);
}

TEST_F(TcpUpstream, LogsWhatWasAgreedOn) {
  Proxy proxy =
      tcp(tls(), "access_log:\n" + log_of("%ACCESS_LOG_TYPE% %UPSTREAM_TLS_VERSION% "
                                          "%UPSTREAM_PEER_DNS_SAN% %UPSTREAM_WIRE_BYTES_SENT% "
                                          "%UPSTREAM_WIRE_BYTES_RECEIVED% %UPSTREAM_PROTOCOL% "
                                          "%DOWNSTREAM_HANDSHAKE_DURATION% %UPSTREAM_CLUSTER_RAW%"))
          .start();
  {
    RawClient client(proxy);
    send(client, relayed({}) + "hello");
    TlsPeer peer = accept();
    ASSERT_TRUE(peer.shake_hands());
    EXPECT_EQ(peer.receive_some(), "hello");
    peer.send("welcome");
    EXPECT_EQ(client.read(7), "welcome");
  }
  EXPECT_TRUE(logs(proxy, "TcpConnectionEnd TLSv1.2 a.test,b.test 5 7 - - app"))
      << proxy.weir().access_log();
}

TEST_F(TcpUpstream, AnEndWithoutCloseNotifyIsNoCleanOne) {
  Proxy proxy = tcp(tls()).start();
  RawClient client(proxy);
  send(client, relayed({}) + "hello");
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.receive_some(), "hello");
  const std::string answer(1'000'000, 'x');
  peer.send(answer);
  peer.socket().close();
  EXPECT_EQ(client.read(answer.size() + 1), answer);
  EXPECT_TRUE(client.wire().was_reset());
}

TEST_F(TcpUpstream, AServerThatIsNotTrustedGetsNothing) {
  const Certificate other = tls::testing::make_root("another").issue({.dns = {"a.test"}});
  server_ = tls::testing::bare_server(other);
  Proxy proxy = tcp(tls()).start();
  RawClient client(proxy);
  send(client, relayed({}) + "secret");
  TlsPeer peer = accept();
  peer.shake_hands();
  EXPECT_EQ(peer.receive_some(), "");
  EXPECT_TRUE(client.closed_within(3s));
  EXPECT_EQ(proxy.stat("cluster.app.upstream_cx_connect_fail"), 1);
}

TEST_F(TcpUpstream, TheNextHearsForWhomItIs) {
  Proxy proxy = tcp(speaks_for_clients("{version: V2, pass_through_tlvs: {}}", tls())).start();
  RawClient client(proxy);
  send(client, relayed({{5, "id"}, {6, "dropped"}, {224, "own"}}) + "hello");
  TlsPeer peer = accept();
  const std::string wanted = relayed({{5, "id"}, {224, "own"}});
  EXPECT_EQ(peer.receive_clear(wanted.size()), wanted);
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.receive_some(), "hello");
}

TEST_F(TcpUpstream, WithoutARelayTheClientIsTheSocketsOwn) {
  Proxy proxy = tcp(speaks_for_clients("{version: V1}", in_the_clear())).start();
  RawClient client(proxy);
  send(client, "PROXY UNKNOWN\r\nhello");
  RawSocket peer = listener_.accept();
  const std::string first = peer.receive_some();
  EXPECT_TRUE(first.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ")) << first;
  EXPECT_NE(first.find(" " + std::to_string(proxy.port()) + "\r\n"), std::string::npos) << first;
}

// ---- HTTP ----

TEST_F(TlsUpstream, RequestsOfClientsDoNotShareAConnectionThatSpeaksForOne) {
  Proxy proxy = builder(speaks_for_clients("{version: V2, pass_through_tlvs: {match_type: INCLUDE, "
                                           "tlv_type: [224]}}",
                                           in_the_clear()))
                    .with("listener", kBehindRelay)
                    .argument("--concurrency")
                    .argument("1")
                    .start();
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string answer = "HTTP/1.1 204 No Content\r\n\r\n";
  RawClient first(proxy);
  send(first, relayed({{5, "not for them"}, {224, "x"}}, 1) + request);
  RawSocket peer = listener_.accept();
  const std::string wanted = relayed({{224, "x"}}, 1);
  std::string got = peer.receive(wanted.size() + 3);
  EXPECT_TRUE(got.starts_with(wanted + "GET"));
  peer.send(answer);
  EXPECT_EQ(first.reply().status, 204);

  RawClient second(proxy);
  send(second, relayed({}, 2) + request);
  RawSocket other = listener_.accept();
  got = other.receive(relayed({}, 2).size() + 3);
  EXPECT_TRUE(got.starts_with(relayed({}, 2) + "GET"));
  other.send(answer);
  EXPECT_EQ(second.reply().status, 204);

  RawClient again(proxy);
  send(again, relayed({{224, "x"}}, 1) + request);
  EXPECT_TRUE(peer.receive_some().starts_with("GET")) << "the first one's connection serves it";
}

}  // namespace
}  // namespace weir::test
