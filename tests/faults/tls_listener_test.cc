// Listeners that speak TLS, with curl as the client: chains, headers, redirects, and clients that
// are slow, silent or no clients at all.
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <regex>
#include <thread>

#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"
#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using tls::testing::Certificate;
using tls::testing::make_root;

std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += by + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

class TlsListener : public testing::Test {
 protected:
  TlsListener()
      : folder_(new_scratch_folder("tls")),
        root_(make_root()),
        server_(root_.issue({.dns = {"a.test", "b.test"}, .uris = {"spiffe://test/server"}})),
        client_(root_.issue({.common_name = "a, \"client\"",
                             .dns = {"c.test"},
                             .uris = {"spiffe://test/client"}})) {
    write_file(folder_ + "/ca.pem", root_.pem());
    write_file(folder_ + "/client.pem", client_.pem());
    write_file(folder_ + "/client.key", client_.key_pem());
  }

  // YAML of a transport_socket. `more` are lines of the DownstreamTlsContext.
  std::string tls(const std::string& more = "", const std::string& common = "") const {
    return "transport_socket:\n"
           "  name: tls\n"
           "  typed_config:\n"
           "    \"@type\": type.googleapis.com/"
           "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n" +
           indented(more, "    ") +
           "    common_tls_context:\n"
           "      tls_certificates:\n"
           "      - certificate_chain:\n"
           "          inline_string: |\n" +
           indented(server_.pem(), "            ") +
           "        private_key:\n"
           "          inline_string: |\n" +
           indented(server_.key_pem(), "            ") + indented(common, "      ");
  }
  // Clients have to show a certificate of the same authority.
  std::string mutual_tls() const {
    return tls("require_client_certificate: true\n",
               "validation_context:\n  trusted_ca: {filename: " + folder_ + "/ca.pem}\n");
  }

  // What curl printed, and its exit status.
  struct Curl {
    int status;
    std::string output;
  };
  Curl curl(const Proxy& proxy, const std::string& url_path, std::vector<std::string> more = {},
            const std::string& host = "a.test", const std::string& scheme = "https") const {
    const std::string port = std::to_string(proxy.port());
    std::vector<std::string> command = {"curl",
                                        "--silent",
                                        "--show-error",
                                        "--max-time",
                                        "8",
                                        "--cacert",
                                        folder_ + "/ca.pem",
                                        "--resolve",
                                        host + ":" + port + ":127.0.0.1"};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back(scheme + "://" + host + ":" + port + url_path);
    const std::string output = new_scratch_folder("curl") + "/output";
    ChildProcess child(command, {.output_path = output});
    const int status = child.wait(10s);
    return {status, read_file(output)};
  }
  // Where the listener's figures are.
  static std::string prefix(const Proxy& proxy) {
    return "listener.127.0.0.1_" + std::to_string(proxy.port()) + ".";
  }
  static bool nobody_there(const Proxy& proxy) {
    return eventually([&] { return proxy.stat(prefix(proxy) + "downstream_cx_active") == 0; });
  }
  std::vector<std::string> client_certificate() const {
    return {"--cert", folder_ + "/client.pem", "--key", folder_ + "/client.key"};
  }

  const std::string folder_;
  const Certificate root_;
  const Certificate server_;
  const Certificate client_;
};

constexpr std::string_view kTlsInspector =
    "listener_filters:\n"
    "- name: tls\n"
    "  typed_config:\n"
    "    \"@type\": type.googleapis.com/"
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector\n";

std::string chain_of_one_answer(const std::string& match, const std::string& answer) {
  return "- filter_chain_match: " + match +
         "\n"
         "  filters:\n"
         "  - name: http\n"
         "    typed_config:\n"
         "      \"@type\": type.googleapis.com/envoy.extensions.filters.network."
         "http_connection_manager.v3.HttpConnectionManager\n"
         "      stat_prefix: more\n"
         "      route_config:\n"
         "        virtual_hosts:\n"
         "        - name: all\n"
         "          domains: ['*']\n" +
         indented(answer, "          ") +
         "      http_filters:\n"
         "      - name: router\n"
         "        typed_config:\n"
         "          \"@type\": "
         "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n";
}

