#include "filters/webhook_hmac/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "filters/webhook_hmac/secret.h"
#include "filters/webhook_hmac/text_encoding.h"

namespace weir::webhook {
namespace {

using Kind = ContentPart::Kind;

// Something that may have been signed, or been signed with, instead.
template <class Value>
struct Variant {
  std::string name;  // completes "would match"; empty: as it is
  std::string remedy;
  Value value;
};
using TextVariant = Variant<std::string>;
using ContentVariant = Variant<Scheme>;

constexpr size_t kShownBytes = 32;

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const bool here = text.substr(at, from.size()) == from;
    out += here ? to : text.substr(at, 1);
    at += here ? from.size() : 1;
  }
  return out;
}

// JSON as Python's json.dumps writes it: with a space after each ',' and ':' outside of strings.
std::string spaced(const std::string& compact) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    out += c;
    if (c == '\\' && in_string) {
      out += compact[++i];
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == ',' || c == ':')) {
      out += ' ';
    }
  }
  return out;
}

// The library writes nested values by recursion.
constexpr int kMaxJsonDepth = 200;

// Or no JSON at all.
bool is_deep(const std::string& body) {
  bool deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    deep |= depth > kMaxJsonDepth;
    return !deep;
  };
  const auto json = nlohmann::json::parse(body, watch, /*allow_exceptions=*/false);
  return deep || json.is_discarded();
}

