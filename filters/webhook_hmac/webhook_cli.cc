#include "filters/webhook_hmac/webhook_cli.h"

#include <openssl/rand.h>

#include <array>
#include <istream>
#include <ostream>

#include "filters/webhook_hmac/cli_options.h"
#include "filters/webhook_hmac/explain.h"
#include "filters/webhook_hmac/signature.h"

namespace weir::webhook {
namespace {

using Kind = ContentPart::Kind;

constexpr int kFine = 0;
constexpr int kRefused = 1;
constexpr int kBadUsage = 2;

std::string text_of(const Mac& mac, Encoding encoding) {
  return encode(encoding, {reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::string random_id() {
  std::array<uint8_t, 12> bytes;
  RAND_bytes(bytes.data(), bytes.size());
  return "msg_" + encode(Encoding::kHex, {reinterpret_cast<char*>(bytes.data()), bytes.size()});
}

// The signature header's value for signatures in the order of the secrets.
std::string header_value(const Scheme& scheme, std::string_view timestamp,
                         const std::vector<std::string>& signatures) {
  std::string value;
  if (scheme.layout == Layout::kParameters) value = "t=" + std::string(timestamp);
  const char* between = scheme.layout == Layout::kParameters ? "=" : ",";
  const char* separator = scheme.layout == Layout::kVersions ? " " : ",";
  const bool plain = scheme.layout == Layout::kOne || scheme.layout == Layout::kList;
  for (const std::string& signature : signatures)
    value += (value.empty() ? "" : separator) + scheme.prefix + (plain ? "" : between) + signature;
  return value;
}

using Lines = std::vector<std::pair<std::string, std::string>>;

Cause read_lines(const Scheme& scheme, const Lines& lines, http::HeaderMap& headers,
                 Claims& claims) {
  for (const auto& [name, value] : lines) headers.add(name, value);
  return read_claims(scheme, headers, claims);
}

// Why the filter could not read what was made; "" when it could.
std::string unreadable(const Scheme& scheme, const Lines& lines) {
  Arena arena;
  http::HeaderMap headers(arena);
  Claims claims;
  switch (read_lines(scheme, lines, headers, claims)) {
    case Cause::kNone:
      return {};
    case Cause::kMalformedId:
      return "--id must be up to " + std::to_string(kMaxIdBytes) +
             " visible characters, without the text that follows {id} in what is signed";
    case Cause::kMalformedTimestamp:
      return "--timestamp has more digits than a time in seconds";
    default:
      return "no signature can be read after this --prefix: it may not begin with a space, hold a "
             "comma or be very long";
  }
}

int sign(const CliOptions& options, const CommandIo& io) {
  const Scheme& scheme = options.scheme;
  if (scheme.layout == Layout::kOne && options.secrets.size() > 1) {
    io.err << "weir webhook: " << scheme.name << " sends one signature: give one secret\n";
    return kBadUsage;
  }
  const std::string id = options.id.empty() ? random_id() : options.id;
  const std::string timestamp =
      options.timestamp.empty() ? std::to_string(io.now_s) : options.timestamp;
  Claims claims;
  claims.id = id;
  claims.timestamp = timestamp;
  std::vector<std::string> signatures;
  for (const CliSecret& secret : options.secrets) {
    const Mac mac = mac_of(scheme, HmacKey(secret.key), claims, options.body);
    signatures.push_back(text_of(mac, scheme.encoding));
  }
  Lines lines;
  if (!scheme.id_header.empty()) lines.emplace_back(scheme.id_header, id);
  if (!scheme.timestamp_header.empty()) lines.emplace_back(scheme.timestamp_header, timestamp);
  lines.emplace_back(scheme.signature_header, header_value(scheme, timestamp, signatures));
  if (const std::string problem = unreadable(scheme, lines); !problem.empty()) {
    io.err << "weir webhook: " << problem << "\n";
    return kBadUsage;
  }
  for (const auto& [name, value] : lines) io.out << name << ": " << value << "\n";
  return kFine;
}

// What to do about a header that is not there or cannot be read.
std::string head_remedy(const Scheme& scheme, Cause cause) {
  switch (cause) {
    case Cause::kMissingSignature:
      return "give --header '" + scheme.signature_header + ": ...'";
    case Cause::kMissingTimestamp:
    case Cause::kMalformedTimestamp:
      return scheme.timestamp_header.empty()
                 ? "the signature header must have t=SECONDS"
                 : "give --header '" + scheme.timestamp_header + ": SECONDS', once";
    case Cause::kMissingId:
    case Cause::kMalformedId:
      return "give --header '" + scheme.id_header + ": ...', once, without '.' or spaces";
    default:
      return "a " + scheme.name + " signature reads '" +
             header_value(scheme, "1700000000", {text_of(Mac{}, scheme.encoding)}) +
             "', once; is the scheme another one?";
  }
}

// Judges the timestamp; false when the filter would refuse it.
bool report_timestamp(const CliOptions& options, const Claims& claims, const CommandIo& io) {
  const int64_t now_s = options.now_s.value_or(io.now_s);
  const Cause cause = check_timestamp(claims, now_s, options.tolerance_s);
  const int64_t age_s = now_s - claims.timestamp_s;
  io.out << "timestamp: " << claims.timestamp << ", " << (age_s < 0 ? -age_s : age_s)
         << (age_s < 0 ? " s ahead" : " s old");
  if (cause == Cause::kNone) {
    io.out << "\n";
    return true;
  }
  io.out << ": REFUSED, " << cause_text(cause).name << " (tolerance " << options.tolerance_s
         << " s)\n"
         << "  remedy: check the clocks of sender and receiver; an old request is judged with "
            "--now SECONDS\n";
  return false;
}

bool report_signature(const CliOptions& options, const Claims& claims, const CommandIo& io) {
  const Scheme& scheme = options.scheme;
  std::vector<HmacKey> keys;
  for (const CliSecret& secret : options.secrets) keys.emplace_back(secret.key);
  Verifier verifier(scheme, keys, claims);
  verifier.body(options.body);
  const int key = verifier.finish();
  if (key >= 0) {
    io.out << "signature: matches, with --" << options.secrets[static_cast<size_t>(key)].place
           << "\n";
    return true;
  }
  io.out << "signature: REFUSED, mismatch\n";
  for (size_t i = 0; i < claims.signature_count; ++i)
    io.out << "received:  " << text_of(claims.signatures[i], scheme.encoding) << "\n";
  for (size_t i = 0; i < keys.size(); ++i)
    io.out << "computed:  "
           << text_of(mac_of(scheme, keys[i], claims, options.body), scheme.encoding) << "  with --"
           << options.secrets[i].place << "\n";
  for (const std::string& line : describe_content(scheme, claims, options.body))
    io.out << line << "\n";
  for (const std::string& line : explain_mismatch(options, claims)) io.out << line << "\n";
  return false;
}

int verify(const CliOptions& options, const CommandIo& io) {
  Arena arena;
  http::HeaderMap headers(arena);
  Claims claims;
  const Cause cause = read_lines(options.scheme, options.headers, headers, claims);
  if (cause != Cause::kNone) {
    io.out << "headers:   REFUSED, " << cause_text(cause).name << "\n"
           << "  remedy: " << head_remedy(options.scheme, cause) << "\n";
    return kRefused;
  }
  const bool timely =
      !options.scheme.signs(Kind::kTimestamp) || report_timestamp(options, claims, io);
  return report_signature(options, claims, io) && timely ? kFine : kRefused;
}

}  // namespace

int webhook_command(const std::vector<std::string>& arguments, const CommandIo& io) {
  const Result<CliOptions> options = parse_cli(arguments, io.in);
  if (!options) {
    io.err << "weir webhook: " << options.error().message << "\nTry 'weir webhook --help'.\n";
    return kBadUsage;
  }
  if (options->help) {
    io.out << cli_help();
    return kFine;
  }
  return options->verify ? verify(*options, io) : sign(*options, io);
}

}  // namespace weir::webhook
