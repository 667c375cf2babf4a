#pragma once

#include <openssl/base.h>

#include <array>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace weir::tls {

// A key that seals session tickets: a name, an HMAC-SHA256 and an AES-256 key (RFC 5077 4).
struct TicketKey {
  static constexpr size_t kBytes = 80;

  std::array<uint8_t, 16> name;
  std::array<uint8_t, 32> hmac;
  std::array<uint8_t, 32> aes;

  // Exactly kBytes, in this order.
  static Result<TicketKey> parse(std::string_view bytes);
};

// Keys of a context: the first seals, each may open. What an older one opened is sealed anew.
class TicketKeys {
 public:
  explicit TicketKeys(std::vector<TicketKey> keys) : keys_(std::move(keys)) {}
  ~TicketKeys();
  TicketKeys(TicketKeys&&) = default;
  TicketKeys& operator=(TicketKeys&&) = default;

  bool empty() const { return keys_.empty(); }
  // As SSL_CTX_set_tlsext_ticket_key_cb wants it.
  int seal(uint8_t* name, uint8_t* iv, EVP_CIPHER_CTX& cipher, HMAC_CTX& hmac) const;
  int open(const uint8_t* name, const uint8_t* iv, EVP_CIPHER_CTX& cipher, HMAC_CTX& hmac) const;

 private:
  std::vector<TicketKey> keys_;
};

}  // namespace weir::tls
