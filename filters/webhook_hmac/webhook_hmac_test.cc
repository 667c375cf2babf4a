#include "filters/webhook_hmac/webhook_hmac.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "filters/testing/filter_driver.h"
#include "filters/webhook_hmac/hmac_sha256.h"
#include "filters/webhook_hmac/text_encoding.h"

namespace weir::webhook {
namespace {

using filters::FakeRequest;
using filters::FakeResponse;
using filters::FilterDriver;
using filters::HeaderLines;
using filters::Outcome;
using filters::value_of;

const http::FilterType kType = webhook_hmac();
const std::string kSecret = "0123456789abcdef0123456789abcdef";
const std::string kInline =
    "secrets: [{data: {inline_string: " + kSecret + "}}]\nallow_inline_secret_for_test: true\n";

std::string sign(std::string_view text, Encoding encoding = Encoding::kHex,
                 const std::string& secret = kSecret) {
  const HmacKey key(secret);
  HmacSha256 running(key);
  running.update(text);
  const Mac mac = running.finish();
  return encode(encoding, {reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

FakeRequest github(const std::vector<std::string>& body) {
  return {.headers = {{"x-hub-signature-256", "sha256=" + sign(joined(body))}}, .body = body};
}

FakeRequest standard(const std::string& id, int64_t time_s, const std::string& body) {
  const std::string time = std::to_string(time_s);
  const std::string signature = sign(id + "." + time + "." + body, Encoding::kBase64);
  return {.headers = {{"webhook-id", id},
                      {"webhook-timestamp", time},
                      {"webhook-signature", "v1," + signature}},
          .body = {body}};
}

constexpr const char* kStandard = R"(
preset: standard_webhooks
secrets: [{data: {inline_string: 0123456789abcdef0123456789abcdef}, form: RAW}]
allow_inline_secret_for_test: true
)";

TEST(WebhookHmac, HoldsEverythingUntilTheSignatureMatches) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\n" + kInline)) << driver.errors();
  const Outcome good = driver.run(github({"{\"a\":", "1}", ""}));
  EXPECT_TRUE(good.head_passed);
  EXPECT_TRUE(good.request_ended);
  EXPECT_EQ(good.request_body, "{\"a\":1}");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(driver.counter("http.test.webhook_hmac.verified"), 1u);

  FakeRequest forged = github({"{\"a\":", "1}"});
  forged.body[1] = "2}";
  const Outcome bad = driver.run(forged);
  EXPECT_FALSE(bad.head_passed);
  EXPECT_EQ(bad.request_body, "");
  EXPECT_EQ(bad.status, 401);
  EXPECT_EQ(bad.details, "webhook_hmac_mismatch");
  EXPECT_EQ(value_of(bad.response_headers, "www-authenticate"),
            "HMAC-SHA256 header=\"x-hub-signature-256\"");
  EXPECT_EQ(driver.counter("http.test.webhook_hmac.mismatch"), 1u);
}

TEST(WebhookHmac, VerifiesEmptyBodiesAndBodiesWithTrailers) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\n" + kInline)) << driver.errors();
  EXPECT_EQ(driver.run(github({})).status, 200);
  FakeRequest request = github({"abc"});
  request.trailers = HeaderLines{{"x-checksum", "1"}};
  const Outcome good = driver.run(request);
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.request_body, "abc");
  EXPECT_EQ(good.request_trailers.size(), 1u);
  request.body = {"abd"};
  const Outcome bad = driver.run(request);
  EXPECT_EQ(bad.details, "webhook_hmac_mismatch");
  EXPECT_FALSE(bad.head_passed);
}

TEST(WebhookHmac, GivesEachCauseItsAnswerAndCounter) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kStandard)) << driver.errors();
  const int64_t now = driver.now_s();
  const auto refused = [&](FakeRequest request, const char* without, const char* replaced) {
    std::erase_if(request.headers, [&](const auto& line) { return line.first == without; });
    if (replaced != nullptr) request.headers.emplace_back(without, replaced);
    return driver.run(request);
  };
  const struct {
    const char* header;
    const char* value;
    int status;
    std::string cause;
  } cases[] = {
      {"webhook-signature", nullptr, 401, "missing_signature"},
      {"webhook-signature", "v2,abc", 400, "malformed_signature"},
      {"webhook-timestamp", nullptr, 401, "missing_timestamp"},
      {"webhook-timestamp", "soon", 400, "malformed_timestamp"},
      {"webhook-timestamp", "12", 401, "timestamp_too_old"},
      {"webhook-timestamp", "99999999999", 401, "timestamp_in_future"},
      {"webhook-id", nullptr, 401, "missing_id"},
      {"webhook-id", "a.b", 400, "malformed_id"},
      {"webhook-id", "other", 401, "mismatch"},
  };
  for (const auto& c : cases) {
    const Outcome out = refused(standard("msg_1", now, "hello"), c.header, c.value);
    EXPECT_EQ(out.status, c.status) << c.cause;
    EXPECT_EQ(out.details, "webhook_hmac_" + c.cause);
    EXPECT_FALSE(out.head_passed) << c.cause;
    EXPECT_EQ(driver.counter("http.test.webhook_hmac." + c.cause), 1u);
  }
  EXPECT_EQ(driver.run(standard("msg_1", now, "hello")).status, 200);
}

