#include "proxy/tls/verifier.h"

#include <gtest/gtest.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include <functional>

#include "proxy/tls/testing/certificates.h"

namespace weir::tls {
namespace {

using http::StringMatch;
using net::PeerVerdict;
using testing::Certificate;
using testing::make_root;
using testing::Wanted;

using Chain = std::vector<const Certificate*>;

Verifier::Outcome verify(TrustRules rules, const Chain& chain, std::string_view name = {},
                         bool peer_is_client = true) {
  bssl::UniquePtr<BufferStack> stack(sk_CRYPTO_BUFFER_new_null());
  for (const Certificate* one : chain) {
    const std::string der = one->der();
    bssl::UniquePtr<CRYPTO_BUFFER> buffer(
        CRYPTO_BUFFER_new(reinterpret_cast<const uint8_t*>(der.data()), der.size(), nullptr));
    bssl::PushToStack(stack.get(), std::move(buffer));
  }
  return Verifier(std::move(rules)).verify(*stack, peer_is_client, name);
}

std::unique_ptr<TrustStore> trust(const std::vector<const Certificate*>& authorities) {
  auto store = std::make_unique<TrustStore>();
  for (const Certificate* one : authorities) EXPECT_TRUE(store->add_pem(one->pem()).ok());
  return store;
}

TrustRules trusting(const Certificate& authority) {
  TrustRules rules;
  rules.trusted = trust({&authority});
  return rules;
}

SanMatcher exact(SanType type, const std::string& text) {
  return {type, StringMatch(StringMatch::Kind::kExact, text, false),
          type == SanType::kDns ? text : "", ""};
}

// ---- chains ----

TEST(Verifier, TrustsWhatItsAuthorityIssued) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({});
  EXPECT_EQ(verify(trusting(root), {&leaf}).verdict, PeerVerdict::kValid);
  EXPECT_EQ(verify(trusting(root), {&leaf}, {}, false).verdict, PeerVerdict::kValid);
  const Verifier::Outcome other = verify(trusting(make_root("another")), {&leaf});
  EXPECT_EQ(other.verdict, PeerVerdict::kUntrusted);
  EXPECT_FALSE(other.accepted());
  EXPECT_NE(other.why.find("at depth 0: unable to get local issuer certificate"), std::string::npos)
      << other.why;
}

TEST(Verifier, AsksNothingWithoutRules) {
  const Certificate leaf(Wanted{});
  EXPECT_EQ(verify({}, {&leaf}).verdict, PeerVerdict::kNotChecked);
}

TEST(Verifier, FollowsIntermediatesAndTrustsThemToo) {
  const Certificate root = make_root();
  const Certificate middle = root.issue({.common_name = "middle", .authority = true});
  const Certificate leaf = middle.issue({});
  EXPECT_TRUE(verify(trusting(root), {&leaf, &middle}).accepted());
  EXPECT_FALSE(verify(trusting(root), {&leaf}).accepted());
  EXPECT_TRUE(verify(trusting(middle), {&leaf}).accepted()) << "a partial chain";
}

TEST(Verifier, DepthCountsWhatStandsAboveTheLeaf) {
  const Certificate root = make_root();
  const Certificate middle = root.issue({.common_name = "middle", .authority = true});
  const Certificate leaf = middle.issue({});
  TrustRules rules = trusting(root);
  rules.max_depth = 1;
  EXPECT_FALSE(verify(std::move(rules), {&leaf, &middle}).accepted());
  rules = trusting(root);
  rules.max_depth = 2;
  EXPECT_TRUE(verify(std::move(rules), {&leaf, &middle}).accepted());
}

TEST(Verifier, ALeafIsNoAuthority) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({.common_name = "leaf"});
  const Certificate forged = leaf.issue({.common_name = "forged"});
  EXPECT_FALSE(verify(trusting(root), {&forged, &leaf}).accepted());
}

TEST(Verifier, TimeMatters) {
  const Certificate root = make_root();
  const Certificate old = root.issue({.valid_for_s = -10});
  const Certificate early = root.issue({.valid_from_s = 1000});
  EXPECT_NE(verify(trusting(root), {&old}).why.find("expired"), std::string::npos);
  EXPECT_FALSE(verify(trusting(root), {&early}).accepted());
  TrustRules rules = trusting(root);
  rules.allow_expired = true;
  EXPECT_EQ(verify(std::move(rules), {&old}).verdict, PeerVerdict::kValid);
  rules = trusting(make_root("another"));
  rules.allow_expired = true;
  EXPECT_FALSE(verify(std::move(rules), {&old}).accepted()) << "only time is overlooked";
}

