#include "filters/webhook_hmac/webhook_cli.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace weir::webhook {
namespace {

using Arguments = std::vector<std::string>;

constexpr int64_t kNow = 1'700'000'000;

struct Ran {
  int status;
  std::string out;
  std::string err;
};

Ran run(const Arguments& arguments, const std::string& body = "") {
  std::istringstream in(body);
  std::ostringstream out;
  std::ostringstream err;
  const int status = webhook_command(arguments, {in, out, err, kNow});
  return {status, out.str(), err.str()};
}

// A file in the test's own folder.
std::string file(const std::string& name, const std::string& text) {
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// The arguments of a verification of what `sign` printed.
Arguments headers_of(const Ran& signed_request, Arguments arguments) {
  std::istringstream lines(signed_request.out);
  for (std::string line; std::getline(lines, line);) {
    arguments.push_back("--header");
    arguments.push_back(line);
  }
  return arguments;
}

// Signs one body with one secret and verifies another with another.
struct Mistake {
  std::string preset = "github";
  std::string signed_body = "{\"a\": 1}";
  std::string signing_secret = "0123456789abcdef";
  std::string signing_form = "raw";
  std::string body = "{\"a\": 1}";
  std::string secret = "0123456789abcdef";
  std::string form = "raw";
};

Ran verify(const Mistake& m) {
  const Ran made = run({"sign", "--preset", m.preset, "--secret-file",
                        file("signing", m.signing_secret), "--secret-form", m.signing_form},
                       m.signed_body);
  EXPECT_EQ(made.status, 0) << made.err;
  return run(headers_of(made, {"verify", "--preset", m.preset, "--secret-file",
                               file("secret", m.secret), "--secret-form", m.form}),
             m.body);
}

TEST(WebhookCli, VerifiesWhatItSigns) {
  for (const char* preset : {"github", "stripe", "slack", "standard_webhooks"}) {
    const Ran same = verify({.preset = preset});
    EXPECT_EQ(same.status, 0) << preset << same.out;
    EXPECT_NE(same.out.find("signature: matches, with --secret-file"), std::string::npos);
  }
}

TEST(WebhookCli, PrintsHeadersThatASenderWouldSend) {
  const std::string secret = file("whsec", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  const Ran ran = run({"sign", "--preset=standard_webhooks", "--secret-file", secret, "--id",
                       "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", "1614265330"},
                      R"({"test": 2432232314})");
  EXPECT_EQ(ran.out,
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\n"
            "webhook-timestamp: 1614265330\n"
            "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n");
}

TEST(WebhookCli, SignsWithEachOfSeveralSecrets) {
  const std::string one = file("one", "0123456789abcdef");
  const std::string two = file("two", "fedcba9876543210");
  const Ran made =
      run({"sign", "--preset", "stripe", "--secret-file", one, "--secret-file", two}, "x");
  EXPECT_EQ(made.out.rfind("stripe-signature: t=1700000000,v1=", 0), 0u) << made.out;
  const Ran checked =
      run(headers_of(made, {"verify", "--preset", "stripe", "--secret-file", two}), "x");
  EXPECT_EQ(checked.status, 0) << checked.out;
  EXPECT_EQ(run({"sign", "--preset", "github", "--secret-file", one, "--secret-file", two}).status,
            2);
}

TEST(WebhookCli, SignsCustomSchemes) {
  const Arguments scheme = {"--signature-header", "X-Sig",
                            "--prefix",           "h1 ",
                            "--encoding",         "base64url",
                            "--id-header",        "X-Id",
                            "--timestamp-header", "X-Time",
                            "--secret-file",      file("secret", "0123456789abcdef"),
                            "--signed-content",   "{id}|{timestamp}|{body}"};
  Arguments sign = {"sign"};
  sign.insert(sign.end(), scheme.begin(), scheme.end());
  Arguments verify = {"verify"};
  verify.insert(verify.end(), scheme.begin(), scheme.end());
  const Ran made = run(sign, "x");
  EXPECT_NE(made.out.find("x-sig: h1 "), std::string::npos) << made.out << made.err;
  EXPECT_EQ(run(headers_of(made, verify), "x").status, 0);
  EXPECT_EQ(run(headers_of(made, verify), "y").status, 1);
}

// What could not be verified, or would break the headers, is not made.
TEST(WebhookCli, SignsNothingThatCannotBeRead) {
  const std::string secret = file("secret", "0123456789abcdef");
  const Arguments standard = {"--preset", "standard_webhooks", "--secret-form", "raw"};
  const Arguments custom = {"--signature-header", "X-Sig",     "--id-header", "X-Id",
                            "--signed-content",   "{id}{body}"};
  const struct {
    Arguments scheme;
    Arguments more;
    const char* error;
  } cases[] = {
      {standard, {"--id", "a.b"}, "--id must be"},
      {standard, {"--id", "a\nX: y"}, "--id must be"},
      {standard, {"--id", std::string(257, 'a')}, "--id must be"},
      {standard, {"--timestamp", "9999999999999"}, "--timestamp has more digits"},
      {{"--preset", "stripe"}, {"--timestamp", "9999999999999"}, "--timestamp has more digits"},
      {custom, {"--id", "a\rb"}, "--id must be"},
      {custom, {"--prefix", "a\nb"}, "--prefix has a control character"},
      {custom, {"--prefix", "a,b="}, "after this --prefix"},
      {custom, {"--prefix", " a="}, "after this --prefix"},
      {custom, {"--prefix", std::string(5000, 'a')}, "after this --prefix"},
      {custom, {"--signature-header", "x sig"}, "--signature-header is not the name of a header"},
      {custom, {"--signature-header", "Host"}, "a header that HTTP itself needs: host"},
      {custom, {"--id-header", "content-length"}, "HTTP itself needs: content-length"},
      {custom, {"--timestamp-header", "connection"}, "HTTP itself needs: connection"},
      {custom, {"--id-header", "x\r\nid"}, "--id-header is not the name of a header"},
      {custom, {"--id-header", "x-sig"}, "--id-header names a header that holds something else"},
  };
  for (const auto& c : cases) {
    Arguments arguments = {"sign", "--secret-file", secret};
    arguments.insert(arguments.end(), c.scheme.begin(), c.scheme.end());
    EXPECT_EQ(run(arguments, "x").status, 0);
    arguments.insert(arguments.end(), c.more.begin(), c.more.end());
    const Ran ran = run(arguments, "x");
    EXPECT_EQ(ran.status, 2) << c.error;
    EXPECT_NE(ran.err.find(c.error), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(WebhookCli, ReadsTheBodyFromAFile) {
  const std::string body(100'000, 'b');
  const Arguments sign = {"sign", "--preset", "github", "--secret-file",
                          file("secret", "0123456789abcdef")};
  Arguments from_file = sign;
  from_file.insert(from_file.end(), {"--body-file", file("body", body)});
  EXPECT_EQ(run(from_file).out, run(sign, body).out);
  from_file.back() = file("empty", "");
  EXPECT_EQ(run(from_file).out, run(sign, "").out);
}

TEST(WebhookCli, JudgesTheTimestampToo) {
  const Arguments verify = {"verify", "--preset", "slack", "--secret-file",
                            file("secret", "0123456789abcdef")};
  const Ran made = run({"sign", "--preset", "slack", "--secret-file",
                        file("secret", "0123456789abcdef"), "--timestamp", "1699990000"},
                       "x");
  const Ran late = run(headers_of(made, verify), "x");
  EXPECT_EQ(late.status, 1);
  EXPECT_NE(late.out.find("10000 s old: REFUSED, timestamp_too_old"), std::string::npos);
  EXPECT_NE(late.out.find("signature: matches"), std::string::npos);
  Arguments at_that_time = headers_of(made, verify);
  at_that_time.insert(at_that_time.end(), {"--now", "1699990100"});
  EXPECT_EQ(run(at_that_time, "x").status, 0);
}

// Each mistake is found, and its remedy is told.
TEST(WebhookCli, ExplainsAMismatch) {
  const std::string raw = "c2VjcmV0IG9mIHNlY3JldHMh";
  const struct {
    Mistake mistake;
    const char* found;
  } cases[] = {
      {{.body = "{\"a\": 1}\n"}, "without the line break at its end"},
      {{.signed_body = "{\"a\": 1}\n"}, "with a line break at its end"},
      {{.signed_body = "a\r\nb", .body = "a\nb"}, "CR LF instead of LF"},
      {{.signed_body = "a\nb", .body = "a\r\nb"}, "LF instead of CR LF"},
      {{.signed_body = "{\"a\":1,\"b\":[\"x: y\"]}", .body = "{ \"a\": 1, \"b\": [\"x: y\"] }"},
       "the JSON without spaces"},
      {{.signed_body = "{\"b\": \"x,\\\":\", \"a\": 1}", .body = "{\"b\":\"x,\\\":\",\"a\":1}"},
       "with spaces after ',' and ':'"},
      {{.signed_body = "{\"a\":1,\"b\":2}", .body = "{\"b\":2,\"a\":1}"}, "with sorted keys"},
      {{.signed_body = "{\"a\":\"\\u00e9\"}", .body = "{\"a\":\"\xc3\xa9\"}"}, "in ASCII"},
      {{.signed_body = "", .body = "x"}, "an empty body"},
      {{.signing_secret = raw, .signing_form = "base64", .secret = raw}, "decoded from base64"},
      {{.signing_secret = raw, .secret = raw, .form = "base64"}, "set the secret's form to RAW"},
      {{.signing_secret = "30313233343536373839616263646566",
        .signing_form = "hex",
        .secret = "30313233343536373839616263646566"},
       "decoded from hexadecimal"},
      {{.signing_secret = "whsec_" + raw, .signing_form = "whsec", .secret = "whsec_" + raw},
       "decoded from base64"},
      {{.preset = "stripe",
        .signing_secret = raw,
        .signing_form = "base64",
        .body = "{\"a\": 1}\n",
        .secret = raw},
       "without the line break at its end and the secret decoded from base64"},
      {{.signed_body = "other"}, "None of the usual mistakes"},
  };
  for (const auto& c : cases) {
    const Ran ran = verify(c.mistake);
    EXPECT_EQ(ran.status, 1);
    EXPECT_NE(ran.out.find("signature: REFUSED, mismatch"), std::string::npos);
    EXPECT_NE(ran.out.find(c.found), std::string::npos) << c.found << "\n" << ran.out;
  }
}

TEST(WebhookCli, ABodyMayBeNestedAsDeepAsItLikes) {
  constexpr size_t kDepth = 200'000;
  Mistake mistake;
  mistake.body = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_EQ(verify(mistake).status, 1);
}

TEST(WebhookCli, FindsAnotherSchemeThatWouldMatch) {
  const std::string secret = file("secret", "0123456789abcdef");
  const Ran made = run({"sign", "--signature-header", "X-Slack-Signature", "--prefix",
                        "v0=", "--secret-file", secret},
                       "x");
  Arguments arguments = headers_of(made, {"verify", "--preset", "slack", "--secret-file", secret,
                                          "--header", "X-Slack-Request-Timestamp: 1700000000"});
  const Ran ran = run(arguments, "x");
  EXPECT_NE(ran.out.find("'{body}' as what is signed"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("= 15 bytes"), std::string::npos) << ran.out;
}

TEST(WebhookCli, SaysWhichHeaderIsMissingOrMalformed) {
  const Arguments verify = {"verify",
                            "--preset",
                            "standard_webhooks",
                            "--secret-form",
                            "raw",
                            "--secret-file",
                            file("secret", "0123456789abcdef")};
  const Ran none = run(verify, "x");
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.out.find("missing_signature"), std::string::npos);
  EXPECT_NE(none.out.find("give --header 'webhook-signature: ...'"), std::string::npos);
  Arguments odd = verify;
  odd.insert(odd.end(), {"--header", "Webhook-Signature: sha256=abc"});
  EXPECT_NE(run(odd, "x").out.find("malformed_signature"), std::string::npos);
}

TEST(WebhookCli, RefusesBadUsage) {
  const std::string secret = file("secret", "0123456789abcdef");
  const struct {
    Arguments arguments;
    const char* error;
  } cases[] = {
      {{}, "sign or verify"},
      {{"check"}, "sign or verify"},
      {{"sign"}, "--preset"},
      {{"sign", "--preset", "gitlab", "--secret-file", secret}, "no preset 'gitlab'"},
      {{"sign", "--preset", "github"}, "a secret is needed"},
      {{"sign", "--preset", "github", "--secret-file", "/nonexistent"}, "/nonexistent"},
      {{"sign", "--preset", "github", "--secret-file", file("short", "abc")}, "3 bytes"},
      {{"sign", "--preset", "github", "--secret-file"}, "needs a value"},
      {{"sign", "--preset", "github", "--sekret", "x"}, "no option --sekret"},
      {{"sign", "github"}, "'github' is not an option"},
      {{"sign", "--preset", "github", "--prefix", "x", "--secret-file", secret}, "--prefix"},
      {{"sign", "--preset", "stripe", "--timestamp", "now", "--secret-file", secret},
       "--timestamp"},
      {{"verify", "--preset", "github", "--secret-file", secret, "--header", "x"}, "Name: value"},
      {{"sign", "--preset", "github", "--secret-file", secret, "--body-file", "/nonexistent"},
       "--body-file"},
      // Folders open, but cannot be read.
      {{"sign", "--preset", "github", "--secret-file", secret, "--body-file", "/"},
       "cannot read --body-file '/': Is a directory"},
      {{"verify", "--preset", "github", "--secret-file", "/"},
       "cannot read the secret file '/': Is a directory"},
  };
  for (const auto& c : cases) {
    const Ran ran = run(c.arguments);
    EXPECT_EQ(ran.status, 2) << c.error;
    EXPECT_NE(ran.err.find(c.error), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_NE(run({"sign", "--help"}).out.find("usage: weir webhook sign"), std::string::npos);
}

}  // namespace
}  // namespace weir::webhook