TEST_F(TlsListener, AnswersAndSaysSoUpstream) {
  TestUpstream app;
  Proxy proxy =
      weir().upstream(app).with("hcm", "use_remote_address: true").with("chain", tls()).start();
  const Curl reply = curl(proxy, "/", {"--header", "x-forwarded-proto: http"});
  EXPECT_EQ(reply.output, "ok");
  EXPECT_NE(app.last_request().find("x-forwarded-proto: https\r\n"), std::string::npos)
      << app.last_request();
  EXPECT_EQ(app.last_request().find("x-forwarded-client-cert"), std::string::npos);
  EXPECT_EQ(proxy.stat(prefix(proxy) + "ssl.handshake"), 1);
  EXPECT_TRUE(eventually([&] { return proxy.stat(prefix(proxy) + "downstream_cx_active") == 0; }));
}

TEST_F(TlsListener, ServerNamesLeadToChains) {
  Proxy proxy =
      weir()
          .direct("/", 200, "the others'")
          .with("listener", std::string(kTlsInspector))
          .with("chain", "filter_chain_match: {transport_protocol: tls}\n" + tls())
          .with("chains", chain_of_one_answer("{server_names: ['B.test']}",
                                              "routes: [{match: {prefix: /}, direct_response: "
                                              "{status: 200, body: {inline_string: b's}}}]\n") +
                              indented(tls(), "  "))
          .start();
  EXPECT_EQ(curl(proxy, "/").output, "the others'");
  EXPECT_EQ(curl(proxy, "/", {}, "b.test").output, "b's");
  EXPECT_EQ(proxy.stat("tls_inspector.sni_found"), 2);
  EXPECT_EQ(proxy.get("/").status, 0) << "no chain takes it in the clear";
}

TEST_F(TlsListener, PlainRequestsAreSentToHttps) {
  Proxy proxy =
      weir()
          .direct("/", 200, "safe")
          .with("listener", std::string(kTlsInspector))
          .with("chain", "filter_chain_match: {transport_protocol: tls}\n" + tls())
          .with("chains", chain_of_one_answer("{transport_protocol: raw_buffer}",
                                              "require_tls: ALL\n"
                                              "routes: [{match: {prefix: /}, direct_response: "
                                              "{status: 200, body: {inline_string: unsafe}}}]\n"))
          .start();
  EXPECT_EQ(curl(proxy, "/x").output, "safe");
  const Reply plain = proxy.get("/x?y");
  EXPECT_EQ(plain.status, 301);
  EXPECT_EQ(plain.headers.at("location"), "https://test/x?y");
}

TEST_F(TlsListener, TellsUpstreamsOfTheClientsCertificate) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("hcm",
                          "forward_client_cert_details: SANITIZE_SET\n"
                          "set_current_client_cert_details: {subject: true, uri: true, dns: true}")
                    .with("chain", mutual_tls())
                    .start();
  std::vector<std::string> arguments = client_certificate();
  arguments.insert(arguments.end(), {"--header", "x-forwarded-client-cert: By=me;Hash=forged"});
  EXPECT_EQ(curl(proxy, "/", arguments).output, "ok");
  const std::string wanted =
      "x-forwarded-client-cert: By=spiffe://test/server;Hash=" + client_.sha256_hex() +
      ";Subject=\"CN=a\\, \\\"client\\\"\"" + ";URI=spiffe://test/client;DNS=c.test\r\n";
  EXPECT_NE(app.last_request().find(wanted), std::string::npos) << app.last_request() << wanted;
  EXPECT_EQ(app.last_request().find("forged"), std::string::npos);
}

struct CertMode {
  std::string mode;
  bool mutual;
  std::string sent;
  std::string wanted;  // a part of the header's line; empty: no header
};