TEST(Verifier, AcceptsUntrustedOnesWhereThatIsWanted) {
  const Certificate leaf(Wanted{});
  TrustRules rules = trusting(make_root());
  rules.accept_untrusted = true;
  const Verifier::Outcome outcome = verify(std::move(rules), {&leaf});
  EXPECT_EQ(outcome.verdict, PeerVerdict::kAccepted);
  EXPECT_TRUE(outcome.accepted());
}

// ---- revocation ----

TEST(Verifier, RevokedOnesAreRefused) {
  const Certificate root = make_root();
  const Certificate good = root.issue({.common_name = "good"});
  const Certificate bad = root.issue({.common_name = "bad"});
  const auto rules = [&] {
    TrustRules out = trusting(root);
    EXPECT_TRUE(out.trusted->add_revocations(root.revoke({&bad})).ok());
    return out;
  };
  EXPECT_TRUE(verify(rules(), {&good}).accepted()) << verify(rules(), {&good}).why;
  EXPECT_NE(verify(rules(), {&bad}).why.find("revoked"), std::string::npos);
}

TEST(Verifier, EachAuthorityOfTheChainNeedsAListUnlessOnlyTheLeafCounts) {
  const Certificate root = make_root();
  const Certificate middle = root.issue({.common_name = "middle", .authority = true});
  const Certificate leaf = middle.issue({});
  for (const bool only_leaf : {false, true}) {
    TrustRules rules = trusting(root);
    EXPECT_TRUE(rules.trusted->add_revocations(middle.revoke({})).ok());
    rules.only_leaf_revocations = only_leaf;
    EXPECT_EQ(verify(std::move(rules), {&leaf, &middle}).accepted(), only_leaf);
  }
}

TEST(TrustStore, RefusesTextWithoutAuthorities) {
  TrustStore store;
  EXPECT_FALSE(store.add_pem("").ok());
  EXPECT_FALSE(store.add_pem("hello").ok());
  EXPECT_FALSE(store.add_revocations("hello").ok());
  EXPECT_FALSE(store.add_revocations(make_root().pem()).ok());
}

// ---- names ----

TEST(Verifier, OneOfTheNamesHasToFit) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({.dns = {"a.example.com", "*.w.example.com"},
                                       .uris = {"spiffe://td/ns/x"},
                                       .ips = {"10.0.0.1"},
                                       .emails = {"a@example.com"}});
  const auto verdict = [&](SanMatcher matcher) {
    TrustRules rules = trusting(root);
    rules.sans.push_back(std::move(matcher));
    return verify(std::move(rules), {&leaf}).verdict;
  };
  EXPECT_EQ(verdict(exact(SanType::kDns, "a.example.com")), PeerVerdict::kValid);
  EXPECT_EQ(verdict(exact(SanType::kDns, "x.w.example.com")), PeerVerdict::kValid);
  EXPECT_EQ(verdict(exact(SanType::kDns, "x.y.w.example.com")), PeerVerdict::kWrongName);
  EXPECT_EQ(verdict(exact(SanType::kUri, "spiffe://td/ns/x")), PeerVerdict::kValid);
  EXPECT_EQ(verdict(exact(SanType::kIp, "10.0.0.1")), PeerVerdict::kValid);
  EXPECT_EQ(verdict(exact(SanType::kEmail, "a@example.com")), PeerVerdict::kValid);
  // The type counts.
  EXPECT_EQ(verdict(exact(SanType::kUri, "a.example.com")), PeerVerdict::kWrongName);
  EXPECT_EQ(verdict(exact(SanType::kDns, "10.0.0.1")), PeerVerdict::kWrongName);
  EXPECT_EQ(verdict({SanType::kUri, StringMatch(StringMatch::Kind::kPrefix, "spiffe://td/", false),
                     "", ""}),
            PeerVerdict::kValid);
  EXPECT_EQ(verdict({SanType::kDns, StringMatch(StringMatch::Kind::kSuffix, ".example.org", false),
                     "", ""}),
            PeerVerdict::kWrongName);
}

TEST(Verifier, OtherNamesByTheirOid) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({.other_name = "somebody"});
  const auto accepted = [&](const std::string& oid, const std::string& text) {
    TrustRules rules = trusting(root);
    rules.sans.emplace_back(SanType::kOtherName,
                            StringMatch(StringMatch::Kind::kExact, text, false), "", oid);
    return verify(std::move(rules), {&leaf}).accepted();
  };
  EXPECT_TRUE(accepted("1.2.3.4.5", "somebody"));
  EXPECT_FALSE(accepted("1.2.3.4.6", "somebody"));
  EXPECT_FALSE(accepted("1.2.3.4.5", "nobody"));
}

