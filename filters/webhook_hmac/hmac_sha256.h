#pragma once

#include <openssl/sha.h>

#include <array>
#include <string_view>

namespace weir::webhook {

using Digest = std::array<uint8_t, SHA256_DIGEST_LENGTH>;
using Mac = Digest;

// A secret, hashed once into the two states that every HMAC-SHA256 with it starts from (RFC 2104),
// so that checking a request neither allocates nor hashes the secret again. Immutable.
class HmacKey {
 public:
  explicit HmacKey(std::string_view secret);

 private:
  friend class HmacSha256;
  SHA256_CTX inner_;
  SHA256_CTX outer_;
};

// One HMAC-SHA256 over bytes as they come. The key must outlive it.
class HmacSha256 {
 public:
  HmacSha256() = default;
  explicit HmacSha256(const HmacKey& key) : key_(&key), running_(key.inner_) {}

  void update(std::string_view bytes) { SHA256_Update(&running_, bytes.data(), bytes.size()); }
  Mac finish();  // once

 private:
  const HmacKey* key_ = nullptr;
  SHA256_CTX running_;
};

}  // namespace weir::webhook
