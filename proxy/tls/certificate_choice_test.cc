#include "proxy/tls/certificate_choice.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <ctime>

#include "proxy/tls/testing/certificates.h"

namespace weir::tls {
namespace {

using testing::Certificate;
using testing::KeyKind;
using testing::Wanted;

constexpr int64_t kNow = 1'000'000;

Identity identity(const Wanted& wanted) {
  const Certificate one(wanted);
  return make_identity(parse_chain(one.pem(), std::time(nullptr)).take(),
                       parse_key(one.key_pem(), {}).take())
      .take();
}

OcspStaple staple(int64_t next_update_s) {
  return {.der = "x", .next_update_s = next_update_s};
}

constexpr ClientAbilities kModern{.p256 = true, .p384 = true, .p521 = true, .ocsp = true};

std::string chosen(const CertificateChoice& choice, const ClientAbilities& client) {
  const CertificateChoice::Chosen out = choice.choose(client, kNow);
  if (out.identity == nullptr) return "none";
  return out.identity->facts().subject + (out.staple ? " stapled" : "");
}

TEST(CertificateChoice, EcdsaOnlyOnACurveThatTheClientHas) {
  std::vector<Identity> list;
  list.push_back(identity({.common_name = "p384", .key = KeyKind::kP384}));
  list.push_back(identity({.common_name = "rsa", .key = KeyKind::kRsa2048}));
  const CertificateChoice choice(list, OcspPolicy::kLenient, false);
  EXPECT_EQ(chosen(choice, {.p384 = true}), "CN=p384");
  EXPECT_EQ(chosen(choice, {.p256 = true}), "CN=rsa");
  EXPECT_EQ(chosen(choice, {}), "CN=rsa");
}

TEST(CertificateChoice, ScansAllForAStrangersNameOnlyWhereAsked) {
  std::vector<Identity> list;
  list.push_back(identity({.common_name = "rsa", .dns = {"a.org"}, .key = KeyKind::kRsa2048}));
  list.push_back(identity({.common_name = "ecdsa", .dns = {"a.org"}}));
  ClientAbilities stranger = kModern;
  stranger.sni = "b.org";
  EXPECT_EQ(chosen({list, OcspPolicy::kLenient, false}, stranger), "CN=rsa") << "the first";
  EXPECT_EQ(chosen({list, OcspPolicy::kLenient, true}, stranger), "CN=ecdsa") << "the best";
}

TEST(CertificateChoice, LenientStapling) {
  std::vector<Identity> list;
  list.push_back(identity({.common_name = "a"}));
  const CertificateChoice choice(list, OcspPolicy::kLenient, false);
  EXPECT_EQ(chosen(choice, kModern), "CN=a");
  list[0].ocsp = staple(kNow + 1);
  EXPECT_EQ(chosen(choice, kModern), "CN=a stapled");
  EXPECT_EQ(chosen(choice, {.p256 = true}), "CN=a") << "not asked for";
  list[0].ocsp = staple(kNow);
  EXPECT_EQ(chosen(choice, kModern), "CN=a") << "expired";
}

TEST(CertificateChoice, StrictStaplingPassesOverAnExpiredOne) {
  std::vector<Identity> list;
  list.push_back(identity({.common_name = "ecdsa"}));
  list.push_back(identity({.common_name = "rsa", .key = KeyKind::kRsa2048}));
  list[0].ocsp = staple(kNow);
  const CertificateChoice choice(list, OcspPolicy::kStrict, false);
  EXPECT_EQ(chosen(choice, kModern), "CN=rsa");
  EXPECT_EQ(chosen(choice, {.p256 = true}), "CN=ecdsa");
  list[1].ocsp = staple(kNow);
  EXPECT_EQ(chosen(choice, kModern), "none");
}

TEST(CertificateChoice, MustStaple) {
  std::vector<Identity> list;
  list.push_back(identity({.common_name = "a"}));
  list[0].ocsp = staple(kNow + 1);
  const CertificateChoice choice(list, OcspPolicy::kMustStaple, false);
  EXPECT_EQ(chosen(choice, kModern), "CN=a stapled");
  list[0].ocsp = staple(kNow);
  EXPECT_EQ(chosen(choice, kModern), "none");
  // The certificate may demand it by itself.
  std::vector<Identity> own;
  own.push_back(identity({.common_name = "own"}));
  own[0].must_staple = true;
  EXPECT_EQ(chosen({own, OcspPolicy::kLenient, false}, kModern), "none");
}

}  // namespace
}  // namespace weir::tls
