#include "proxy/tls/ticket_keys.h"

#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/rand.h>

#include <cstring>
#include <string>

namespace weir::tls {

Result<TicketKey> TicketKey::parse(std::string_view bytes) {
  if (bytes.size() != kBytes)
    return Error{"bad-ticket-key", "a session ticket key has exactly 80 bytes, this one has " +
                                       std::to_string(bytes.size()) +
                                       "; openssl rand 80 makes one"};
  TicketKey out;
  std::memcpy(out.name.data(), bytes.data(), 16);
  std::memcpy(out.hmac.data(), bytes.data() + 16, 32);
  std::memcpy(out.aes.data(), bytes.data() + 48, 32);
  return out;
}

TicketKeys::~TicketKeys() {
  for (TicketKey& key : keys_) OPENSSL_cleanse(&key, sizeof(key));
}

int TicketKeys::seal(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX& cipher, HMAC_CTX& hmac) const {
  const TicketKey& key = keys_.front();
  std::memcpy(name, key.name.data(), key.name.size());
  RAND_bytes(iv, EVP_CIPHER_iv_length(EVP_aes_256_cbc()));
  const bool good =
      EVP_EncryptInit_ex(&cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv) != 0 &&
      HMAC_Init_ex(&hmac, key.hmac.data(), key.hmac.size(), EVP_sha256(), nullptr) != 0;
  return good ? 1 : -1;
}

int TicketKeys::open(const uint8_t* name, const uint8_t* iv, EVP_CIPHER_CTX& cipher,
                     HMAC_CTX& hmac) const {
  for (const TicketKey& key : keys_) {
    if (std::memcmp(name, key.name.data(), key.name.size()) != 0) continue;
    if (!HMAC_Init_ex(&hmac, key.hmac.data(), key.hmac.size(), EVP_sha256(), nullptr) ||
        !EVP_DecryptInit_ex(&cipher, EVP_aes_256_cbc(), nullptr, key.aes.data(), iv))
      return -1;
    constexpr int kOpened = 1;
    constexpr int kSealAnew = 2;
    return &key == &keys_.front() ? kOpened : kSealAnew;
  }
  return 0;  // a full handshake
}

}  // namespace weir::tls
