// Messages to contexts: what is accepted works, what is not is named.
#include "proxy/tls/transport_socket.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.pb.h"
#include "proxy/stats/log_writers.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"

namespace weir::tls {
namespace {

namespace tlsv3 = envoy::extensions::transport_sockets::tls::v3;
using config::FieldPath;
using envoy::config::core::v3::TransportSocket;
using net::PeerVerdict;
using net::TlsSession;
using testing::Certificate;
using testing::handshake;
using testing::make_root;
using testing::Wanted;
using tlsv3::DownstreamTlsContext;
using tlsv3::UpstreamTlsContext;

class TransportSocketTest : public ::testing::Test {
 protected:
  void SetUp() override { log_.set_level(LogLevel::kOff); }

  template <class Message>
  static TransportSocket socket(const Message& message) {
    TransportSocket out;
    out.set_name("tls");
    out.mutable_typed_config()->PackFrom(message);
    return out;
  }
  static void show(const Certificate& one, tlsv3::TlsCertificate& out) {
    out.mutable_certificate_chain()->set_inline_string(one.pem());
    out.mutable_private_key()->set_inline_string(one.key_pem());
  }
  static void trust(const Certificate& root, tlsv3::CommonTlsContext& out) {
    out.mutable_validation_context()->mutable_trusted_ca()->set_inline_string(root.pem());
  }
  DownstreamTlsContext downstream() {
    DownstreamTlsContext out;
    show(server_, *out.mutable_common_tls_context()->add_tls_certificates());
    return out;
  }
  UpstreamTlsContext upstream() {
    UpstreamTlsContext out;
    trust(root_, *out.mutable_common_tls_context());
    out.set_sni("server.example.com");
    return out;
  }
  template <class Message>
  std::shared_ptr<const ServerTls> server(const Message& message) {
    const FieldPath root = FieldPath::root();
    const FieldPath path = root.field("transport_socket");
    return compile_downstream(socket(message), path, {secrets_, diagnostics_, stats_}, "listener.");
  }
  std::shared_ptr<const ClientTls> client(const UpstreamTlsContext& message) {
    const FieldPath root = FieldPath::root();
    const FieldPath path = root.field("transport_socket");
    return compile_upstream(socket(message), path, {secrets_, diagnostics_, stats_}, "cluster.c.");
  }
  // "path: message" of the only error that the message brings.
  std::string refusal(const DownstreamTlsContext& message) {
    diagnostics_ = {};
    EXPECT_EQ(server(message), nullptr);
    return only_error();
  }
  std::string refusal(const UpstreamTlsContext& message) {
    diagnostics_ = {};
    EXPECT_EQ(client(message), nullptr);
    return only_error();
  }
  std::string only_error() {
    EXPECT_EQ(diagnostics_.error_count(), 1u);
    constexpr std::string_view kRoot = "transport_socket.typed_config.";
    for (const config::Diagnostic& one : diagnostics_.items()) {
      if (one.severity != config::Severity::kError) continue;
      std::string path = one.field_path;
      if (path.compare(0, kRoot.size(), kRoot) == 0) path = path.substr(kRoot.size());
      return path + ": " + one.message;
    }
    return "";
  }
  std::string messages() {
    std::string out;
    for (const config::Diagnostic& one : diagnostics_.items())
      out += one.field_path + ": " + one.message + "\n";
    return out;
  }

