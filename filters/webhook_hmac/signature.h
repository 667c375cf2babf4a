#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "filters/webhook_hmac/cause.h"
#include "filters/webhook_hmac/hmac_sha256.h"
#include "filters/webhook_hmac/scheme.h"
#include "proxy/http/headers.h"

namespace weir::webhook {

inline constexpr size_t kMaxSecrets = 8;
inline constexpr size_t kMaxSignatures = 16;
inline constexpr size_t kMaxSignatureHeaderBytes = 4096;
inline constexpr size_t kMaxIdBytes = 256;

// What a request's headers claim. Views into them. Not believed before the signature matched.
struct Claims {
  std::string_view timestamp;  // as signed
  int64_t timestamp_s = 0;
  std::string_view id;
  std::array<Mac, kMaxSignatures> signatures;
  size_t signature_count = 0;
};

// Reads the claims; a cause of the missing_* and malformed_* kind when they are not all there.
// A header that comes twice is malformed: nobody could tell which one others believe.
Cause read_claims(const Scheme& scheme, const http::HeaderMap& headers, Claims& claims);

// Whether the claimed timestamp lies further than `tolerance_s` from the present.
Cause check_timestamp(const Claims& claims, int64_t now_s, int64_t tolerance_s);

// The signature of a whole body under one key.
Mac mac_of(const Scheme& scheme, const HmacKey& key, const Claims& claims, std::string_view body);

// Computes the signature under each key over a body as it comes. `scheme`, `keys` (at most
// kMaxSecrets) and what the claims point at must outlive it.
class Verifier {
 public:
  // `digests`: whether digest() is wanted, which costs as much as one more key.
  Verifier(const Scheme& scheme, std::span<const HmacKey> keys, const Claims& claims,
           bool digests = false);

  void body(std::string_view bytes);

  // After the whole body. The index of the key that made one of the claimed signatures, or -1.
  // Takes the same time whichever it is, and wherever signatures differ.
  int finish();

  // After finish(), once: SHA-256 of what is signed, the same whoever signed it and how often.
  Digest digest();

 private:
  void feed(size_t from, size_t to);

  const Scheme& scheme_;
  const Claims& claims_;
  size_t key_count_;
  size_t body_part_ = 0;
  std::array<HmacSha256, kMaxSecrets> running_;
  std::optional<SHA256_CTX> content_;  // where its digest is wanted
};

}  // namespace weir::webhook