TEST_F(TlsListener, ModesOfForwardingTheClientsCertificate) {
  const std::string hash = "Hash=" + client_.sha256_hex();
  const CertMode modes[] = {
      {"SANITIZE", true, "old", ""},
      {"FORWARD_ONLY", true, "old", ": old\r\n"},
      {"FORWARD_ONLY", false, "old", ""},
      {"APPEND_FORWARD", true, "old", ": old,By=spiffe://test/server;" + hash + "\r\n"},
      {"APPEND_FORWARD", true, "", ": By=spiffe://test/server;" + hash + "\r\n"},
      {"SANITIZE_SET", false, "old", ""},
      {"ALWAYS_FORWARD_ONLY", false, "old", ": old\r\n"},
  };
  for (const CertMode& m : modes) {
    TestUpstream app;
    Proxy proxy = weir()
                      .upstream(app)
                      .with("hcm", "forward_client_cert_details: " + m.mode)
                      .with("chain", m.mutual ? mutual_tls() : tls())
                      .start();
    std::vector<std::string> arguments;
    if (m.mutual) arguments = client_certificate();
    if (!m.sent.empty())
      arguments.insert(arguments.end(), {"--header", "x-forwarded-client-cert: " + m.sent});
    EXPECT_EQ(curl(proxy, "/", arguments).output, "ok");
    const std::string request = app.last_request();
    const std::string line =
        m.wanted.empty() ? "x-forwarded-client-cert" : "x-forwarded-client-cert" + m.wanted;
    EXPECT_EQ(request.find(line) != std::string::npos, !m.wanted.empty())
        << m.mode << " " << m.sent << "\n"
        << request;
  }
}

TEST_F(TlsListener, LogsWhatWasAgreedOn) {
  Proxy proxy =
      weir()
          .direct("/", 200, "ok")
          .with("access_log",
                "- name: file\n"
                "  typed_config:\n"
                "    \"@type\": type.googleapis.com/"
                "envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
                "    path: \"@LOG@\"\n"
                "    log_format:\n"
                "      text_format_source:\n"
                "        inline_string: \"%REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% "
                "%DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN% "
                "%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_CERT_V_END(%Y)%"
                " %DOWNSTREAM_LOCAL_DNS_SAN%\\n\"")
          .with("chain", mutual_tls())
          .start();
  std::vector<std::string> arguments = client_certificate();
  arguments.insert(arguments.end(),
                   {"--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"});
  EXPECT_EQ(curl(proxy, "/", arguments).output, "ok");
  const std::string wanted =
      "a.test TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 spiffe://test/client c.test " +
      client_.sha256_hex() + " 20";
  EXPECT_TRUE(eventually([&] {
    return proxy.weir().access_log().find(wanted) != std::string::npos;
  })) << proxy.weir().access_log();
  EXPECT_NE(proxy.weir().access_log().find(" a.test,b.test\n"), std::string::npos);
}

TEST_F(TlsListener, RelaysLogTheirHandshakeAndChain) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("listener", std::string(kTlsInspector))
                    .with("chain", "filter_chain_match: {server_names: [a.test]}\n" + tls())
                    .with("chains",
                          "- name: relayed\n"
                          "  filter_chain_match: {server_names: [b.test]}\n"
                          "  filters:\n"
                          "  - name: tcp\n"
                          "    typed_config:\n"
                          "      \"@type\": type.googleapis.com/"
                          "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n"
                          "      stat_prefix: tcp\n"
                          "      cluster: app\n"
                          "      access_log:\n" +
                              indented(log_of("%ACCESS_LOG_TYPE% %FILTER_CHAIN_NAME% "
                                              "handshake=%DOWNSTREAM_HANDSHAKE_DURATION% "
                                              "ready=%UPSTREAM_CONNECTION_POOL_READY_DURATION% "
                                              "all=%DURATION%"),
                                       "      ") +
                              indented(tls(), "  "))
                    .start();
  net::RawSocket socket =
      net::RawSocket::connect(net::Address::ip("127.0.0.1", proxy.port()).take());
  const auto context = tls::testing::bare_client();
  {
    tls::testing::TlsPeer client(std::move(socket),
                                 tls::testing::client_session(*context, "b.test"));
    std::this_thread::sleep_for(100ms);
    ASSERT_TRUE(client.shake_hands());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(client.receive_some().starts_with("HTTP/1.1 200"));
  }
  const std::regex wanted(
      "TcpConnectionEnd relayed handshake=([0-9]+) ready=[0-9]+ all=([0-9]+)\n");
  std::smatch found;
  std::string log;
  ASSERT_TRUE(eventually([&] {
    log = proxy.weir().access_log();
    return std::regex_search(log, found, wanted);
  })) << log;
  EXPECT_GE(std::stoi(found[1]), 50) << "from the connection's beginning";
  EXPECT_GE(std::stoi(found[2]), std::stoi(found[1]));
}