  Certificate root_ = make_root();
  Certificate server_ = root_.issue({.common_name = "server", .dns = {"server.example.com"}});
  Certificate client_ = root_.issue({.common_name = "client", .uris = {"spiffe://td/client"}});
  stats::Registry stats_;
  Logger log_;
  Secrets secrets_{stats_, log_};
  config::Diagnostics diagnostics_;
};

TEST_F(TransportSocketTest, BothSidesMeet) {
  const auto server_side = server(downstream());
  const auto client_side = client(upstream());
  ASSERT_TRUE(server_side && client_side) << messages();
  const auto a = server_side->new_session();
  const auto b = client_side->new_session({});
  ASSERT_TRUE(handshake(*a, *b).both_done()) << b->error_details();
  EXPECT_EQ(a->sni(), "server.example.com");
  EXPECT_EQ(a->version(), "TLSv1.2") << "Envoy's default for clients";
  EXPECT_TRUE(b->validated());

  stats::Shard& shard = stats_.new_shard();
  server_side->stats().on_handshake(shard, *a, 0);
  client_side->stats().on_handshake(shard, *b, 0);
  EXPECT_EQ(stats_.value("listener.ssl.handshake"), 1u);
  EXPECT_EQ(stats_.value("listener.ssl.no_certificate"), 1u);
  EXPECT_EQ(stats_.value("cluster.c.ssl.versions.TLSv1.2"), 1u);
  EXPECT_EQ(stats_.value("cluster.c.ssl.ciphers.ECDHE-ECDSA-AES128-GCM-SHA256"), 1u);
  EXPECT_EQ(stats_.value("listener.ssl.curves.X25519"), 1u);
  EXPECT_EQ(stats_.value("cluster.c.ssl.sigalgs.ecdsa_secp256r1_sha256"), 1u);
}

TEST_F(TransportSocketTest, StaplesAreCounted) {
  const auto server_side = server(downstream());
  ASSERT_TRUE(server_side) << messages();
  stats::Shard& shard = stats_.new_shard();
  using Outcome = net::OcspOutcome;
  for (const Outcome outcome : {Outcome::kNotAsked, Outcome::kStapled, Outcome::kStapled,
                                Outcome::kOmitted, Outcome::kRefused}) {
    const auto session = server_side->new_session();
    session->set_ocsp(outcome);
    server_side->stats().on_handshake(shard, *session, EPROTO);
  }
  EXPECT_EQ(stats_.value("listener.ssl.ocsp_staple_requests"), 4u);
  EXPECT_EQ(stats_.value("listener.ssl.ocsp_staple_responses"), 2u);
  EXPECT_EQ(stats_.value("listener.ssl.ocsp_staple_omitted"), 1u);
  EXPECT_EQ(stats_.value("listener.ssl.ocsp_staple_failed"), 1u);
}

// ---- key_log ----

class KeyLogTest : public TransportSocketTest {
 protected:
  KeyLogTest() { std::filesystem::remove(path_); }
  ~KeyLogTest() override { std::filesystem::remove(path_); }

