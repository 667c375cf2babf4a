#include "filters/webhook_hmac/cli_options.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "filters/webhook_hmac/secret.h"
#include "proxy/http/header_name.h"
#include "proxy/http/headers.h"

namespace weir::webhook {
namespace {

constexpr std::string_view kHelp = R"(
usage: weir webhook sign   --preset NAME SECRET... [options] < body
       weir webhook verify --preset NAME SECRET... --header 'Name: value'... [options] < body

sign prints the headers that a sender would send; `curl -H @file` takes them.
verify judges a request as the filter webhook_hmac would, and explains what is wrong.

scheme:
  --preset NAME            github, stripe, slack or standard_webhooks; or, for any other:
  --signature-header NAME  the header with the signature
  --prefix TEXT            what stands before the signature, e.g. sha256=
  --encoding KIND          hex (default), base64 or base64url
  --signed-content TEXT    what is signed, e.g. '{timestamp}.{body}' (default '{body}')
  --timestamp-header NAME  the header with {timestamp}
  --id-header NAME         the header with {id}
secret, one or more:
  --secret-file FILE       a line break at its end does not count
  --secret-env NAME        an environment variable
  --secret-form FORM       raw, base64, hex or whsec; the scheme's own by default
request:
  --body-file FILE         instead of standard input
  --header 'Name: value'   verify: a header of the request; as often as needed
  --id TEXT                sign: the event's id (default: a random one)
  --timestamp SECONDS      sign: the time of signing (default: now)
verify:
  --tolerance SECONDS      how old or early the timestamp may be (default 300)
  --now SECONDS            judge as of that time

Exit status: 0 fine, 1 the request is refused, 2 bad usage.
)";

constexpr std::string_view kNames[] = {
    "preset",      "signature-header", "prefix",
    "encoding",    "signed-content",   "timestamp-header",
    "id-header",   "secret-file",      "secret-env",
    "secret-form", "body-file",        "header",
    "id",          "timestamp",        "tolerance",
    "now",
};

Error usage(std::string message) {
  return {.code = "usage", .message = std::move(message)};
}

using Values = std::vector<std::pair<std::string, std::string>>;

// "--name value" and "--name=value", in order.
Result<Values> split(const std::vector<std::string>& arguments) {
  Values values;
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--")) return usage("'" + argument + "' is not an option");
    const size_t equals = std::min(argument.find('='), argument.size());
    const std::string name = argument.substr(2, equals - 2);
    if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames))
      return usage("there is no option --" + name);
    if (equals < argument.size()) {
      values.emplace_back(name, argument.substr(equals + 1));
    } else if (++i < arguments.size()) {
      values.emplace_back(name, arguments[i]);
    } else {
      return usage("--" + name + " needs a value");
    }
  }
  return values;
}

// The last value given, or `fallback`.
std::string value_of(const Values& values, std::string_view name, std::string fallback = {}) {
  for (const auto& [key, value] : values)
    if (key == name) fallback = value;
  return fallback;
}

Result<int64_t> number(const Values& values, std::string_view name) {
  const std::string text = value_of(values, name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    return usage("--" + std::string(name) + " must be a number of seconds, not '" + text + "'");
  return value;
}

Result<Encoding> encoding_of(const std::string& text) {
  if (text == "hex") return Encoding::kHex;
  if (text == "base64") return Encoding::kBase64;
  if (text == "base64url") return Encoding::kBase64Url;
  return usage("--encoding is hex, base64 or base64url, not '" + text + "'");
}

// What frames a request or says where it goes: it cannot hold anything else.
constexpr std::string_view kReserved[] = {
    "host",    "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te",
    "trailer", "expect",         "proxy-connection"};

// What goes into a request as it is: it must not break the headers.
Result<void> check_headers(const Values& values) {
  std::set<std::string> names;
  for (const char* option : {"signature-header", "timestamp-header", "id-header"}) {
    const std::string name = value_of(values, option);
    if (name.empty()) continue;
    if (!http::valid_header_name(name))
      return usage("--" + std::string(option) + " is not the name of a header");
    const std::string lower = http::lower_case(name);
    if (std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved))
      return usage("--" + std::string(option) + " names a header that HTTP itself needs: " + lower);
    if (!names.insert(lower).second)
      return usage("--" + std::string(option) + " names a header that holds something else");
  }
  if (!http::valid_header_value(value_of(values, "prefix")))
    return usage("--prefix has a control character");
  return {};
}

Result<Scheme> custom_scheme(const Values& values) {
  if (const auto fine = check_headers(values); !fine) return fine.error();
  const auto encoding = encoding_of(value_of(values, "encoding", "hex"));
  if (!encoding) return encoding.error();
  const auto content = parse_content(value_of(values, "signed-content", "{body}"));
  if (!content) return usage("--signed-content: " + content.error().message);
  Scheme scheme{.name = "custom",
                .signature_header = http::lower_case(value_of(values, "signature-header")),
                .prefix = value_of(values, "prefix"),
                .layout = Layout::kList,
                .encoding = *encoding,
                .timestamp_header = http::lower_case(value_of(values, "timestamp-header")),
                .id_header = http::lower_case(value_of(values, "id-header")),
                .content = *content};
  if (const auto fine = check(scheme); !fine) return usage(fine.error().message);
  return scheme;
}