TEST(WebhookHmac, ToleratesOldAndFutureTimestampsAlike) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kStandard) + "timestamp_tolerance: 60s"));
  const int64_t now = driver.now_s();
  EXPECT_EQ(driver.run(standard("a", now - 50, "x")).status, 200);
  EXPECT_EQ(driver.run(standard("b", now + 50, "x")).status, 200);
  EXPECT_EQ(driver.run(standard("c", now - 70, "x")).details, "webhook_hmac_timestamp_too_old");
  EXPECT_EQ(driver.run(standard("d", now + 70, "x")).details, "webhook_hmac_timestamp_in_future");
}

TEST(WebhookHmac, RefusesAReplayedEvent) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kStandard));
  const int64_t now = driver.now_s();
  EXPECT_EQ(driver.run(standard("a", now, "x")).status, 200);
  const Outcome again = driver.run(standard("a", now, "x"));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.details, "webhook_hmac_replayed");
  EXPECT_FALSE(again.head_passed);
  EXPECT_EQ(driver.run(standard("a", now + 1, "x")).status, 409);
  EXPECT_EQ(driver.run(standard("b", now, "x")).status, 200);
}

// A forged request must not make the genuine one look like a replay.
TEST(WebhookHmac, RemembersOnlyWhatWasSignedRight) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kStandard));
  const int64_t now = driver.now_s();
  FakeRequest forged = standard("a", now, "x");
  forged.body = {"y"};
  EXPECT_EQ(driver.run(forged).details, "webhook_hmac_mismatch");
  EXPECT_EQ(driver.run(standard("a", now, "x")).status, 200);
}

TEST(WebhookHmac, LetsASenderRetryWhatTheUpstreamDidNotTake) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kStandard));
  const int64_t now = driver.now_s();
  EXPECT_EQ(driver.run(standard("a", now, "x"), {.status = 503}).status, 503);
  EXPECT_EQ(driver.run(standard("a", now, "x"), {.status = 200}).status, 200);
  EXPECT_EQ(driver.run(standard("a", now, "x")).details, "webhook_hmac_replayed");
}

TEST(WebhookHmac, KeepsFailedEventsWhenToldTo) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kStandard) +
                               "replay_protection: {keep_after_failure: true, "
                               "duplicate_status: 200}"))
      << driver.errors();
  const int64_t now = driver.now_s();
  EXPECT_EQ(driver.run(standard("a", now, "x"), {.status = 503}).status, 503);
  const Outcome again = driver.run(standard("a", now, "x"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.details, "webhook_hmac_replayed");
  EXPECT_FALSE(again.head_passed);
}

TEST(WebhookHmac, RefusesNewEventsWhenItsMemoryIsFull) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(std::string(kStandard) + "replay_protection: {max_events: 8}"));
  const int64_t now = driver.now_s();
  Outcome last;
  for (int i = 0; i < 40 && last.status != 503; ++i)
    last = driver.run(standard("id" + std::to_string(i), now, "x"));
  EXPECT_EQ(last.status, 503);
  EXPECT_EQ(last.details, "webhook_hmac_replay_memory_full");
  EXPECT_EQ(driver.run(standard("id0", now, "x")).details, "webhook_hmac_replayed");
}

TEST(WebhookHmac, RemembersEventsAcrossAChangeOfConfiguration) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(kStandard));
  const int64_t now = driver.now_s();
  EXPECT_EQ(driver.run(standard("a", now, "x")).status, 200);
  ASSERT_TRUE(driver.configure(kStandard));
  EXPECT_EQ(driver.run(standard("a", now, "x")).details, "webhook_hmac_replayed");
}

TEST(WebhookHmac, KnowsAnEventWithoutIdByWhatIsSigned) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\nreplay_protection: {remember: 60s}\n" + kInline));
  EXPECT_EQ(driver.run(github({"one"})).status, 200);
  FakeRequest again = github({"o", "ne"});
  again.headers.emplace_back("x-github-delivery", "another");
  EXPECT_EQ(driver.run(again).details, "webhook_hmac_replayed");
  EXPECT_EQ(driver.run(github({"two"})).status, 200);
}

