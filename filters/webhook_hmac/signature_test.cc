#include "filters/webhook_hmac/signature.h"

#include <gtest/gtest.h>
#include <openssl/hmac.h>

#include <memory>
#include <string>
#include <vector>

#include "filters/webhook_hmac/secret.h"

namespace weir::webhook {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

// A request's headers, in memory of their own.
struct Head {
  explicit Head(const Lines& lines) : headers(arena) {
    for (const auto& [name, value] : lines) headers.add(arena.copy(name), arena.copy(value));
  }
  Arena arena;
  http::HeaderMap headers;
};

Mac reference(std::string_view secret, std::string_view text) {
  Mac mac;
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), secret.size(), reinterpret_cast<const uint8_t*>(text.data()),
       text.size(), mac.data(), &size);
  return mac;
}

std::string text_of(const Mac& mac, Encoding encoding) {
  return encode(encoding, {reinterpret_cast<const char*>(mac.data()), mac.size()});
}

// What read_claims and the verifier say of a request, with the body in pieces of `piece` bytes.
Cause judge(const Scheme& scheme, const std::vector<std::string>& secrets, const Lines& lines,
            std::string_view body, size_t piece = 1) {
  Head head(lines);
  Claims claims;
  if (const Cause cause = read_claims(scheme, head.headers, claims); cause != Cause::kNone)
    return cause;
  std::vector<HmacKey> keys(secrets.begin(), secrets.end());
  Verifier verifier(scheme, keys, claims);
  for (size_t at = 0; at < body.size(); at += piece) verifier.body(body.substr(at, piece));
  return verifier.finish() >= 0 ? Cause::kNone : Cause::kMismatch;
}

TEST(HmacSha256, AgreesWithTheLibraryForEveryKeyLength) {
  for (size_t size = 0; size < 200; ++size) {
    const std::string secret(size, 'k');
    const std::string text(3 * size, 't');
    const HmacKey key(secret);
    HmacSha256 running(key);
    running.update(std::string_view(text).substr(0, size));
    running.update(std::string_view(text).substr(size));
    EXPECT_EQ(running.finish(), reference(secret, text)) << size;
  }
}

// From the sender's own documentation.
TEST(Signature, MatchesGithubsPublishedExample) {
  const Scheme scheme = *preset("github");
  const std::string secret = "It's a Secret to Everybody";
  const std::string good = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const std::string body = "Hello, World!";
  EXPECT_EQ(judge(scheme, {secret}, {{"x-hub-signature-256", "sha256=" + good}}, body),
            Cause::kNone);
  EXPECT_EQ(judge(scheme, {secret}, {{"x-hub-signature-256", "sha256=" + good}}, body + "\n"),
            Cause::kMismatch);
}

