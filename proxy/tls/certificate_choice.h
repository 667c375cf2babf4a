#pragma once

#include <openssl/base.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/tls/identity.h"

namespace weir::tls {

enum class OcspPolicy : uint8_t { kLenient, kStrict, kMustStaple };

// What of a client's hello decides which certificate it gets.
struct ClientAbilities {
  std::string_view sni;  // in any case
  bool p256 = false;     // verifies ECDSA on that curve
  bool p384 = false;
  bool p521 = false;
  bool ocsp = false;  // asks for a stapled response

  // `tls13`: the server speaks TLS 1.3.
  static ClientAbilities read(const SSL_CLIENT_HELLO& hello, bool tls13);
  static bool asks_for_ocsp(const SSL_CLIENT_HELLO& hello);
  bool can_verify(const Identity& identity) const;
  bool any_ecdsa() const { return p256 || p384 || p521; }
};

// Chooses among a server's certificates as Envoy documents it: by name, exact before wildcard, then
// ECDSA before RSA for clients that can, the first one for all others. Immutable.
class CertificateChoice {
 public:
  // The identities outlive it.
  CertificateChoice(const std::vector<Identity>& identities, OcspPolicy policy,
                    bool scan_on_mismatch);

  struct Chosen {
    const Identity* identity;  // null: the policy forbids each that fits
    bool staple;
  };
  Chosen choose(const ClientAbilities& client, int64_t now_s) const;

 private:
  enum class Staple : uint8_t { kYes, kNo, kForbidden };
  using List = std::vector<const Identity*>;

  Staple staple_of(const Identity& identity, bool client_asks, int64_t now_s) const;
  const Identity* best_of(const List& list, const ClientAbilities& client, int64_t now_s) const;

  const std::vector<Identity>& identities_;
  std::map<std::string, List, std::less<>> by_name_;  // wildcards begin with '.'
  List all_;
  OcspPolicy policy_;
  bool scan_on_mismatch_;
};

}  // namespace weir::tls