// A sender that rotates signs with both secrets: each signature alone is of the same event.
TEST(WebhookHmac, RefusesAReplayWithAnyOfSeveralSignatures) {
  const std::string other = "another secret of some length";
  const std::string secrets = "secrets: [{data: {inline_string: " + kSecret +
                              "}}, {data: {inline_string: " + other +
                              "}}]\nallow_inline_secret_for_test: true\n";
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: stripe\n" + secrets)) << driver.errors();
  const std::string time = std::to_string(driver.now_s());
  const std::string one = ",v1=" + sign(time + ".x");
  const std::string two = ",v1=" + sign(time + ".x", Encoding::kHex, other);
  const auto with = [&](const std::string& signatures) {
    return driver.run({.headers = {{"stripe-signature", "t=" + time + signatures}}, .body = {"x"}});
  };
  EXPECT_EQ(with(one + two).status, 200);
  for (const std::string& signatures : {one + two, one, two, two + one})
    EXPECT_EQ(with(signatures).details, "webhook_hmac_replayed") << signatures;

  FilterDriver custom(kType);
  ASSERT_TRUE(
      custom.configure("custom: {signature_header: x-sig}\n"
                       "replay_protection: {remember: 60s}\n" +
                       secrets))
      << custom.errors();
  const FakeRequest first{.headers = {{"x-sig", sign("x")}}, .body = {"x"}};
  const FakeRequest again{.headers = {{"x-sig", sign("x", Encoding::kHex, other)}}, .body = {"x"}};
  EXPECT_EQ(custom.run(first).status, 200);
  EXPECT_EQ(custom.run(again).details, "webhook_hmac_replayed");
}

TEST(WebhookHmac, CapsTheBody) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\nmax_body_bytes: 10\n" + kInline));
  EXPECT_EQ(driver.run(github({"12345", "67890"})).status, 200);
  const Outcome big = driver.run(github({"12345", "67890", "1"}));
  EXPECT_EQ(big.status, 413);
  EXPECT_EQ(big.details, "webhook_hmac_body_too_large");
  EXPECT_FALSE(big.head_passed);
}

TEST(WebhookHmac, AcceptsBothSecretsWhileRotating) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(R"(
preset: github
secrets:
- data: {inline_string: "a new secret 012345"}
- data: {inline_string: "0123456789abcdef0123456789abcdef"}
allow_inline_secret_for_test: true)"))
      << driver.errors();
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
  const std::string signature = "sha256=" + sign("x", Encoding::kHex, "a new secret 012345");
  EXPECT_EQ(driver.run({.headers = {{"x-hub-signature-256", signature}}, .body = {"x"}}).status,
            200);
}

TEST(WebhookHmac, TellsTheUpstreamAndNobodyElseCan) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\nforward_verified_header: true\n" + kInline));
  FakeRequest request = github({"x"});
  request.headers.emplace_back("x-weir-webhook-verified", "stripe");
  request.trailers = HeaderLines{{"x-weir-webhook-verified", "stripe"}, {"x-checksum", "1"}};
  const HeaderLines left = {{"x-checksum", "1"}};
  const Outcome out = driver.run(request);
  EXPECT_EQ(value_of(out.request_headers, "x-weir-webhook-verified"), "github");
  EXPECT_EQ(out.request_trailers, left);

  FilterDriver silent(kType);
  ASSERT_TRUE(silent.configure("preset: github\n" + kInline));
  EXPECT_FALSE(value_of(silent.run(request).request_headers, "x-weir-webhook-verified"));

  FilterDriver open(kType);
  ASSERT_TRUE(open.configure("per_route_only: true"));
  const Outcome passed = open.run(request);
  EXPECT_EQ(passed.status, 200);
  EXPECT_FALSE(value_of(passed.request_headers, "x-weir-webhook-verified"));
  EXPECT_EQ(passed.request_trailers, left);
}

TEST(WebhookHmac, TakesTheMostSpecificConfig) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("per_route_only: true"));
  EXPECT_EQ(driver.run({.body = {"x"}}).status, 200);
  ASSERT_TRUE(driver.configure_route("preset: github\n" + kInline)) << driver.errors();
  EXPECT_EQ(driver.run({.body = {"x"}}).details, "webhook_hmac_missing_signature");
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
}