TEST(Signature, MatchesSlacksPublishedExample) {
  const std::string body =
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
      "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
      "&command=%2Fwebhook-collect&text="
      "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
      "%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
      "803a0bc887a14d10d2c447fce8b6703c";
  const Lines lines = {
      {"x-slack-request-timestamp", "1531420618"},
      {"x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}};
  EXPECT_EQ(judge(*preset("slack"), {"8f742231b10e8888abcd99yyyzzz85a5"}, lines, body),
            Cause::kNone);
}

TEST(Signature, MatchesStandardWebhooksPublishedExample) {
  const auto key = secret_key(SecretForm::kWhsec, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  ASSERT_TRUE(key.ok());
  const Lines lines = {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                       {"webhook-timestamp", "1614265330"},
                       {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}};
  EXPECT_EQ(judge(*preset("standard_webhooks"), {*key}, lines, R"({"test": 2432232314})"),
            Cause::kNone);
}

TEST(Signature, AcceptsAnyOfSeveralSignaturesAndSecrets) {
  const Scheme scheme = *preset("stripe");
  const std::string now = text_of(reference("new secret 0123456", "12.body"), Encoding::kHex);
  const std::string old = text_of(reference("old secret 0123456", "12.body"), Encoding::kHex);
  const std::string other(64, 'a');
  const std::vector<std::string> both = {"new secret 0123456", "old secret 0123456"};
  const auto with = [&](const std::string& value) {
    return judge(scheme, both, {{"stripe-signature", value}}, "body");
  };
  EXPECT_EQ(with("t=12,v1=" + now), Cause::kNone);
  EXPECT_EQ(with("t=12,v1=" + old), Cause::kNone);
  EXPECT_EQ(with("t=12,v1=" + other + ",v1=" + old + ",v0=zz"), Cause::kNone);
  EXPECT_EQ(with("t=12, v1=" + other), Cause::kMismatch);
  EXPECT_EQ(with("t=13,v1=" + now), Cause::kMismatch);
  EXPECT_EQ(with("t=12,v0=" + now), Cause::kMalformedSignature);
  EXPECT_EQ(with("v1=" + now), Cause::kMissingTimestamp);
  EXPECT_EQ(with("t=,v1=" + now), Cause::kMalformedTimestamp);
  EXPECT_EQ(with("t=12,t=13,v1=" + now), Cause::kMalformedSignature);
  EXPECT_EQ(with("t=,t=12,v1=" + now), Cause::kMalformedSignature);
}

TEST(Signature, DigestsWhatIsSignedWhoeverSignedIt) {
  const Scheme scheme = *preset("slack");
  const std::string text = "v0:12:body";
  Digest expected;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), expected.data());
  for (const char* secret : {"new secret 0123456", "old secret 0123456"}) {
    const HmacKey key(secret);
    Claims claims;
    claims.timestamp = "12";
    Verifier verifier(scheme, {&key, 1}, claims, /*digests=*/true);
    verifier.body("bo");
    verifier.body("dy");
    verifier.finish();
    EXPECT_EQ(verifier.digest(), expected);
  }
}

TEST(Signature, RefusesEverySingleBitError) {
  const Scheme scheme = *preset("github");
  const Mac good = reference("0123456789abcdef", "body");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Mac bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ 1u << bit % 8);
    const Lines lines = {{"x-hub-signature-256", "sha256=" + text_of(bad, Encoding::kHex)}};
    EXPECT_EQ(judge(scheme, {"0123456789abcdef"}, lines, "body"), Cause::kMismatch) << bit;
  }
}

