// Servers' and clients' contexts against each other, in memory.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <ctime>
#include <thread>

#include "proxy/tls/client_context.h"
#include "proxy/tls/server_context.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"

namespace weir::tls {
namespace {

using net::PeerVerdict;
using net::TlsSession;
using testing::Certificate;
using testing::handshake;
using testing::KeyKind;
using testing::make_root;
using testing::Met;
using testing::send;
using testing::Wanted;
using Progress = TlsSession::Progress;

Identity identity_of(const Certificate& one, const std::string& above = {}) {
  return make_identity(parse_chain(one.pem() + above, std::time(nullptr)).take(),
                       parse_key(one.key_pem(), {}).take())
      .take();
}

Parameters modern() {
  return {.min_version = TLS1_2_VERSION, .max_version = TLS1_3_VERSION};
}

std::shared_ptr<const Verifier> trusting(const Certificate& root) {
  TrustRules rules;
  rules.trusted = std::make_unique<TrustStore>();
  EXPECT_TRUE(rules.trusted->add_pem(root.pem()).ok());
  return std::make_shared<Verifier>(std::move(rules));
}

class ContextTest : public ::testing::Test {
 protected:
  ServerSettings server_settings() {
    ServerSettings out;
    out.identities.push_back(identity_of(server_));
    out.parameters = modern();
    out.trust_hash = std::string(32, 'a');
    return out;
  }
  ClientSettings client_settings() {
    ClientSettings out;
    out.parameters = modern();
    out.verifier = trusting(root_);
    return out;
  }
  std::shared_ptr<const ServerContext> make(ServerSettings settings) {
    return ServerContext::make(std::move(settings)).take();
  }
  std::shared_ptr<const ClientContext> make(ClientSettings settings) {
    return ClientContext::make(std::move(settings)).take();
  }

  struct Pair {
    std::unique_ptr<TlsSession> server;
    std::unique_ptr<TlsSession> client;
    Met met;
  };
  Pair meet(const ServerContext& server, const ClientContext& client,
            const ClientWanted& wanted = {}) {
    Pair out{server.new_session(), client.new_session(wanted), {}};
    out.met = handshake(*out.server, *out.client);
    return out;
  }