TEST(WebhookHmac, ReadsSecretsFromFileAndEnvironment) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/secret";
  std::ofstream(path) << kSecret << "\r\n";
  FilterDriver from_file(kType);
  ASSERT_TRUE(from_file.configure("preset: github\nsecrets: [{data: {filename: " + path + "}}]"))
      << from_file.errors();
  EXPECT_EQ(from_file.run(github({"x"})).status, 200);
  ASSERT_EQ(setenv("WEIR_TEST_SECRET", kSecret.c_str(), 1), 0);
  FilterDriver from_variable(kType);
  ASSERT_TRUE(from_variable.configure(
      "preset: github\nsecrets: [{data: {environment_variable: WEIR_TEST_SECRET}}]"));
  EXPECT_EQ(from_variable.run(github({"x"})).status, 200);
}

// Each of these is refused, and the error says what is wrong where.
TEST(WebhookHmac, RefusesConfigsThatCannotBeMeant) {
  const struct {
    std::string yaml;
    const char* error;
  } cases[] = {
      {"{}", "one of 'preset', 'custom', 'per_route_only' is required"},
      {"preset: gitlab", "preset"},
      {"per_route_only: true\nmax_body_bytes: 5", "nothing else"},
      {"preset: github", "secrets: at least one secret"},
      {"preset: github\nsecrets: [{data: {inline_string: 0123456789abcdef}}]",
       "secrets[0].data: a secret must not stand in the configuration"},
      {"preset: github\nsecrets: [{data: {filename: /nonexistent}}]",
       "secrets[0].data: cannot read the secret file '/nonexistent'"},
      {"preset: github\nsecrets: [{data: {environment_variable: WEIR_UNSET}}]", "is not set"},
      {"preset: github\nsecrets: [{data: {inline_string: short}}]\n"
       "allow_inline_secret_for_test: true",
       "secrets[0]: the secret has 5 bytes"},
      {"preset: standard_webhooks\nsecrets: [{data: {inline_string: 'not base64'}}]\n"
       "allow_inline_secret_for_test: true",
       "secrets[0]: the secret is not base64 after 'whsec_'"},
      {"preset: github\ntimestamp_tolerance: 5s\n" + kInline, "signs no timestamp"},
      {"preset: github\nreplay_protection: {}\n" + kInline, "how long to remember"},
      {"preset: stripe\nreplay_protection: {remember: 5s}\n" + kInline,
       "replay_protection.remember"},
      {"custom: {signature_header: x-sig, signed_content: '{timestamp}.{body}'}\n" + kInline,
       "custom: {timestamp} is signed, but timestamp_header"},
      {"custom: {signature_header: x-sig, signed_content: '{time}.{body}'}\n" + kInline,
       "custom.signed_content: '{time}' is not"},
      {"custom: {signature_header: x-sig, id_header: x-id}\n" + kInline, "not signed"},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    EXPECT_FALSE(driver.configure(c.yaml)) << c.yaml;
    EXPECT_NE(driver.errors().find(c.error), std::string::npos) << driver.errors();
    EXPECT_EQ(driver.errors().find("0123456789abcdef"), std::string::npos);
  }
}

TEST(WebhookHmac, TakesSecretResourcesAsTheyCome) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("preset: github\nsecrets: [{sds: {name: hook}}]"))
      << driver.errors();
  const Outcome early = driver.run(github({"x"}));
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(early.details, "webhook_hmac_no_secret");
  EXPECT_FALSE(early.head_passed);
  EXPECT_TRUE(driver.tell_secret("hook", kSecret + "\n").ok());
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
  // What is no secret leaves the one before.
  const Result<void> bad = driver.tell_secret("hook", "short");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message.find("short"), std::string::npos);
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
  EXPECT_TRUE(driver.tell_secret("hook", "another secret of some length").ok());
  EXPECT_EQ(driver.run(github({"x"})).status, 401);
}

TEST(WebhookHmac, NeedsNoResourceWhereAnotherSecretIsThere) {
  FilterDriver driver(kType);
  ASSERT_TRUE(
      driver.configure("preset: github\nsecrets: [{sds: {name: hook}}, "
                       "{data: {inline_string: " +
                       kSecret +
                       "}}]\n"
                       "allow_inline_secret_for_test: true"))
      << driver.errors();
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
  EXPECT_TRUE(driver.tell_secret("hook", "another secret of some length").ok());
  EXPECT_EQ(driver.run(github({"x"})).status, 200);
}

TEST(WebhookHmac, VerifiesACustomScheme) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure(R"(
custom:
  signature_header: X-Shop-Hmac
  encoding: BASE64
)" + kInline))
      << driver.errors();
  const FakeRequest request{.headers = {{"x-shop-hmac", sign("order", Encoding::kBase64)}},
                            .body = {"order"}};
  EXPECT_EQ(driver.run(request).status, 200);
  EXPECT_EQ(driver.run(request).status, 200);  // no timestamp: replays are let through by default
}

}  // namespace
}  // namespace weir::webhook