TEST_F(TlsListener, LogsWhyTlsBrokeOff) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("access_log", log_of("%RESPONSE_FLAGS% "
                                               "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"))
                    .with("chain", tls())
                    .start();
  const auto context = tls::testing::bare_client();
  tls::testing::TlsPeer client(
      net::RawSocket::connect(net::Address::ip("127.0.0.1", proxy.port()).take()),
      tls::testing::client_session(*context, "a.test"));
  ASSERT_TRUE(client.shake_hands());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel");
  ASSERT_TRUE(eventually([&] { return proxy.stat("cluster.app.upstream_rq_active") == 1; }));
  client.socket().send("no record of TLS");
  EXPECT_TRUE(eventually([&] {
    return proxy.weir().access_log().find("TLS_error:|") != std::string::npos;
  })) << proxy.weir().access_log();
  EXPECT_NE(proxy.weir().access_log().find(":SSL_routines:"), std::string::npos);
}

TEST_F(TlsListener, TheListenersLogTellsOfHandshakes) {
  const std::string format =
      "%PROTOCOL% %REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% "
      "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%";
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("listener", "access_log:\n" + log_of(format))
                    .with("chain", mutual_tls())
                    .start();
  EXPECT_NE(curl(proxy, "/").status, 0) << "without a certificate";
  EXPECT_EQ(curl(proxy, "/", client_certificate()).output, "ok");
  for (const char* wanted : {"- a.test TLSv1.3 TLS_error:|", "HTTP/1.1 a.test TLSv1.3 -\n"})
    EXPECT_TRUE(eventually([&] {
      return proxy.weir().access_log().find(wanted) != std::string::npos;
    })) << wanted
        << " is not in " << proxy.weir().access_log();
}