  Certificate root_ = make_root();
  Certificate server_ = root_.issue({.common_name = "server", .dns = {"server.example.com"}});
  Certificate client_ = root_.issue({.common_name = "client", .uris = {"spiffe://td/client"}});
};

TEST_F(ContextTest, BothSidesTalk) {
  const auto server = make(server_settings());
  const auto client = make(client_settings());
  Pair pair = meet(*server, *client, {.sni = "server.example.com"});
  ASSERT_TRUE(pair.met.both_done()) << pair.client->error_details();
  EXPECT_EQ(send(*pair.client, *pair.server, "question"), "question");
  EXPECT_EQ(send(*pair.server, *pair.client, "answer"), "answer");
  EXPECT_TRUE(pair.client->validated());
  EXPECT_FALSE(pair.server->validated()) << "nobody was asked";
  EXPECT_EQ(pair.server->local_certificate()->subject, "CN=server");
  EXPECT_EQ(pair.server->sni(), "server.example.com");
}

TEST_F(ContextTest, SessionsOutliveTheirContexts) {
  auto server = make(server_settings());
  auto client = make(client_settings());
  Pair pair{server->new_session(), client->new_session({}), {}};
  server.reset();
  client.reset();
  EXPECT_TRUE(handshake(*pair.server, *pair.client).both_done());
}

// ---- who is trusted ----

TEST_F(ContextTest, AWrongAuthorityEndsTheHandshake) {
  const auto server = make(server_settings());
  ClientSettings settings = client_settings();
  settings.verifier = trusting(make_root("another"));
  Pair pair = meet(*server, *make(std::move(settings)));
  EXPECT_EQ(pair.met.client, Progress::kFailed);
  EXPECT_EQ(pair.met.server, Progress::kFailed) << "the alert arrives";
  EXPECT_EQ(pair.client->verdict(), PeerVerdict::kUntrusted);
  EXPECT_NE(pair.client->error_details().find("CERTIFICATE_VERIFY_FAILED"), std::string::npos);
  EXPECT_NE(pair.client->error_details().find("unable to get local issuer"), std::string::npos);
  EXPECT_NE(pair.server->error_details().find("TLSV1_ALERT_UNKNOWN_CA"), std::string::npos)
      << pair.server->error_details();
}

TEST_F(ContextTest, TheNameThatWasDialledCounts) {
  const auto server = make(server_settings());
  const auto client = make(client_settings());
  EXPECT_TRUE(meet(*server, *client, {.verify_name = "server.example.com"}).met.both_done());
  Pair pair = meet(*server, *client, {.verify_name = "other.example.com"});
  EXPECT_EQ(pair.met.client, Progress::kFailed);
  EXPECT_EQ(pair.client->verdict(), PeerVerdict::kWrongName);
}

TEST_F(ContextTest, ClientCertificates) {
  ServerSettings settings = server_settings();
  settings.verifier = trusting(root_);
  settings.require_client_certificate = true;
  const auto server = make(std::move(settings));
  ClientSettings with = client_settings();
  with.identity = identity_of(client_);
  Pair pair = meet(*server, *make(std::move(with)));
  ASSERT_TRUE(pair.met.both_done()) << pair.server->error_details();
  EXPECT_TRUE(pair.server->validated());
  EXPECT_EQ(pair.server->peer_certificate()->uri_sans[0], "spiffe://td/client");
  EXPECT_EQ(pair.server->peer_pem(), net::url_encoded_pem(client_.der()));
  EXPECT_EQ(pair.client->local_certificate()->subject, "CN=client");

  Pair without = meet(*server, *make(client_settings()));
  EXPECT_EQ(without.met.server, Progress::kFailed);
  EXPECT_EQ(without.server->verdict(), PeerVerdict::kNoCertificate);

  ClientSettings foreign = client_settings();
  foreign.identity = identity_of(Certificate(Wanted{.common_name = "self"}));
  EXPECT_EQ(meet(*server, *make(std::move(foreign))).met.server, Progress::kFailed);
}

TEST_F(ContextTest, OptionalClientCertificates) {
  ServerSettings settings = server_settings();
  settings.verifier = trusting(root_);
  const auto server = make(std::move(settings));
  Pair without = meet(*server, *make(client_settings()));
  EXPECT_TRUE(without.met.both_done());
  EXPECT_FALSE(without.server->peer_has_certificate());
  EXPECT_FALSE(without.server->validated());
  ClientSettings foreign = client_settings();
  foreign.identity = identity_of(Certificate(Wanted{.common_name = "self"}));
  EXPECT_EQ(meet(*server, *make(std::move(foreign))).met.server, Progress::kFailed)
      << "one that is shown has to be good";
}

// ---- what is agreed on ----

TEST_F(ContextTest, TheServerChoosesTheProtocol) {
  ServerSettings settings = server_settings();
  settings.parameters.alpn = {"h2", "http/1.1"};
  const auto server = make(std::move(settings));
  const auto client = make(client_settings());
  const std::vector<std::string> both = {"http/1.1", "h2"};
  const std::vector<std::string> old = {"http/1.1"};
  const std::vector<std::string> strange = {"spdy/1"};
  EXPECT_EQ(meet(*server, *client, {.alpn = both}).server->alpn(), "h2");
  EXPECT_EQ(meet(*server, *client, {.alpn = old}).client->alpn(), "http/1.1");
  Pair none = meet(*server, *client, {.alpn = strange});
  EXPECT_TRUE(none.met.both_done());
  EXPECT_EQ(none.server->alpn(), "");
}

TEST_F(ContextTest, VersionsMeetOrNot) {
  ServerSettings settings = server_settings();
  settings.parameters.max_version = TLS1_2_VERSION;
  const auto server = make(std::move(settings));
  EXPECT_EQ(meet(*server, *make(client_settings())).server->version(), "TLSv1.2");
  ClientSettings newer = client_settings();
  newer.parameters.min_version = TLS1_3_VERSION;
  Pair pair = meet(*server, *make(std::move(newer)));
  EXPECT_EQ(pair.met.server, Progress::kFailed);
  EXPECT_NE(pair.server->error_details().find("PROTOCOL"), std::string::npos)
      << pair.server->error_details();
}

TEST_F(ContextTest, CiphersAndCurves) {
  ServerSettings settings = server_settings();
  settings.parameters.max_version = TLS1_2_VERSION;
  settings.parameters.ciphers = {"ECDHE-ECDSA-AES256-GCM-SHA384"};
  settings.parameters.curves = {"P-384"};
  const auto server = make(std::move(settings));
  ClientSettings wide = client_settings();
  wide.parameters.curves = {"X25519", "P-256", "P-384"};
  Pair pair = meet(*server, *make(std::move(wide)));
  ASSERT_TRUE(pair.met.both_done()) << pair.server->error_details();
  EXPECT_EQ(pair.server->cipher(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(meet(*server, *make(client_settings())).met.server, Progress::kFailed)
      << "no curve in common";
}

TEST(Parameters, NamesWhatIsUnknown) {
  EXPECT_TRUE(check_cipher("ECDHE-RSA-AES128-GCM-SHA256").ok());
  EXPECT_TRUE(check_cipher("[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]").ok());
  EXPECT_TRUE(check_cipher("!RC4-MD5-X").ok() == false);
  EXPECT_FALSE(check_cipher("ECDHE-RSA-AES128-GCM-SHA255").ok());
  EXPECT_FALSE(check_cipher("").ok());
  EXPECT_TRUE(check_curve("P-521").ok());
  EXPECT_FALSE(check_curve("P-257").ok());
  EXPECT_TRUE(check_signature_algorithm("rsa_pss_rsae_sha256").ok());
  EXPECT_NE(check_signature_algorithm("rsa").error().message.find("ecdsa_secp256r1_sha256"),
            std::string::npos);
  EXPECT_FALSE(check_alpn({""}).ok());
}

// Workers share a context, and a session may outlive it on any of them.
TEST_F(ContextTest, ThreadsShareAContext) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20;
  auto server = make(server_settings());
  auto client = make(client_settings());
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&good, server, client] {
      const auto cache = client->new_cache();
      for (int round = 0; round < kRounds; ++round) {
        const auto a = server->new_session();
        const auto b = client->new_session({.cache = cache});
        if (handshake(*a, *b).both_done() && send(*a, *b, "hello") == "hello") ++good;
      }
    });
  server.reset();
  client.reset();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * kRounds);
}