void add_json_variants(const std::string& body, std::vector<TextVariant>& out) {
  if (is_deep(body)) return;
  const auto json = nlohmann::ordered_json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return;
  const std::string remedy =
      "something between the sender and here parsed the JSON and wrote it anew; pass the raw bytes "
      "of the body on";
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  const std::string compact = json.dump(-1, ' ', false, kReplace);
  const std::string ascii = json.dump(-1, ' ', true, kReplace);
  out.push_back({"the JSON without spaces", remedy, compact});
  out.push_back({"the JSON with spaces after ',' and ':'", remedy, spaced(compact)});
  out.push_back({"the JSON in ASCII, without spaces", remedy, ascii});
  out.push_back({"the JSON in ASCII, with spaces after ',' and ':'", remedy, spaced(ascii)});
  out.push_back({"the JSON indented by 2", remedy, json.dump(2, ' ', false, kReplace)});
  out.push_back({"the JSON indented by 4", remedy, json.dump(4, ' ', false, kReplace)});
  const auto sorted = nlohmann::json::parse(body, nullptr, false);
  out.push_back({"the JSON with sorted keys", remedy,
                 sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
}

std::vector<TextVariant> body_variants(const std::string& body) {
  const std::string lines = "something changed the line breaks; pass the raw bytes of the body on";
  std::vector<TextVariant> out = {{"", "", body}};
  out.push_back({"the body without the line break at its end",
                 "editors, `echo` and here-documents add one; use printf '%s', or --body-file of "
                 "the exact bytes",
                 std::string(without_line_end(body))});
  out.push_back({"the body with a line break at its end",
                 "the line break at the end was lost on the way", body + "\n"});
  out.push_back({"the body with LF instead of CR LF", lines, replaced(body, "\r\n", "\n")});
  out.push_back({"the body with CR LF instead of LF", lines,
                 replaced(replaced(body, "\r\n", "\n"), "\n", "\r\n")});
  if (body.starts_with("\xef\xbb\xbf"))
    out.push_back({"the body without the byte order mark", "an editor added it", body.substr(3)});
  out.push_back({"an empty body", "the sender signed before it wrote the body", ""});
  add_json_variants(body, out);
  return out;
}

std::vector<TextVariant> secret_variants(const CliSecret& secret) {
  std::vector<TextVariant> out = {{"", "", secret.key}};
  const std::string_view text = without_line_end(secret.text);
  std::string_view bare = text;
  if (bare.starts_with("whsec_")) bare.remove_prefix(6);
  const auto add = [&](const std::string& name, const std::string& form, std::string_view key) {
    out.push_back({name, "set the secret's form to " + form, std::string(key)});
  };
  add("the secret's text itself as the key", "RAW", text);
  if (const auto key = decode(Encoding::kBase64, bare))
    add("the secret decoded from base64", "BASE64", *key);
  if (const auto key = decode(Encoding::kHex, text))
    add("the secret decoded from hexadecimal", "HEX", *key);
  out.push_back({"the secret's text without 'whsec_' as the key",
                 "cut 'whsec_' off, and set the secret's form to RAW", std::string(bare)});
  out.push_back({"the secret with the line break at its end",
                 "the sender's secret has a line break at its end; give it one without",
                 secret.text});
  return out;
}

// The scheme as it is, and what other presets would sign with the same headers.
std::vector<ContentVariant> content_variants(const Scheme& scheme, const Claims& claims) {
  std::vector<ContentVariant> out = {{"", "", scheme}};
  const auto add = [&](const std::string& text) {
    auto content = parse_content(text);
    Scheme other = scheme;
    other.content = content.take();
    if (other.signs(Kind::kTimestamp) && claims.timestamp.empty()) return;
    if (other.signs(Kind::kId) && claims.id.empty()) return;
    out.push_back({"'" + text + "' as what is signed",
                   "describe the scheme by custom with signed_content: '" + text + "'", other});
  };
  for (const char* text :
       {"{body}", "{timestamp}.{body}", "{timestamp}{body}", "{timestamp}:{body}",
        "v0:{timestamp}:{body}", "{id}.{timestamp}.{body}", "{id}{timestamp}{body}", "{id}.{body}"})
    add(text);
  return out;
}

bool is_claimed(const Mac& mac, const Claims& claims) {
  const auto end = claims.signatures.begin() + static_cast<long>(claims.signature_count);
  return std::find(claims.signatures.begin(), end, mac) != end;
}

// One combination that matches; the first in the order of how far it is from what was given.
struct Found {
  const ContentVariant* content;
  const TextVariant* secret;
  const TextVariant* body;
};

void report(const Found& found, std::vector<std::string>& lines) {
  std::string line = "It would match with";
  const char* join = " ";
  const auto name = [&](const std::string& text) {
    if (text.empty()) return;
    line += join + text;
    join = " and ";
  };
  name(found.body->name);
  name(found.secret->name);
  name(found.content->name);
  lines.push_back(line + ".");
  for (const std::string* remedy :
       {&found.body->remedy, &found.secret->remedy, &found.content->remedy})
    if (!remedy->empty()) lines.push_back("  remedy: " + *remedy);
}

bool search(const std::vector<ContentVariant>& contents, const std::vector<TextVariant>& secrets,
            const std::vector<TextVariant>& bodies, const Claims& claims,
            std::vector<std::string>& lines) {
  for (const ContentVariant& content : contents) {
    for (const TextVariant& secret : secrets) {
      const HmacKey key(secret.value);
      for (const TextVariant& body : bodies) {
        if (!is_claimed(mac_of(content.value, key, claims, body.value), claims)) continue;
        report({&content, &secret, &body}, lines);
        return true;
      }
    }
  }
  return false;
}

std::string part_text(const ContentPart& part, const Claims& claims, std::string_view body) {
  switch (part.kind) {
    case Kind::kTimestamp:
      return "timestamp (" + std::to_string(claims.timestamp.size()) + " bytes)";
    case Kind::kId:
      return "id (" + std::to_string(claims.id.size()) + " bytes)";
    case Kind::kBody:
      return "body (" + std::to_string(body.size()) + " bytes)";
    case Kind::kLiteral:
      break;
  }
  return "'" + part.text + "'";
}

}  // namespace

std::vector<std::string> describe_content(const Scheme& scheme, const Claims& claims,
                                          std::string_view body) {
  std::string parts;
  std::string bytes;
  for (const ContentPart& part : scheme.content) {
    parts += (parts.empty() ? "" : " + ") + part_text(part, claims, body);
    if (part.kind == Kind::kBody)
      bytes += body;
    else
      bytes += part.kind == Kind::kTimestamp ? claims.timestamp
               : part.kind == Kind::kId      ? claims.id
                                             : std::string_view(part.text);
  }
  std::string first = bytes.substr(0, kShownBytes);
  const std::string hex = encode(Encoding::kHex, first);
  for (char& c : first)
    if (c < ' ' || c > '~') c = '.';
  return {"signed:    " + parts + " = " + std::to_string(bytes.size()) + " bytes",
          "begins:    " + hex + "  |" + first + "|"};
}

std::vector<std::string> explain_mismatch(const CliOptions& options, const Claims& claims) {
  std::vector<std::string> lines;
  const auto contents = content_variants(options.scheme, claims);
  const auto bodies = body_variants(options.body);
  for (const CliSecret& secret : options.secrets)
    if (search(contents, secret_variants(secret), bodies, claims, lines)) return lines;
  lines.push_back("None of the usual mistakes explains it. Check that");
  lines.push_back("  - the secret is the one of this very endpoint, and of its test or live mode");
  lines.push_back("  - the body is what came over the wire, byte for byte, before any framework");
  if (options.scheme.signs(Kind::kTimestamp))
    lines.push_back("  - the timestamp and signature headers are of the same request");
  return lines;
}

}  // namespace weir::webhook