TEST_F(TlsListener, BehindTheProxyProtocol) {
  TestUpstream app;
  Proxy proxy = weir()
                    .upstream(app)
                    .with("listener",
                          "listener_filters:\n"
                          "- name: proxy\n"
                          "  typed_config:\n"
                          "    \"@type\": type.googleapis.com/envoy.extensions.filters.listener."
                          "proxy_protocol.v3.ProxyProtocol\n"
                          "- name: tls\n"
                          "  typed_config:\n"
                          "    \"@type\": type.googleapis.com/envoy.extensions.filters.listener."
                          "tls_inspector.v3.TlsInspector")
                    .with("hcm", "use_remote_address: true")
                    .with("chain", tls())
                    .start();
  EXPECT_EQ(curl(proxy, "/", {"--haproxy-protocol"}).output, "ok");
  EXPECT_NE(app.last_request().find("x-forwarded-for: 127.0.0.1\r\n"), std::string::npos);
  EXPECT_NE(curl(proxy, "/").status, 0) << "without a header";
  EXPECT_EQ(app.requests(), 1);
  EXPECT_EQ(proxy.stat("proxy_proto.versions.v1.found"), 1);
  EXPECT_EQ(proxy.stat("proxy_proto.not_found_disallowed"), 1);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (text[at] != '#') out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Both ends tell the same secrets, in the same words.
TEST_F(TlsListener, KeysAreLoggedForWhoeverReadsAlong) {
  const std::string path = folder_ + "/keys.log";
  const std::string theirs = folder_ + "/curl_keys.log";
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .argument("--file-flush-interval-msec")
                    .argument("50")
                    .with("chain", tls("", "key_log: {path: " + path +
                                               ", remote_address_range: "
                                               "[{address_prefix: 127.0.0.0, prefix_len: 8}]}\n"))
                    .start();
  const std::string port = std::to_string(proxy.port());
  ChildProcess child(
      {"curl", "--silent", "--cacert", folder_ + "/ca.pem", "--resolve",
       "a.test:" + port + ":127.0.0.1", "https://a.test:" + port + "/"},
      {.output_path = folder_ + "/output", .environment = {"SSLKEYLOGFILE=" + theirs}});
  ASSERT_EQ(child.wait(10s), 0);
  const std::vector<std::string> wanted = lines_of(read_file(theirs));
  ASSERT_GE(wanted.size(), 4u);
  EXPECT_TRUE(eventually([&] { return lines_of(read_file(path)) == wanted; })) << read_file(path);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(TlsListener, ATcpProxyGetsWhatWasDecrypted) {
  TestUpstream app;
  app.on("/large").large_body(1 << 20);
  Proxy proxy = weir()
                    .upstream(app)
                    .with("listener", std::string(kTlsInspector))
                    .with("chain", "filter_chain_match: {transport_protocol: raw_buffer}")
                    .with("chains",
                          "- filter_chain_match: {transport_protocol: tls}\n"
                          "  filters:\n"
                          "  - name: tcp\n"
                          "    typed_config:\n"
                          "      \"@type\": type.googleapis.com/envoy.extensions.filters.network."
                          "tcp_proxy.v3.TcpProxy\n"
                          "      stat_prefix: tcp\n"
                          "      cluster: app\n" +
                              indented(tls(), "  "))
                    .start();
  EXPECT_EQ(curl(proxy, "/").output, "ok");
  EXPECT_EQ(curl(proxy, "/large").output.size(), size_t{1} << 20);
}

TEST_F(TlsListener, WhoSaysNothingIsNotWaitedFor) {
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("listener", std::string(kTlsInspector) + "listener_filters_timeout: 0.3s")
                    .with("chain", tls())
                    .start();
  RawClient silent(proxy);
  EXPECT_FALSE(silent.closed_within(200ms));
  EXPECT_TRUE(silent.closed_within(3s));
  EXPECT_EQ(proxy.stat(prefix(proxy) + "downstream_pre_cx_timeout"), 1);
  EXPECT_EQ(proxy.stat(prefix(proxy) + "downstream_pre_cx_active"), 0);
  EXPECT_EQ(curl(proxy, "/").output, "ok");
}

TEST_F(TlsListener, AHandshakeThatNeverEndsIsNotWaitedFor) {
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("chain", "transport_socket_connect_timeout: 0.3s\n" + tls())
                    .start();
  RawClient silent(proxy);
  RawClient begins(proxy);
  begins.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_TRUE(silent.closed_within(3s));
  EXPECT_TRUE(begins.closed_within(3s));
  EXPECT_EQ(proxy.stat(prefix(proxy) + "downstream_cx_transport_socket_connect_timeout"), 2);
}

TEST_F(TlsListener, GarbageEndsItsOwnConnection) {
  Proxy proxy = weir().direct("/", 200, "ok").with("chain", tls()).start();
  ASSERT_TRUE(nobody_there(proxy));
  const long before = proxy.stat(prefix(proxy) + "ssl.connection_error");
  for (const std::string& garbage :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string(5000, '\xff'),
        std::string("\x16\x03\x01\xff\xff") + std::string(70000, 'x'),
        std::string("\x16\x03\x01\x00\x05\x02hey!!", 11)}) {
    RawClient client(proxy);
    client.send(garbage);
    EXPECT_TRUE(client.closed_within(3s)) << garbage.substr(0, 10);
  }
  EXPECT_EQ(curl(proxy, "/").output, "ok");
  EXPECT_TRUE(nobody_there(proxy));
  EXPECT_EQ(proxy.stat(prefix(proxy) + "ssl.connection_error") - before, 4);
}

TEST_F(TlsListener, ConnectionsOnTheirWayCount) {
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("bootstrap",
                          "layered_runtime:\n"
                          "  layers:\n"
                          "  - name: static\n"
                          "    static_layer: {envoy.resource_limits.listener.front."
                          "connection_limit: 2}")
                    .with("chain", tls())
                    .start();
  // Whoever looked whether the proxy listens has come and gone.
  ASSERT_TRUE(eventually([&] { return proxy.stat(prefix(proxy) + "downstream_cx_destroy") == 1; }));
  RawClient one(proxy);
  RawClient two(proxy);
  ASSERT_TRUE(eventually([&] { return proxy.stat(prefix(proxy) + "downstream_cx_active") == 2; }));
  RawClient three(proxy);
  EXPECT_TRUE(three.closed_within(3s));
  EXPECT_EQ(proxy.stat(prefix(proxy) + "downstream_cx_overflow"), 1);
  EXPECT_EQ(proxy.stat(prefix(proxy) + "downstream_cx_total"),
            proxy.stat(prefix(proxy) + "downstream_cx_destroy") + 2)
      << "one that is refused counts nowhere else";
}

TEST_F(TlsListener, AWishForAStapleIsCounted) {
  Proxy proxy = weir().direct("/", 200, "ok").with("chain", tls()).start();
  EXPECT_EQ(curl(proxy, "/").output, "ok");
  EXPECT_EQ(proxy.stat(prefix(proxy) + "ssl.ocsp_staple_requests"), 0);
  EXPECT_EQ(curl(proxy, "/", {"--cert-status"}).status, 91) << "there is no response to staple";
  EXPECT_TRUE(
      eventually([&] { return proxy.stat(prefix(proxy) + "ssl.ocsp_staple_requests") == 1; }));
  EXPECT_EQ(proxy.stat(prefix(proxy) + "ssl.ocsp_staple_omitted"), 1);
}

TEST_F(TlsListener, ByAlpnItSpeaksHttp2) {
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("chain", tls("", "alpn_protocols: [h2, http/1.1]"))
                    .start();
  const std::vector<std::string> version = {"--write-out", " %{http_version}"};
  EXPECT_EQ(curl(proxy, "/", version).output, "ok 2");
  std::vector<std::string> one = version;
  one.push_back("--http1.1");
  EXPECT_EQ(curl(proxy, "/", one).output, "ok 1.1");
  one.back() = "--no-alpn";
  EXPECT_EQ(curl(proxy, "/", one).output, "ok 1.1");
  const std::string manager = "http.front.downstream_";
  for (const auto& [name, count] : {std::pair("cx_ssl_total", 3),
                                    {"cx_http1_total", 2},
                                    {"cx_http2_total", 1},
                                    {"rq_http1_total", 2},
                                    {"rq_http2_total", 1}})
    EXPECT_EQ(proxy.stat(manager + name), count) << name;
  EXPECT_TRUE(eventually([&] {
    return proxy.stat(manager + "cx_ssl_active") == 0 &&
           proxy.stat(manager + "cx_http1_active") == 0 &&
           proxy.stat(manager + "cx_http2_active") == 0;
  }));
}

TEST_F(TlsListener, AReloadLosesNobodyOnTheWay) {
  const auto builder = [](const std::string& body) {
    return weir()
        .direct("/", 200, body)
        .with("listener",
              "listener_filters:\n"
              "- name: proxy\n"
              "  typed_config:\n"
              "    \"@type\": type.googleapis.com/envoy.extensions.filters.listener."
              "proxy_protocol.v3.ProxyProtocol");
  };
  Proxy proxy = builder("old").start();
  RawClient client(proxy);
  client.send("PROXY UNK");
  ASSERT_TRUE(
      eventually([&] { return proxy.stat(prefix(proxy) + "downstream_pre_cx_active") == 1; }));
  write_file(proxy.weir().config_path(), proxy.weir().substitute(builder("new").config()));
  proxy.signal(SIGHUP);
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_TRUE(eventually([&] { return proxy.send("PROXY UNKNOWN\r\n" + request).body == "new"; }));
  client.send("NOWN\r\n" + request);
  // Its chain is chosen when its header is whole: by then there is another one.
  const Reply reply = client.reply();
  EXPECT_EQ(reply.body, "new");
  EXPECT_FALSE(reply.headers.contains("connection"));
}

TEST_F(TlsListener, DrainingDoesNotWaitForTheSilent) {
  Proxy proxy = weir()
                    .direct("/", 200, "ok")
                    .with("listener", std::string(kTlsInspector))
                    .with("chain", tls())
                    .start();
  RawClient silent(proxy);
  ASSERT_TRUE(
      eventually([&] { return proxy.stat(prefix(proxy) + "downstream_pre_cx_active") == 1; }));
  proxy.signal(SIGTERM);
  EXPECT_TRUE(silent.closed_within(3s));
  EXPECT_EQ(proxy.wait(5s), 0);
}

}  // namespace
}  // namespace weir::test