// ---- OCSP ----

TEST_F(ContextTest, WhatComesOfAWishForAStaple) {
  const auto client = make(client_settings());
  const auto outcome = [&](ServerSettings settings, bool asks) {
    const auto server = make(std::move(settings));
    const auto a = server->new_session();
    const auto b = client->new_session({});
    if (asks) SSL_enable_ocsp_stapling(b->ssl());
    const bool met = handshake(*a, *b).both_done();
    EXPECT_EQ(met, a->ocsp() != net::OcspOutcome::kRefused) << a->error_details();
    return a->ocsp();
  };
  EXPECT_EQ(outcome(server_settings(), false), net::OcspOutcome::kNotAsked);
  EXPECT_EQ(outcome(server_settings(), true), net::OcspOutcome::kOmitted);
  const auto stapled = [this](int64_t until_s, OcspPolicy policy) {
    ServerSettings out = server_settings();
    out.identities[0].ocsp = {.der = "a response", .next_update_s = until_s};
    out.ocsp_policy = policy;
    return out;
  };
  const int64_t later_s = std::time(nullptr) + 1000;
  EXPECT_EQ(outcome(stapled(later_s, OcspPolicy::kStrict), true), net::OcspOutcome::kStapled);
  EXPECT_EQ(outcome(stapled(later_s, OcspPolicy::kStrict), false), net::OcspOutcome::kNotAsked);
  EXPECT_EQ(outcome(stapled(1, OcspPolicy::kStrict), true), net::OcspOutcome::kRefused);
  EXPECT_EQ(outcome(stapled(1, OcspPolicy::kLenient), true), net::OcspOutcome::kOmitted);
}

// ---- several certificates ----

TEST_F(ContextTest, EcdsaForThoseWhoCan) {
  const Certificate rsa =
      root_.issue({.common_name = "rsa", .dns = {"*.example.com"}, .key = KeyKind::kRsa2048});
  ServerSettings settings = server_settings();
  settings.identities.insert(settings.identities.begin(), identity_of(rsa));
  const auto server = make(std::move(settings));
  EXPECT_EQ(meet(*server, *make(client_settings()), {.sni = "server.example.com"})
                .server->local_certificate()
                ->subject,
            "CN=server");
  ClientSettings plain = client_settings();
  plain.parameters.signature_algorithms = {"rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"};
  Pair pair = meet(*server, *make(std::move(plain)));
  ASSERT_TRUE(pair.met.both_done()) << pair.server->error_details();
  EXPECT_EQ(pair.server->local_certificate()->subject, "CN=rsa");
  EXPECT_EQ(pair.client->peer_certificate()->subject, "CN=rsa");
}

TEST_F(ContextTest, ByTheNameOfTheHello) {
  const Certificate exact = root_.issue({.common_name = "exact", .dns = {"a.example.org"}});
  const Certificate wild = root_.issue({.common_name = "wild", .dns = {"*.example.org"}});
  ServerSettings settings = server_settings();
  settings.identities.push_back(identity_of(wild));
  settings.identities.push_back(identity_of(exact));
  const auto server = make(std::move(settings));
  const auto client = make(client_settings());
  const auto shown = [&](const char* sni) {
    return meet(*server, *client, {.sni = sni}).client->peer_certificate()->subject;
  };
  EXPECT_EQ(shown("A.example.org"), "CN=exact");
  EXPECT_EQ(shown("b.example.org"), "CN=wild");
  EXPECT_EQ(shown("a.b.example.org"), "CN=server") << "the first one for strangers";
  EXPECT_EQ(shown(""), "CN=server");
}

// ---- resumption ----