TEST(Signature, NamesTheCauseOfAMalformedHeader) {
  const Scheme scheme = *preset("github");
  const std::string hex = text_of(reference("0123456789abcdef", "body"), Encoding::kHex);
  const auto with = [&](const Lines& lines) {
    return judge(scheme, {"0123456789abcdef"}, lines, "body");
  };
  EXPECT_EQ(with({{"x-hub-signature-256", "sha256=" + hex}}), Cause::kNone);
  EXPECT_EQ(with({}), Cause::kMissingSignature);
  EXPECT_EQ(with({{"x-hub-signature", "sha256=" + hex}}), Cause::kMissingSignature);
  for (const std::string& value : std::vector<std::string>{
           "", "sha256=", hex, "sha1=" + hex, "sha256=" + hex + "00", "sha256=" + hex.substr(2),
           "sha256=f", "sha256=" + hex.substr(1) + "g", "sha256=" + hex + ",sha256=" + hex,
           "sha256=" + std::string(100'000, 'a')})
    EXPECT_EQ(with({{"x-hub-signature-256", value}}), Cause::kMalformedSignature) << value;
  EXPECT_EQ(with({{"x-hub-signature-256", "sha256=" + hex}, {"x-hub-signature-256", "x"}}),
            Cause::kMalformedSignature);
}

TEST(Signature, BoundsTheNumberOfSignatures) {
  const Scheme scheme = *preset("standard_webhooks");
  const Mac mac = reference("0123456789abcdef", "a.1.b");
  const std::string good = "v1," + text_of(mac, Encoding::kBase64);
  const std::string wrong = "v1," + text_of(Mac{}, Encoding::kBase64) + " ";
  const auto with = [&](const std::string& value) {
    const Lines lines = {
        {"webhook-id", "a"}, {"webhook-timestamp", "1"}, {"webhook-signature", value}};
    return judge(scheme, {"0123456789abcdef"}, lines, "b");
  };
  std::string many;
  for (size_t i = 0; i + 1 < kMaxSignatures; ++i) many += wrong;
  EXPECT_EQ(with(many + good), Cause::kNone);
  EXPECT_EQ(with(many + "v1a,abcd v2,x  " + good), Cause::kNone);
  EXPECT_EQ(with(good + " " + many + wrong + wrong), Cause::kNone);
  EXPECT_EQ(with(many + wrong + good), Cause::kMismatch);
  EXPECT_EQ(with(good + std::string(kMaxSignatureHeaderBytes, ' ')), Cause::kMalformedSignature);
}

// What is signed is joined text: no field may hold a piece of its neighbour.
TEST(Signature, FieldsCannotShift) {
  const Scheme scheme = *preset("standard_webhooks");
  const std::string signature =
      "v1," + text_of(reference("0123456789abcdef", "a.1.2.x"), Encoding::kBase64);
  const auto with = [&](const std::string& id, const std::string& time, const std::string& body) {
    const Lines lines = {
        {"webhook-id", id}, {"webhook-timestamp", time}, {"webhook-signature", signature}};
    return judge(scheme, {"0123456789abcdef"}, lines, body);
  };
  EXPECT_EQ(with("a", "1", "2.x"), Cause::kNone);
  EXPECT_EQ(with("a.1", "2", "x"), Cause::kMalformedId);
  EXPECT_EQ(with("a", "1.2", "x"), Cause::kMalformedTimestamp);
  EXPECT_EQ(with("", "1", "2.x"), Cause::kMalformedId);
  EXPECT_EQ(with("a\xff", "1", "2.x"), Cause::kMalformedId);
  EXPECT_EQ(with(std::string(kMaxIdBytes + 1, 'i'), "1", "2.x"), Cause::kMalformedId);
  for (const char* time : {"+1", "-1", " 1", "1 ", "0x1", "1e3", "1.0", "", "9999999999999"})
    EXPECT_EQ(with("a", time, "2.x"), Cause::kMalformedTimestamp) << time;
}

TEST(Signature, NamesAMissingTimestampOrId) {
  const std::string signature = "v1," + text_of(Mac{}, Encoding::kBase64);
  const Scheme scheme = *preset("standard_webhooks");
  EXPECT_EQ(judge(scheme, {}, {{"webhook-signature", signature}}, ""), Cause::kMissingTimestamp);
  EXPECT_EQ(judge(scheme, {}, {{"webhook-signature", signature}, {"webhook-timestamp", "1"}}, ""),
            Cause::kMissingId);
  EXPECT_EQ(judge(scheme, {},
                  {{"webhook-signature", signature},
                   {"webhook-timestamp", "1"},
                   {"webhook-timestamp", "1"},
                   {"webhook-id", "a"}},
                  ""),
            Cause::kMalformedTimestamp);
}

TEST(Signature, ToleratesTimestampsBothWays) {
  Claims claims;
  claims.timestamp_s = 1'000'000;
  EXPECT_EQ(check_timestamp(claims, 1'000'300, 300), Cause::kNone);
  EXPECT_EQ(check_timestamp(claims, 1'000'301, 300), Cause::kTimestampTooOld);
  EXPECT_EQ(check_timestamp(claims, 999'700, 300), Cause::kNone);
  EXPECT_EQ(check_timestamp(claims, 999'699, 300), Cause::kTimestampInFuture);
}

TEST(Signature, VerifiesACustomScheme) {
  Scheme scheme{.name = "custom",
                .signature_header = "x-sig",
                .prefix = "hmac ",
                .layout = Layout::kList,
                .encoding = Encoding::kBase64Url,
                .timestamp_header = "x-time",
                .id_header = "x-id",
                .content = *parse_content("{{{id}}}\n{body}|{timestamp}")};
  ASSERT_TRUE(check(scheme).ok());
  const Mac mac = reference("0123456789abcdef", "{ev}\nbody|77");
  const Lines lines = {{"x-sig", "hmac AAAA, hmac " + text_of(mac, Encoding::kBase64Url)},
                       {"x-time", "77"},
                       {"x-id", "ev"}};
  EXPECT_EQ(judge(scheme, {"0123456789abcdef"}, lines, "body"), Cause::kNone);
  EXPECT_EQ(judge(scheme, {"0123456789abcdef"}, lines, "Body"), Cause::kMismatch);
}

TEST(Scheme, RefusesContentThatCannotBeMeant) {
  for (const char* text : {"", "{timestamp}", "{body}{body}", "{Body}", "{body", "body}", "{}",
                           "{id}{id}{body}", "{timestamp}{body}{timestamp}"})
    EXPECT_FALSE(parse_content(text).ok()) << text;
  EXPECT_EQ(parse_content("v0:{timestamp}:{body}")->size(), 4u);
}

TEST(Scheme, RefusesFieldsThatAreNotSigned) {
  Scheme scheme{.name = "custom",
                .signature_header = "x",
                .prefix = {},
                .timestamp_header = {},
                .id_header = {},
                .content = *parse_content("{timestamp}.{body}")};
  EXPECT_FALSE(check(scheme).ok());
  scheme.timestamp_header = "x-time";
  EXPECT_TRUE(check(scheme).ok());
  scheme.id_header = "x-id";
  EXPECT_FALSE(check(scheme).ok());
  scheme.content = *parse_content("{id}{body}");
  EXPECT_FALSE(check(scheme).ok());
  scheme.timestamp_header.clear();
  EXPECT_TRUE(check(scheme).ok());
}

TEST(TextEncoding, IsStrict) {
  EXPECT_EQ(decode(Encoding::kHex, "00fF"), std::string("\0\xff", 2));
  EXPECT_FALSE(decode(Encoding::kHex, "0").has_value());
  EXPECT_FALSE(decode(Encoding::kHex, "0 ").has_value());
  EXPECT_EQ(decode(Encoding::kBase64, "+/8="), "\xfb\xff");
  for (const char* text : {"+/8", "-_8=", "+/8=\n", "+ 8="})
    EXPECT_FALSE(decode(Encoding::kBase64, text).has_value()) << text;
  EXPECT_EQ(decode(Encoding::kBase64Url, "-_8"), "\xfb\xff");
  EXPECT_EQ(decode(Encoding::kBase64Url, "-_8="), "\xfb\xff");
  EXPECT_FALSE(decode(Encoding::kBase64Url, "+/8=").has_value());
  EXPECT_EQ(encode(Encoding::kBase64Url, "\xfb\xff"), "-_8");
  EXPECT_EQ(encode(Encoding::kBase64, "\xfb\xff"), "+/8=");
}

TEST(Secret, ReadsEachForm) {
  EXPECT_EQ(*secret_key(SecretForm::kRaw, "0123456789abcdef\r\n"), "0123456789abcdef");
  EXPECT_EQ(*secret_key(SecretForm::kHex, "30313233343536373839616263646566"), "0123456789abcdef");
  EXPECT_EQ(*secret_key(SecretForm::kBase64, "MDEyMzQ1Njc4OWFiY2RlZg=="), "0123456789abcdef");
  EXPECT_EQ(*secret_key(SecretForm::kWhsec, "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="), "0123456789abcdef");
}

TEST(Secret, RefusesWhatIsNoSecret) {
  EXPECT_FALSE(secret_key(SecretForm::kRaw, "").ok());
  EXPECT_FALSE(secret_key(SecretForm::kRaw, "\n").ok());
  EXPECT_FALSE(secret_key(SecretForm::kRaw, "0123456789abcde").ok());
  EXPECT_FALSE(secret_key(SecretForm::kHex, "0123456789abcdef").ok());
  EXPECT_FALSE(secret_key(SecretForm::kWhsec, "whsec_no base64 here").ok());
  const auto bad = secret_key(SecretForm::kBase64, "hush-this-is-secret");
  EXPECT_EQ(bad.error().message.find("hush"), std::string::npos);
  EXPECT_FALSE(read_secret_file("/nonexistent/secret").ok());
  EXPECT_FALSE(read_secret_file("/").ok());
  EXPECT_FALSE(read_secret_file("/dev/zero").ok());
  EXPECT_FALSE(read_secret_variable("WEIR_NO_SUCH_VARIABLE").ok());
}

}  // namespace
}  // namespace weir::webhook
