#include "filters/common/fingerprint.h"

#include <openssl/rand.h>
#include <openssl/siphash.h>

namespace weir::filters {

Fingerprint::Fingerprint() {
  RAND_bytes(reinterpret_cast<uint8_t*>(key_), sizeof(key_));
}

uint64_t Fingerprint::of(std::string_view text) const {
  return SIPHASH_24(key_, reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

}  // namespace weir::filters