TEST_F(ContextTest, SessionsAreResumed) {
  for (const uint16_t version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto server = make(server_settings());
    ClientSettings settings = client_settings();
    settings.parameters.max_version = version;
    const auto client = make(std::move(settings));
    const auto cache = client->new_cache();
    Pair first = meet(*server, *client, {.cache = cache});
    ASSERT_TRUE(first.met.both_done());
    EXPECT_FALSE(first.client->session_reused());
    EXPECT_EQ(send(*first.server, *first.client, "tickets come along"), "tickets come along");
    ASSERT_EQ(cache->size(), 1u);
    Pair second = meet(*server, *client, {.cache = cache});
    ASSERT_TRUE(second.met.both_done());
    EXPECT_TRUE(second.server->session_reused()) << version;
    EXPECT_TRUE(second.client->validated());
    // For another name nothing is resumed.
    EXPECT_EQ(send(*second.server, *second.client, "again"), "again");
    Pair other = meet(*server, *client, {.verify_name = "server.example.com", .cache = cache});
    EXPECT_FALSE(other.client->session_reused());
  }
}

TEST_F(ContextTest, ATicketIsWorthNothingWhereTrustDiffers) {
  const std::string bytes(80, 'k');
  const auto with_key = [&](char trust) {
    ServerSettings settings = server_settings();
    settings.ticket_keys = TicketKeys({TicketKey::parse(bytes).take()});
    settings.trust_hash = std::string(32, trust);
    return make(std::move(settings));
  };
  const auto client = make(client_settings());
  for (const char trust : {'a', 'b'}) {
    const auto cache = client->new_cache();
    Pair first = meet(*with_key('a'), *client, {.cache = cache});
    send(*first.server, *first.client, "x");
    ASSERT_EQ(cache->size(), 1u);
    Pair second = meet(*with_key(trust), *client, {.cache = cache});
    ASSERT_TRUE(second.met.both_done());
    EXPECT_EQ(second.server->session_reused(), trust == 'a');
  }
}

TEST_F(ContextTest, TicketKeysRotate) {
  const auto key = [](char c) { return TicketKey::parse(std::string(80, c)).take(); };
  const auto server_with = [&](std::vector<TicketKey> keys) {
    ServerSettings settings = server_settings();
    settings.ticket_keys = TicketKeys(std::move(keys));
    return make(std::move(settings));
  };
  const auto client = make(client_settings());
  const auto cache = client->new_cache();
  const auto reused = [&](const ServerContext& server) {
    Pair pair = meet(server, *client, {.cache = cache});
    EXPECT_TRUE(pair.met.both_done());
    send(*pair.server, *pair.client, "x");
    return pair.server->session_reused();
  };
  EXPECT_FALSE(reused(*server_with({key('1')})));
  EXPECT_TRUE(reused(*server_with({key('2'), key('1')}))) << "the old one still opens";
  EXPECT_TRUE(reused(*server_with({key('3'), key('2')}))) << "and was sealed anew";
  EXPECT_FALSE(reused(*server_with({key('4')})));
  EXPECT_FALSE(TicketKey::parse("short").ok());
}

TEST_F(ContextTest, ResumptionCanBeOff) {
  ServerSettings settings = server_settings();
  settings.tickets = false;
  settings.session_cache = false;
  const auto server = make(std::move(settings));
  for (const uint16_t version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ClientSettings client_side = client_settings();
    client_side.parameters.max_version = version;
    const auto client = make(std::move(client_side));
    const auto cache = client->new_cache();
    for (int i = 0; i < 2; ++i) {
      Pair pair = meet(*server, *client, {.cache = cache});
      ASSERT_TRUE(pair.met.both_done());
      EXPECT_EQ(send(*pair.server, *pair.client, "x"), "x");
      EXPECT_FALSE(pair.server->session_reused());
    }
  }
}

TEST_F(ContextTest, NobodyWhoWasLetInWithoutTrustIsResumed) {
  TrustRules rules;
  rules.trusted = std::make_unique<TrustStore>();
  ASSERT_TRUE(rules.trusted->add_pem(root_.pem()).ok());
  rules.accept_untrusted = true;
  ServerSettings settings = server_settings();
  settings.verifier = std::make_shared<Verifier>(std::move(rules));
  const auto server = make(std::move(settings));
  ClientSettings foreign = client_settings();
  foreign.identity = identity_of(Certificate(Wanted{.common_name = "self"}));
  const auto client = make(std::move(foreign));
  const auto cache = client->new_cache();
  for (int i = 0; i < 2; ++i) {
    Pair pair = meet(*server, *client, {.cache = cache});
    ASSERT_TRUE(pair.met.both_done());
    EXPECT_EQ(send(*pair.server, *pair.client, "x"), "x");
    EXPECT_EQ(pair.server->verdict(), PeerVerdict::kAccepted);
    EXPECT_FALSE(pair.server->validated());
    EXPECT_FALSE(pair.server->session_reused());
  }
}

}  // namespace
}  // namespace weir::tls
