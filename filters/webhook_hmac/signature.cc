#include "filters/webhook_hmac/signature.h"

#include <openssl/mem.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::webhook {
namespace {

using Kind = ContentPart::Kind;

enum class Presence : uint8_t { kMissing, kOnce, kSeveral };

Presence read_header(const http::HeaderMap& headers, std::string_view name,
                     std::string_view& value) {
  Presence presence = Presence::kMissing;
  headers.for_each([&](const http::Header& line) {
    if (line.name != name) return;
    presence = presence == Presence::kMissing ? Presence::kOnce : Presence::kSeveral;
    value = line.value;
  });
  return presence;
}

// Cuts the text before `separator` off `rest`, without the spaces around it.
std::string_view next_item(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view item = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return http::trim(item);
}

bool cut_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// A text that is no signature is passed over: another one may match. So are those beyond the most
// that are looked at.
void add_signature(Encoding encoding, std::string_view text, Claims& claims) {
  if (claims.signature_count == kMaxSignatures) return;
  const auto bytes = decode(encoding, text);
  if (!bytes || bytes->size() != sizeof(Mac)) return;
  std::memcpy(claims.signatures[claims.signature_count++].data(), bytes->data(), bytes->size());
}

// What stands between a signature's prefix and the signature.
std::string_view after_prefix(Layout layout) {
  if (layout == Layout::kVersions) return ",";
  return layout == Layout::kParameters ? "=" : "";
}

// One item of a signature header; false when it cannot be meant.
bool read_item(const Scheme& scheme, std::string_view item, Claims& claims) {
  if (scheme.layout == Layout::kParameters && cut_prefix(item, "t=")) {
    const bool first = claims.timestamp.data() == nullptr;
    claims.timestamp = item;
    return first;
  }
  if (cut_prefix(item, scheme.prefix) && cut_prefix(item, after_prefix(scheme.layout)))
    add_signature(scheme.encoding, item, claims);
  return true;
}

Cause read_signatures(const Scheme& scheme, const http::HeaderMap& headers, Claims& claims) {
  std::string_view rest;
  const Presence presence = read_header(headers, scheme.signature_header, rest);
  if (presence == Presence::kMissing) return Cause::kMissingSignature;
  if (presence == Presence::kSeveral || rest.size() > kMaxSignatureHeaderBytes)
    return Cause::kMalformedSignature;
  if (scheme.layout == Layout::kOne) {
    read_item(scheme, http::trim(rest), claims);
  } else {
    const char separator = scheme.layout == Layout::kVersions ? ' ' : ',';
    while (!rest.empty())
      if (!read_item(scheme, next_item(rest, separator), claims)) return Cause::kMalformedSignature;
  }
  return claims.signature_count > 0 ? Cause::kNone : Cause::kMalformedSignature;
}

Cause read_timestamp(const Scheme& scheme, const http::HeaderMap& headers, Claims& claims) {
  if (!scheme.timestamp_header.empty()) {
    const Presence presence = read_header(headers, scheme.timestamp_header, claims.timestamp);
    if (presence == Presence::kMissing) return Cause::kMissingTimestamp;
    if (presence == Presence::kSeveral) return Cause::kMalformedTimestamp;
  } else if (claims.timestamp.data() == nullptr) {
    return Cause::kMissingTimestamp;
  }
  const std::string_view text = claims.timestamp;
  // Digits alone: a sign, a space or a point would let the fields of what is signed shift.
  constexpr size_t kMaxDigits = 12;
  if (text.empty() || text.size() > kMaxDigits ||
      text.find_first_not_of("0123456789") != std::string_view::npos)
    return Cause::kMalformedTimestamp;
  std::from_chars(text.data(), text.data() + text.size(), claims.timestamp_s);
  return Cause::kNone;
}

// The text that stands right after {id} in what is signed.
std::string_view text_after_id(const Scheme& scheme) {
  for (size_t i = 0; i + 1 < scheme.content.size(); ++i)
    if (scheme.content[i].kind == Kind::kId) return scheme.content[i + 1].text;
  return {};
}

Cause read_id(const Scheme& scheme, const http::HeaderMap& headers, Claims& claims) {
  const Presence presence = read_header(headers, scheme.id_header, claims.id);
  if (presence == Presence::kMissing) return Cause::kMissingId;
  const std::string_view id = claims.id;
  const bool visible =
      std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (presence == Presence::kSeveral || id.empty() || id.size() > kMaxIdBytes || !visible)
    return Cause::kMalformedId;
  // An id that holds the text which ends it could take a part of the next field for its own.
  const std::string_view after = text_after_id(scheme);
  if (!after.empty() && id.find(after) != std::string_view::npos) return Cause::kMalformedId;
  return Cause::kNone;
}

std::string_view text_of(const ContentPart& part, const Claims& claims, std::string_view body) {
  switch (part.kind) {
    case Kind::kTimestamp:
      return claims.timestamp;
    case Kind::kId:
      return claims.id;
    case Kind::kBody:
      return body;
    case Kind::kLiteral:
      break;
  }
  return part.text;
}

}  // namespace

Cause read_claims(const Scheme& scheme, const http::HeaderMap& headers, Claims& claims) {
  if (const Cause cause = read_signatures(scheme, headers, claims); cause != Cause::kNone)
    return cause;
  if (scheme.signs(Kind::kTimestamp))
    if (const Cause cause = read_timestamp(scheme, headers, claims); cause != Cause::kNone)
      return cause;
  return scheme.signs(Kind::kId) ? read_id(scheme, headers, claims) : Cause::kNone;
}

Cause check_timestamp(const Claims& claims, int64_t now_s, int64_t tolerance_s) {
  if (now_s - claims.timestamp_s > tolerance_s) return Cause::kTimestampTooOld;
  if (claims.timestamp_s - now_s > tolerance_s) return Cause::kTimestampInFuture;
  return Cause::kNone;
}

Mac mac_of(const Scheme& scheme, const HmacKey& key, const Claims& claims, std::string_view body) {
  HmacSha256 running(key);
  for (const ContentPart& part : scheme.content) running.update(text_of(part, claims, body));
  return running.finish();
}

Verifier::Verifier(const Scheme& scheme, std::span<const HmacKey> keys, const Claims& claims,
                   bool digests)
    : scheme_(scheme), claims_(claims), key_count_(std::min(keys.size(), kMaxSecrets)) {
  for (size_t i = 0; i < key_count_; ++i) running_[i] = HmacSha256(keys[i]);
  if (digests) SHA256_Init(&content_.emplace());
  while (scheme_.content[body_part_].kind != Kind::kBody) ++body_part_;
  feed(0, body_part_);
}

void Verifier::body(std::string_view bytes) {
  for (size_t i = 0; i < key_count_; ++i) running_[i].update(bytes);
  if (content_) SHA256_Update(&*content_, bytes.data(), bytes.size());
}

// What is signed before and after the body.
void Verifier::feed(size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) body(text_of(scheme_.content[i], claims_, {}));
}

int Verifier::finish() {
  feed(body_part_ + 1, scheme_.content.size());
  int key = -1;
  for (size_t i = 0; i < key_count_; ++i) {
    const Mac mac = running_[i].finish();
    int same = 0;
    for (size_t s = 0; s < claims_.signature_count; ++s)
      same |= CRYPTO_memcmp(mac.data(), claims_.signatures[s].data(), mac.size()) == 0 ? 1 : 0;
    if (same != 0) key = static_cast<int>(i);
  }
  return key;
}

Digest Verifier::digest() {
  Digest digest;
  SHA256_Final(digest.data(), &*content_);
  return digest;
}

}  // namespace weir::webhook