Result<Scheme> scheme_of(const Values& values) {
  const std::string name = value_of(values, "preset");
  if (name.empty() && value_of(values, "signature-header").empty())
    return usage("say how the sender signs: --preset NAME, or --signature-header NAME");
  if (name.empty()) return custom_scheme(values);
  for (const auto& [key, value] : values)
    if (key == "signature-header" || key == "prefix" || key == "encoding" ||
        key == "signed-content" || key == "timestamp-header" || key == "id-header")
      return usage("--" + key + " describes a scheme of its own: leave it or --preset out");
  if (auto known = preset(name)) return std::move(*known);
  return usage("there is no preset '" + name + "'; there are " + std::string(kPresetNames));
}

Result<SecretForm> form_of(const Values& values, SecretForm fallback) {
  const std::string text = value_of(values, "secret-form");
  if (text.empty()) return fallback;
  if (text == "raw") return SecretForm::kRaw;
  if (text == "base64") return SecretForm::kBase64;
  if (text == "hex") return SecretForm::kHex;
  if (text == "whsec") return SecretForm::kWhsec;
  return usage("--secret-form is raw, base64, hex or whsec, not '" + text + "'");
}

Result<std::vector<CliSecret>> secrets_of(const Values& values, SecretForm form) {
  std::vector<CliSecret> secrets;
  for (const auto& [name, value] : values) {
    if (name != "secret-file" && name != "secret-env") continue;
    auto text = name == "secret-file" ? read_secret_file(value) : read_secret_variable(value);
    if (!text) return usage(text.error().message);
    auto key = secret_key(form, *text);
    if (!key) return usage("--" + name + " " + value + ": " + key.error().message);
    secrets.push_back({name + " " + value, text.take(), key.take()});
  }
  if (secrets.empty()) return usage("a secret is needed: --secret-file FILE or --secret-env NAME");
  if (secrets.size() > 8) return usage("at most 8 secrets can be tried at once");
  return secrets;
}

// Fails for what opens but cannot be read, too, such as a folder.
Result<std::string> read_body_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string body;
  std::array<char, 16 * 1024> piece;
  while (file) {
    file.read(piece.data(), piece.size());
    body.append(piece.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad())
    return usage("cannot read --body-file '" + path + "': " + std::strerror(errno));
  return body;
}

Result<std::string> body_of(const Values& values, std::istream& in) {
  const std::string path = value_of(values, "body-file");
  if (!path.empty()) return read_body_file(path);
  std::ostringstream body;
  body << in.rdbuf();
  return std::move(body).str();
}

Result<void> read_headers(const Values& values, CliOptions& out) {
  for (const auto& [name, value] : values) {
    if (name != "header") continue;
    const size_t colon = value.find(':');
    if (colon == std::string::npos || colon == 0)
      return usage("--header must read 'Name: value', not '" + value + "'");
    out.headers.emplace_back(http::lower_case(value.substr(0, colon)),
                             http::trim(std::string_view(value).substr(colon + 1)));
  }
  return {};
}

Result<void> read_times(const Values& values, CliOptions& out) {
  for (const auto& [name, value] : values) {
    if (name != "tolerance" && name != "now" && name != "timestamp") continue;
    const auto seconds = number(values, name);
    if (!seconds) return seconds.error();
    if (name == "tolerance") out.tolerance_s = *seconds;
    if (name == "now") out.now_s = *seconds;
    if (name == "timestamp") out.timestamp = value;
  }
  return {};
}

}  // namespace

std::string_view cli_help() {
  return kHelp.substr(1);
}

Result<CliOptions> parse_cli(const std::vector<std::string>& arguments, std::istream& in) {
  CliOptions out;
  const std::string command = arguments.empty() ? "" : arguments[0];
  for (const std::string& argument : arguments)
    out.help |= argument == "--help" || argument == "-h" || command == "help";
  if (out.help) return out;
  out.verify = command == "verify";
  if (command != "sign" && !out.verify) return usage("say what to do: sign or verify");
  const auto values = split(arguments);
  if (!values) return values.error();
  auto scheme = scheme_of(*values);
  if (!scheme) return scheme.error();
  out.scheme = scheme.take();
  const auto form = form_of(*values, out.scheme.secret_form);
  if (!form) return form.error();
  auto secrets = secrets_of(*values, *form);
  if (!secrets) return secrets.error();
  out.secrets = secrets.take();
  out.id = value_of(*values, "id");
  if (const auto fine = read_times(*values, out); !fine) return fine.error();
  if (const auto fine = read_headers(*values, out); !fine) return fine.error();
  auto body = body_of(*values, in);
  if (!body) return body.error();
  out.body = body.take();
  return out;
}

}  // namespace weir::webhook