  DownstreamTlsContext logging() {
    DownstreamTlsContext out = downstream();
    out.mutable_common_tls_context()->mutable_key_log()->set_path(path_);
    return out;
  }
  std::shared_ptr<const ServerTls> logged(const DownstreamTlsContext& message) {
    const FieldPath root = FieldPath::root();
    const FieldPath path = root.field("transport_socket");
    return compile_downstream(socket(message), path, {secrets_, diagnostics_, stats_, &writers_},
                              "listener.");
  }
  // What one connection between these addresses wrote.
  std::string written(const ServerTls& tls, const std::string& local, const std::string& remote,
                      std::string* secret = nullptr) {
    const auto client_side = client(upstream());
    const auto a = tls.new_session();
    const auto b = client_side->new_session({});
    tls.log_keys(*a, net::Address::ip(local, 443).take(), net::Address::ip(remote, 9).take());
    EXPECT_TRUE(handshake(*a, *b).both_done());
    if (secret != nullptr) *secret = secret_line(*b);
    writers_.start();
    writers_.stop();
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // NSS' line for a connection of TLS 1.2.
  static std::string secret_line(net::TlsSession& session) {
    uint8_t random[SSL3_RANDOM_SIZE];
    SSL_get_client_random(session.ssl(), random, sizeof(random));
    const SSL_SESSION* agreed = SSL_get_session(session.ssl());
    std::string key(SSL_SESSION_get_master_key(agreed, nullptr, 0), '\0');
    SSL_SESSION_get_master_key(agreed, reinterpret_cast<uint8_t*>(key.data()), key.size());
    const auto hex = [](const auto* bytes, size_t count) {
      std::string out;
      for (size_t i = 0; i < count; ++i) {
        const auto byte = static_cast<uint8_t>(bytes[i]);
        out += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
      }
      return out;
    };
    return "CLIENT_RANDOM " + hex(random, sizeof(random)) + " " + hex(key.data(), key.size()) +
           "\n";
  }

  const std::string path_ = ::testing::TempDir() + "keys.log";
  stats::LogWriters writers_{{}, stats_};
};

TEST_F(KeyLogTest, WritesWhatNssWould) {
  const auto tls = logged(logging());
  ASSERT_TRUE(tls) << messages();
  std::string secret;
  EXPECT_EQ(written(*tls, "10.0.0.1", "10.0.0.2", &secret), secret);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_NE(messages().find("can decrypt"), std::string::npos) << messages();
}

TEST_F(KeyLogTest, OnlyForTheRangesThatWereAskedFor) {
  DownstreamTlsContext message = logging();
  auto& log = *message.mutable_common_tls_context()->mutable_key_log();
  auto& local = *log.add_local_address_range();
  local.set_address_prefix("10.1.0.0");
  local.mutable_prefix_len()->set_value(16);
  auto& remote = *log.add_remote_address_range();
  remote.set_address_prefix("2001:db8::");
  remote.mutable_prefix_len()->set_value(32);
  const auto tls = logged(message);
  ASSERT_TRUE(tls) << messages();
  EXPECT_EQ(written(*tls, "10.2.0.1", "2001:db8::1"), "");
  EXPECT_EQ(written(*tls, "10.1.0.1", "2001:db9::1"), "");
  EXPECT_NE(written(*tls, "10.1.0.1", "2001:db8::1"), "");
}

TEST_F(KeyLogTest, NamesWhatCannotBe) {
  DownstreamTlsContext message = logging();
  message.mutable_common_tls_context()->mutable_key_log()->set_path("/proc/none/keys.log");
  EXPECT_EQ(logged(message), nullptr);
  EXPECT_EQ(only_error().substr(0, 33), "common_tls_context.key_log.path: ") << messages();
  diagnostics_ = {};
  message = logging();
  auto& range = *message.mutable_common_tls_context()->mutable_key_log()->add_local_address_range();
  range.set_address_prefix("10.0.0.0");
  range.mutable_prefix_len()->set_value(33);
  EXPECT_EQ(logged(message), nullptr);
  EXPECT_EQ(only_error(),
            "common_tls_context.key_log.local_address_range[0]: prefix_len is at most 32 for this "
            "address");
  EXPECT_EQ(refusal(logging()), "common_tls_context.key_log: keys cannot be logged in this place");
}

TEST_F(TransportSocketTest, InTheClear) {
  EXPECT_EQ(server(envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer()), nullptr);
  EXPECT_FALSE(diagnostics_.has_errors());
}

// A name alone would be nothing, on a connection that somebody wants to be safe.
TEST_F(TransportSocketTest, ANameAloneIsNotGuessed) {
  const FieldPath path = FieldPath::root("transport_socket");
  TransportSocket socket;
  socket.set_name("envoy.transport_sockets.tls");
  const SocketBuild build{secrets_, diagnostics_, stats_};
  EXPECT_EQ(compile_downstream(socket, path, build, "listener."), nullptr);
  EXPECT_EQ(only_error(),
            "transport_socket: the transport socket 'envoy.transport_sockets.tls' has no "
            "typed_config");
  diagnostics_ = {};
  EXPECT_EQ(compile_upstream(socket, path, build, "cluster.c."), nullptr);
  only_error();
  diagnostics_ = {};
  EXPECT_EQ(compile_upstream(TransportSocket(), path, build, "cluster.c."), nullptr);
  EXPECT_EQ(only_error(), "transport_socket: no transport socket is given");
  diagnostics_ = {};
  socket.set_name("envoy.transport_sockets.raw_buffer");
  EXPECT_EQ(compile_downstream(socket, path, build, "listener."), nullptr);
  EXPECT_EQ(compile_upstream(socket, path, build, "cluster.c."), nullptr);
  EXPECT_FALSE(diagnostics_.has_errors());
}

TEST_F(TransportSocketTest, OtherSocketsAreNamed) {
  EXPECT_EQ(server(upstream()), nullptr);
  EXPECT_EQ(only_error(),
            "transport_socket.typed_config: Weir has no transport socket of this type here");
}

// ---- what is refused, and where ----

TEST_F(TransportSocketTest, CertificatesThatCannotBeUsed) {
  DownstreamTlsContext in;
  EXPECT_EQ(refusal(in), "common_tls_context: a server needs a certificate");
  const auto with = [&](const auto& change) {
    DownstreamTlsContext out = downstream();
    change(*out.mutable_common_tls_context()->mutable_tls_certificates(0));
    return refusal(out);
  };
  const std::string at = "common_tls_context.tls_certificates[0].";
  EXPECT_EQ(with([](auto& c) { c.mutable_certificate_chain()->set_filename("/none/a.pem"); }),
            at + "certificate_chain.filename: cannot read '/none/a.pem': "
                 "No such file or directory");
  EXPECT_EQ(with([](auto& c) { c.mutable_private_key()->set_environment_variable("WEIR_NONE"); }),
            at + "private_key.environment_variable: there is no environment variable 'WEIR_NONE'");
  EXPECT_EQ(with([](auto& c) { c.clear_private_key(); }),
            at + "private_key: the certificate has no private_key");
  EXPECT_EQ(with([&](auto& c) { c.mutable_private_key()->set_inline_string(client_.key_pem()); }),
            at + "private_key: the private key is not that of the certificate 'CN=server'");
  EXPECT_EQ(with([](auto& c) { c.mutable_certificate_chain()->set_inline_string("no PEM"); }),
            at + "certificate_chain: there is no certificate in PEM form");
  const std::string expired =
      with([&](auto& c) { show(root_.issue({.common_name = "old", .valid_for_s = -5}), c); });
  EXPECT_EQ(expired.find(at + "certificate_chain: the certificate 'CN=old' expired on"), 0u)
      << expired;
  EXPECT_EQ(with([](auto& c) {
              c.mutable_ocsp_staple()->set_inline_bytes("x");
            }).find(at + "ocsp_staple: the OCSP response is broken"),
            0u);
}

TEST_F(TransportSocketTest, ParametersThatDoNotExist) {
  const auto with = [&](const char* text) {
    DownstreamTlsContext out = downstream();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        text, out.mutable_common_tls_context()->mutable_tls_params()));
    const std::string error = refusal(out);
    return error.substr(0, error.find(';'));
  };
  const std::string at = "common_tls_context.tls_params.";
  EXPECT_EQ(with("ecdh_curves: 'P-256' ecdh_curves: 'P-257'"),
            at + "ecdh_curves[1]: unknown curve 'P-257'");
  EXPECT_EQ(with("cipher_suites: 'NO-SUCH'"), at + "cipher_suites[0]: unknown cipher 'NO-SUCH'");
  EXPECT_EQ(with("signature_algorithms: 'md5'"),
            at + "signature_algorithms[0]: unknown signature algorithm 'md5'");
  EXPECT_EQ(with("tls_minimum_protocol_version: TLSv1_3 tls_maximum_protocol_version: TLSv1_2"),
            at + "tls_minimum_protocol_version: the lowest TLS version is above the highest");
}

TEST_F(TransportSocketTest, TrustThatCannotHold) {
  const auto with = [&](const auto& change) {
    UpstreamTlsContext out = upstream();
    change(*out.mutable_common_tls_context()->mutable_validation_context());
    return refusal(out);
  };
  const std::string at = "common_tls_context.validation_context.";
  EXPECT_EQ(with([](auto& v) { v.mutable_trusted_ca()->set_filename("/none/ca.pem"); }),
            at + "trusted_ca.filename: cannot read '/none/ca.pem': No such file or directory");
  EXPECT_EQ(with([](auto& v) { v.mutable_trusted_ca()->set_inline_string("x"); }),
            at + "trusted_ca: there is no certificate in PEM form");
  EXPECT_EQ(
      with([](auto& v) {
        v.clear_trusted_ca();
        auto& name = *v.add_match_typed_subject_alt_names();
        name.set_san_type(tlsv3::SubjectAltNameMatcher::DNS);
        name.mutable_matcher()->set_exact("a");
      }),
      at + "match_typed_subject_alt_names: names prove nothing where no authority is trusted");
  EXPECT_EQ(with([&](auto& v) {
              v.clear_trusted_ca();
              v.mutable_crl()->set_inline_string(root_.revoke({}));
            }),
            at + "crl: a revocation list needs trusted_ca beside it");
  EXPECT_EQ(with([](auto& v) { v.add_verify_certificate_hash(std::string(64, 'g')); }),
            at + "verify_certificate_hash[0]: not a SHA-256 in hexadecimal");
  EXPECT_EQ(with([](auto& v) { v.add_verify_certificate_spki("short"); }),
            at + "verify_certificate_spki[0]: not a SHA-256 in base64");
}

TEST_F(TransportSocketTest, OnlyOneCertificateForClients) {
  UpstreamTlsContext in = upstream();
  show(client_, *in.mutable_common_tls_context()->add_tls_certificates());
  show(client_, *in.mutable_common_tls_context()->add_tls_certificates());
  EXPECT_EQ(refusal(in), "common_tls_context: a client shows at most one certificate");
}

TEST_F(TransportSocketTest, TrustingEverybodyIsAWarning) {
  UpstreamTlsContext in;
  EXPECT_NE(client(in), nullptr);
  EXPECT_EQ(diagnostics_.warning_count(), 1u);
  DownstreamTlsContext asks = downstream();
  asks.mutable_require_client_certificate()->set_value(true);
  EXPECT_NE(server(asks), nullptr);
  EXPECT_EQ(diagnostics_.warning_count(), 2u);
}

// ---- what a handshake makes of it ----

TEST_F(TransportSocketTest, TheEndpointsNameIsSentAndVerified) {
  UpstreamTlsContext in = upstream();
  in.set_auto_host_sni(true);
  in.set_auto_sni_san_validation(true);
  auto& name = *in.mutable_common_tls_context()
                    ->mutable_validation_context()
                    ->add_match_typed_subject_alt_names();
  name.set_san_type(tlsv3::SubjectAltNameMatcher::DNS);
  name.mutable_matcher()->set_exact("replaced.example.com");
  const auto server_side = server(downstream());
  const auto client_side = client(in);
  ASSERT_TRUE(server_side && client_side) << messages();
  const auto sent = [&](const ClientWanted& wanted, bool good) {
    const auto a = server_side->new_session();
    const auto b = client_side->new_session(wanted);
    EXPECT_EQ(handshake(*a, *b).both_done(), good) << b->error_details();
    return std::string(a->sni());
  };
  EXPECT_EQ(sent({}, true), "server.example.com") << "the configured one";
  EXPECT_EQ(sent({.host_name = "other.example.com"}, false), "other.example.com");
  EXPECT_EQ(sent({.sni = "server.example.com", .host_name = "other.example.com"}, true),
            "server.example.com");
  in.mutable_common_tls_context()->clear_validation_context_type();
  EXPECT_EQ(refusal(in),
            "auto_sni_san_validation: names prove nothing where no authority is trusted");
}

TEST_F(TransportSocketTest, EachKindOfProof) {
  const auto verdict = [&](const auto& change) {
    diagnostics_ = {};
    DownstreamTlsContext in = downstream();
    trust(root_, *in.mutable_common_tls_context());
    in.mutable_require_client_certificate()->set_value(true);
    change(*in.mutable_common_tls_context()->mutable_validation_context());
    UpstreamTlsContext out = upstream();
    show(client_, *out.mutable_common_tls_context()->add_tls_certificates());
    const auto server_side = server(in);
    const auto client_side = client(out);
    EXPECT_TRUE(server_side && client_side) << messages();
    if (!server_side || !client_side) return PeerVerdict::kNotChecked;
    const auto a = server_side->new_session();
    const auto b = client_side->new_session({});
    handshake(*a, *b);
    EXPECT_EQ(a->handshake_done(),
              a->verdict() == PeerVerdict::kValid || a->verdict() == PeerVerdict::kAccepted);
    return a->verdict();
  };
  const auto uri = [](auto& v, const char* text) {
    auto& name = *v.add_match_typed_subject_alt_names();
    name.set_san_type(tlsv3::SubjectAltNameMatcher::URI);
    name.mutable_matcher()->mutable_safe_regex()->set_regex(text);
  };
  EXPECT_EQ(verdict([](auto&) {}), PeerVerdict::kValid);
  EXPECT_EQ(verdict([&](auto& v) { uri(v, "spiffe://td/.*"); }), PeerVerdict::kValid);
  EXPECT_EQ(verdict([&](auto& v) { uri(v, "spiffe://other/.*"); }), PeerVerdict::kWrongName);
  EXPECT_EQ(
      verdict([](auto& v) { v.add_match_subject_alt_names()->set_exact("spiffe://td/client"); }),
      PeerVerdict::kValid);
  EXPECT_EQ(verdict([&](auto& v) { v.add_verify_certificate_hash(client_.sha256_hex()); }),
            PeerVerdict::kValid);
  EXPECT_EQ(verdict([&](auto& v) { v.add_verify_certificate_spki(client_.spki_sha256_base64()); }),
            PeerVerdict::kValid);
  EXPECT_EQ(verdict([&](auto& v) { v.add_verify_certificate_spki(server_.spki_sha256_base64()); }),
            PeerVerdict::kWrongHash);
  EXPECT_EQ(verdict([&](auto& v) { v.mutable_crl()->set_inline_string(root_.revoke({&client_})); }),
            PeerVerdict::kUntrusted);
  EXPECT_EQ(verdict([&](auto& v) {
              v.mutable_crl()->set_inline_string(root_.revoke({&client_}));
              v.set_trust_chain_verification(tlsv3::CertificateValidationContext::ACCEPT_UNTRUSTED);
            }),
            PeerVerdict::kAccepted);
  EXPECT_EQ(
      verdict([&](auto& v) {
        tlsv3::SPIFFECertValidatorConfig spiffe;
        spiffe.add_trust_domains()->set_name("td");
        spiffe.mutable_trust_domains(0)->mutable_trust_bundle()->set_inline_string(root_.pem());
        v.mutable_custom_validator_config()->mutable_typed_config()->PackFrom(spiffe);
      }),
      PeerVerdict::kValid);
}

// A ticket of one virtual host must not open another that asks for more (CVE-2025-23419).
TEST_F(TransportSocketTest, SessionsStayWhereTrustIsTheSame) {
  const auto with_key = [&](DownstreamTlsContext in) {
    in.mutable_session_ticket_keys()->add_keys()->set_inline_bytes(std::string(80, 'k'));
    auto out = server(in);
    EXPECT_NE(out, nullptr) << messages();
    return out;
  };
  const auto client_side = client(upstream());
  const auto reused = [&](const ServerTls& first, const ServerTls& second) {
    const auto cache = client_side->context()->new_cache();
    const auto a = first.new_session();
    const auto b = client_side->new_session({.cache = cache});
    EXPECT_TRUE(handshake(*a, *b).both_done()) << b->error_details();
    EXPECT_EQ(cache->size(), 1u);
    const auto c = second.new_session();
    const auto d = client_side->new_session({.cache = cache});
    EXPECT_TRUE(handshake(*c, *d).both_done()) << d->error_details();
    return c->session_reused();
  };
  const auto plain = with_key(downstream());
  DownstreamTlsContext asking = downstream();
  trust(root_, *asking.mutable_common_tls_context());
  DownstreamTlsContext renewed;
  show(root_.issue({.common_name = "server", .dns = {"server.example.com"}}),
       *renewed.mutable_common_tls_context()->add_tls_certificates());
  DownstreamTlsContext other;
  show(root_.issue({.common_name = "other", .dns = {"other.example.com"}}),
       *other.mutable_common_tls_context()->add_tls_certificates());
  EXPECT_TRUE(reused(*plain, *with_key(downstream())));
  EXPECT_TRUE(reused(*plain, *with_key(renewed)));
  EXPECT_FALSE(reused(*plain, *with_key(asking)));
  EXPECT_FALSE(reused(*plain, *with_key(other)));
  DownstreamTlsContext required = asking;
  EXPECT_TRUE(reused(*with_key(asking), *with_key(required)));
  required.mutable_common_tls_context()
      ->mutable_validation_context()
      ->mutable_trusted_ca()
      ->set_inline_string(make_root("another").pem());
  EXPECT_FALSE(reused(*with_key(asking), *with_key(required)));
}

TEST_F(TransportSocketTest, ListsOfProtocolsMayHaveCommas) {
  DownstreamTlsContext in = downstream();
  in.mutable_common_tls_context()->add_alpn_protocols("h2,http/1.1");
  const auto server_side = server(in);
  const auto client_side = client(upstream());
  ASSERT_TRUE(server_side && client_side) << messages();
  const std::vector<std::string> offered = {"http/1.1"};
  const auto a = server_side->new_session();
  const auto b = client_side->new_session({.alpn = offered});
  ASSERT_TRUE(handshake(*a, *b).both_done());
  EXPECT_EQ(b->alpn(), "http/1.1");
}

TEST_F(TransportSocketTest, StaticSecretsByName) {
  tlsv3::Secret secret;
  secret.set_name("mine");
  show(server_, *secret.mutable_tls_certificate());
  secrets_.stage_static({secret});
  secrets_.commit_static();
  DownstreamTlsContext in;
  auto& wanted = *in.mutable_common_tls_context()->add_tls_certificate_sds_secret_configs();
  wanted.set_name("mine");
  EXPECT_NE(server(in), nullptr) << messages();
  EXPECT_EQ(secrets_.certificates().size(), 0u) << "nobody keeps it";
  wanted.set_name("mnie");
  EXPECT_EQ(refusal(in),
            "common_tls_context.tls_certificate_sds_secret_configs[0].name: "
            "static_resources.secrets has no secret 'mnie'");
  EXPECT_EQ(diagnostics_.items()[0].hint, "did you mean 'mine'?");
  wanted.set_name("mine");
  wanted.mutable_sds_config()->mutable_ads();
  EXPECT_EQ(refusal(in),
            "common_tls_context.tls_certificate_sds_secret_configs[0].sds_config: "
            "there is no control plane here");
}

TEST_F(TransportSocketTest, ListsWhatExpires) {
  const auto server_side = server(downstream());
  const auto client_side = client(upstream());
  ASSERT_TRUE(server_side && client_side);
  const std::vector<CertificateEntry> all = secrets_.certificates();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].facts.subject, "CN=server");
  EXPECT_FALSE(all[0].authority);
  EXPECT_TRUE(all[1].authority);
  secrets_.record_expiry(std::time(nullptr) + 7200);
  EXPECT_EQ(stats_.value("server.days_until_first_cert_expiring"), 0u);
  secrets_.record_expiry(std::time(nullptr) - 10 * 86400 + 7200);
  EXPECT_EQ(stats_.value("server.days_until_first_cert_expiring"), 10u);
}

}  // namespace
}  // namespace weir::tls
