// What the connections of health checks begin with: the cluster's TLS, labels, the PROXY protocol.
#include "proxy/upstream/health_probe.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <optional>
#include <thread>

#include "proxy/net/testing/loop_thread.h"
#include "proxy/tls/secrets.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"
#include "proxy/tls/testing/tls_peer.h"
#include "proxy/upstream/testing/compiled_cluster.h"

namespace weir::upstream {
namespace {

using net::RawSocket;
using tls::testing::TlsPeer;

std::string one_line(const std::string& pem) {
  std::string out;
  for (const char c : pem) c == '\n' ? out += "\\n" : out += c;
  return out;
}

class HealthProbeTest : public testing::Test, private ProbeEvents {
 protected:
  HealthProbeTest()
      : root_(tls::testing::make_root()),
        server_(tls::testing::bare_server(root_.issue({.dns = {"a.test"}}))),
        listener_(RawSocket::listen()) {
    log_.set_level(LogLevel::kOff);
  }
  ~HealthProbeTest() override {
    t_.run([&] { probe_.reset(); });
  }

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
  static std::string check(const std::string& how, const std::string& more = "") {
    return "health_checks { timeout { seconds: 5 } interval { seconds: 5 } unhealthy_threshold { "
           "value: 1 } healthy_threshold { value: 1 } " +
           how + " " + more + " } ";
  }

  void start(const std::string& text) {
    const Compiled compiled(text, {&secrets_, &registry_});
    ASSERT_NE(compiled.config, nullptr) << compiled.problems();
    config_ = compiled.config;
    t_.run([&] {
      probe_ = make_probe({t_.loop(), config_, registry_.main_shard(), {}}, *this);
      probe_->start({listener_.address(), "host.test", "authority.test", -1});
    });
  }
  TlsPeer accept() { return TlsPeer(listener_.accept(), *server_); }
  std::optional<CheckResult> result() {
    for (int i = 0; i < 1'000 && !t_.run([&] { return result_; }); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return t_.run([&] { return result_; });
  }

  net::LoopThread t_;
  stats::Registry registry_;
  Logger log_;
  tls::Secrets secrets_{registry_, log_};
  tls::testing::Certificate root_;
  bssl::UniquePtr<SSL_CTX> server_;
  RawSocket listener_;
  std::shared_ptr<const ClusterConfig> config_;
  std::unique_ptr<HealthProbe> probe_;

 private:
  void on_probed(CheckResult result, bool /*excludes*/) override { result_ = result; }
  std::optional<CheckResult> result_;
};

const std::string kHttp = "http_health_check { path: '/' }";
const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

TEST_F(HealthProbeTest, OverTheClustersTls) {
  const std::string protocol = "http/1.1";
  tls::testing::agree_on(*server_, protocol);
  start("transport_socket { " + tls("sni: 'a.test'") + " } " + check(kHttp));
  TlsPeer peer = accept();
  ASSERT_TRUE(peer.shake_hands());
  EXPECT_EQ(peer.session().sni(), "a.test");
  EXPECT_EQ(peer.session().alpn(), "http/1.1");
  const std::string request = peer.receive_some();
  EXPECT_TRUE(request.starts_with("GET / HTTP/1.1\r\nhost: authority.test\r\n")) << request;
  peer.send(kOk);
  EXPECT_EQ(result(), CheckResult::kHealthy);
}

TEST_F(HealthProbeTest, AServerThatIsNotTrustedFails) {
  const tls::testing::Certificate other = tls::testing::make_root();
  const auto stranger = tls::testing::bare_server(other.issue({.dns = {"a.test"}}));
  start("transport_socket { " + tls() + " } " + check("tcp_health_check { }"));
  TlsPeer peer(listener_.accept(), *stranger);
  peer.shake_hands();
  EXPECT_EQ(result(), CheckResult::kNetwork);
}

TEST_F(HealthProbeTest, TcpIsHealthyAfterTheHandshake) {
  start("transport_socket { " + tls() + " } " + check("tcp_health_check { }"));
  TlsPeer peer = accept();
  EXPECT_TRUE(peer.shake_hands());
  EXPECT_EQ(result(), CheckResult::kHealthy);
}

TEST_F(HealthProbeTest, TheCheckMayChooseAnotherTransportSocket) {
  start(
      "transport_socket_matches { name: 'plain' match { fields { key: 'kind' value { string_value: "
      "'plain' } } } transport_socket { " +
      plain() + " } } transport_socket { " + tls() + " } " +
      check(kHttp,
            "transport_socket_match_criteria { fields { key: 'kind' value { string_value: 'plain' "
            "} } }"));
  RawSocket peer = listener_.accept();
  EXPECT_TRUE(peer.receive_some().starts_with("GET / ")) << "in the clear";
  peer.send(kOk);
  EXPECT_EQ(result(), CheckResult::kHealthy);
}

TEST_F(HealthProbeTest, AProxyHeaderThatNamesNobody) {
  start("transport_socket { name: 'proxy' typed_config { " +
        any("transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
            "config { } transport_socket { " + plain() + " }") +
        " } } " + check(kHttp));
  RawSocket peer = listener_.accept();
  const std::string head = "PROXY UNKNOWN\r\n";
  std::string all = peer.receive(head.size());
  EXPECT_TRUE(all.starts_with(head)) << all;
  if (all.size() == head.size()) all += peer.receive_some();
  EXPECT_TRUE(all.substr(head.size()).starts_with("GET / ")) << all;
  peer.send(kOk);
  EXPECT_EQ(result(), CheckResult::kHealthy);
}

}  // namespace
}  // namespace weir::upstream