TEST(Verifier, ANulByteNeverMatches) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({.dns = {std::string("good.com\0.evil.com", 18)}});
  for (const char* name : {"good.com", "good.com.evil.com"}) {
    TrustRules rules = trusting(root);
    rules.sans.push_back(exact(SanType::kDns, name));
    EXPECT_FALSE(verify(std::move(rules), {&leaf}).accepted());
    EXPECT_FALSE(verify(trusting(root), {&leaf}, name).accepted());
  }
  TrustRules rules = trusting(root);
  rules.sans.emplace_back(SanType::kDns, StringMatch(StringMatch::Kind::kPrefix, "good", false), "",
                          "");
  EXPECT_FALSE(verify(std::move(rules), {&leaf}).accepted());
}

TEST(Verifier, ForTheHostThatWasDialled) {
  const Certificate root = make_root();
  const Certificate leaf =
      root.issue({.common_name = "cn.example.com", .dns = {"*.example.com"}, .ips = {"10.0.0.1"}});
  EXPECT_TRUE(verify(trusting(root), {&leaf}, "Host.Example.com", false).accepted());
  EXPECT_TRUE(verify(trusting(root), {&leaf}, "10.0.0.1", false).accepted());
  EXPECT_FALSE(verify(trusting(root), {&leaf}, "example.com", false).accepted());
  EXPECT_FALSE(verify(trusting(root), {&leaf}, "a.b.example.com", false).accepted());
  const Certificate nameless = root.issue({.common_name = "host"});
  EXPECT_FALSE(verify(trusting(root), {&nameless}, "host", false).accepted())
      << "the common name is nobody's host name";
}

TEST(DnsName, Wildcards) {
  EXPECT_TRUE(dns_name_covers("*.example.com", "a.example.com"));
  EXPECT_TRUE(dns_name_covers("*.EXAMPLE.com", "a.example.COM"));
  EXPECT_FALSE(dns_name_covers("*.example.com", "example.com"));
  EXPECT_FALSE(dns_name_covers("*.example.com", ".example.com"));
  EXPECT_FALSE(dns_name_covers("*.example.com", "a.b.example.com"));
  EXPECT_FALSE(dns_name_covers("*.com", "example.com"));
  EXPECT_FALSE(dns_name_covers("a*.example.com", "ab.example.com"));
  EXPECT_FALSE(dns_name_covers("a.*.com", "a.b.com"));
  EXPECT_FALSE(dns_name_covers("*", "a"));
  EXPECT_FALSE(dns_name_covers("", ""));
}

// ---- hashes ----

Sha256 bytes_of(const std::string& hex) {
  Sha256 out;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

TEST(Verifier, ByHash) {
  const Certificate leaf(Wanted{});
  TrustRules rules;
  rules.certificate_hashes.push_back(bytes_of(leaf.sha256_hex()));
  EXPECT_EQ(verify(std::move(rules), {&leaf}).verdict, PeerVerdict::kValid);
  rules = {};
  rules.certificate_hashes.push_back(bytes_of(Certificate(Wanted{}).sha256_hex()));
  EXPECT_EQ(verify(std::move(rules), {&leaf}).verdict, PeerVerdict::kWrongHash);
  rules = {};
  rules.key_hashes.push_back(Sha256{});
  EXPECT_EQ(verify(std::move(rules), {&leaf}).verdict, PeerVerdict::kWrongHash);
}

// ---- SPIFFE ----

TEST(Verifier, EachTrustDomainHasItsAuthority) {
  const Certificate root_a = make_root("a");
  const Certificate root_b = make_root("b");
  const auto rules = [&] {
    TrustRules out;
    out.trust_domains["a.org"] = trust({&root_a});
    out.trust_domains["b.org"] = trust({&root_b});
    return out;
  };
  const Certificate a = root_a.issue({.uris = {"spiffe://a.org/x"}});
  EXPECT_EQ(verify(rules(), {&a}).verdict, PeerVerdict::kValid) << verify(rules(), {&a}).why;
  const Certificate forged = root_a.issue({.uris = {"spiffe://b.org/x"}});
  EXPECT_FALSE(verify(rules(), {&forged}).accepted());
  const Certificate foreign = root_a.issue({.uris = {"spiffe://c.org/x"}});
  EXPECT_FALSE(verify(rules(), {&foreign}).accepted());
  const Certificate two = root_b.issue({.uris = {"spiffe://b.org/x", "spiffe://a.org/admin"}});
  EXPECT_NE(verify(rules(), {&two}).why.find("more than one URI"), std::string::npos);
  const Certificate none = root_a.issue({.dns = {"a.org"}});
  EXPECT_FALSE(verify(rules(), {&none}).accepted());
  const Certificate signer = root_a.issue({.uris = {"spiffe://a.org/x"}, .authority = true});
  EXPECT_NE(verify(rules(), {&signer}).why.find("may sign others"), std::string::npos);
}

}  // namespace
}  // namespace weir::tls
