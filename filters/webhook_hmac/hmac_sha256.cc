#include "filters/webhook_hmac/hmac_sha256.h"

#include <openssl/mem.h>

#include <algorithm>

namespace weir::webhook {
namespace {

SHA256_CTX start(std::array<uint8_t, SHA256_CBLOCK> block, uint8_t pad) {
  for (uint8_t& byte : block) byte ^= pad;
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
  return state;
}

}  // namespace

HmacKey::HmacKey(std::string_view secret) {
  std::array<uint8_t, SHA256_CBLOCK> block{};
  if (secret.size() > block.size())
    SHA256(reinterpret_cast<const uint8_t*>(secret.data()), secret.size(), block.data());
  else
    std::copy(secret.begin(), secret.end(), block.begin());
  inner_ = start(block, 0x36);
  outer_ = start(block, 0x5c);
  OPENSSL_cleanse(block.data(), block.size());
}

Mac HmacSha256::finish() {
  Mac inner;
  SHA256_Final(inner.data(), &running_);
  SHA256_CTX outer = key_->outer_;
  SHA256_Update(&outer, inner.data(), inner.size());
  Mac mac;
  SHA256_Final(mac.data(), &outer);
  return mac;
}

}  // namespace weir::webhook
