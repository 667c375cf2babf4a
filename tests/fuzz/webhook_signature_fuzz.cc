// Webhook headers and bodies from anyone. An input is a letter for the scheme and then lines: the
// signature header, the timestamp, the id, and the body up to the end; of the letter 'c' the first
// line is what a custom scheme signs.
//
// Checked: nothing crashes; and the verdict on a body in pieces is that of an independent
// computation over the whole.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "filters/webhook_hmac/signature.h"

namespace {

using weir::webhook::Cause;
using weir::webhook::Claims;
using weir::webhook::ContentPart;
using weir::webhook::Encoding;
using weir::webhook::HmacKey;
using weir::webhook::Mac;
using weir::webhook::Scheme;

void expect(bool holds) {
  if (!holds) std::abort();
}

std::string_view next_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

Scheme custom(std::string_view content) {
  Scheme scheme{.name = "custom",
                .signature_header = "signature",
                .prefix = "",
                .layout = weir::webhook::Layout::kList,
                .encoding = Encoding::kBase64Url,
                .timestamp_header = "timestamp",
                .id_header = "id"};
  auto parts = weir::webhook::parse_content(content);
  scheme.content = parts ? parts.take() : *weir::webhook::parse_content("{body}");
  return scheme;
}

Scheme scheme_of(char letter, std::string_view& rest) {
  switch (letter) {
    case 'g':
      return *weir::webhook::preset("github");
    case 's':
      return *weir::webhook::preset("stripe");
    case 'k':
      return *weir::webhook::preset("slack");
    case 'c':
      return custom(next_line(rest));
    default:
      return *weir::webhook::preset("standard_webhooks");
  }
}

bool one_is(const Claims& claims, const Mac& mac) {
  const auto begin = claims.signatures.begin();
  const auto end = begin + static_cast<long>(claims.signature_count);
  return std::find(begin, end, mac) != end;
}

void check_verdict(const Scheme& scheme, const Claims& claims, std::string_view body) {
  const std::vector<HmacKey> keys = {HmacKey("a secret of 16 b"), HmacKey("another of 16 b.")};
  weir::webhook::Verifier verifier(scheme, keys, claims);
  const size_t cut = body.size() / 3;
  verifier.body(body.substr(0, cut));
  verifier.body(body.substr(cut));
  const int key = verifier.finish();
  bool right = false;
  for (const HmacKey& each : keys)
    right |= one_is(claims, weir::webhook::mac_of(scheme, each, claims, body));
  expect((key >= 0) == right);
  expect(key < 0 || one_is(claims, weir::webhook::mac_of(scheme, keys[static_cast<size_t>(key)],
                                                         claims, body)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Scheme scheme = scheme_of(static_cast<char>(data[0]), rest);
  weir::Arena arena;
  weir::http::HeaderMap headers(arena);
  headers.add(scheme.signature_header, next_line(rest));
  const std::string_view timestamp = next_line(rest);
  if (!scheme.timestamp_header.empty()) headers.add(scheme.timestamp_header, timestamp);
  const std::string_view id = next_line(rest);
  if (!scheme.id_header.empty()) headers.add(scheme.id_header, id);
  Claims claims;
  if (weir::webhook::read_claims(scheme, headers, claims) != Cause::kNone) return 0;
  expect(claims.signature_count > 0);
  expect(claims.id.size() <= weir::webhook::kMaxIdBytes);
  expect(!scheme.signs(ContentPart::Kind::kTimestamp) || claims.timestamp_s >= 0);
  check_verdict(scheme, claims, rest);
  return 0;
}
