#include "proxy/tls/certificate_choice.h"

#include <openssl/bytestring.h>
#include <openssl/ssl.h>

namespace weir::tls {
namespace {

std::string in_lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool extension(const SSL_CLIENT_HELLO& hello, uint16_t type, CBS& out) {
  const uint8_t* bytes;
  size_t length;
  if (!SSL_early_callback_ctx_extension_get(&hello, type, &bytes, &length)) return false;
  CBS_init(&out, bytes, length);
  return true;
}

// Calls visit(number) for a list of 16-bit numbers with a length of `prefix` bytes before it.
template <class Visit>
bool for_each_number(const SSL_CLIENT_HELLO& hello, uint16_t type, int prefix, Visit visit) {
  CBS body, list;
  if (!extension(hello, type, body)) return false;
  if (!(prefix == 1 ? CBS_get_u8_length_prefixed(&body, &list)
                    : CBS_get_u16_length_prefixed(&body, &list)))
    return false;
  for (uint16_t number; CBS_get_u16(&list, &number);) visit(number);
  return true;
}

bool speaks_tls13(const SSL_CLIENT_HELLO& hello) {
  bool out = false;
  for_each_number(hello, TLSEXT_TYPE_supported_versions, 1,
                  [&](uint16_t version) { out = out || version == TLS1_3_VERSION; });
  return out;
}

bool has_ecdsa_cipher(const SSL_CLIENT_HELLO& hello) {
  CBS list;
  CBS_init(&list, hello.cipher_suites, hello.cipher_suites_len);
  for (uint16_t value; CBS_get_u16(&list, &value);) {
    const SSL_CIPHER* cipher = SSL_get_cipher_by_value(value);
    if (cipher != nullptr && SSL_CIPHER_get_auth_nid(cipher) == NID_auth_ecdsa) return true;
  }
  return false;
}

// The host name of the server_name extension (RFC 6066 3).
std::string_view server_name(const SSL_CLIENT_HELLO& hello) {
  CBS body, list, name;
  uint8_t type;
  if (!extension(hello, TLSEXT_TYPE_server_name, body) ||
      !CBS_get_u16_length_prefixed(&body, &list) || !CBS_get_u8(&list, &type) ||
      type != TLSEXT_NAMETYPE_host_name || !CBS_get_u16_length_prefixed(&list, &name))
    return {};
  return {reinterpret_cast<const char*>(CBS_data(&name)), CBS_len(&name)};
}

}  // namespace

bool ClientAbilities::asks_for_ocsp(const SSL_CLIENT_HELLO& hello) {
  CBS unused;
  return extension(hello, TLSEXT_TYPE_status_request, unused);
}

ClientAbilities ClientAbilities::read(const SSL_CLIENT_HELLO& hello, bool tls13) {
  ClientAbilities out;
  out.sni = server_name(hello);
  out.ocsp = asks_for_ocsp(hello);
  ClientAbilities signs, curves;
  const bool lists_signatures =
      for_each_number(hello, TLSEXT_TYPE_signature_algorithms, 2, [&](uint16_t value) {
        signs.p256 = signs.p256 || value == SSL_SIGN_ECDSA_SECP256R1_SHA256;
        signs.p384 = signs.p384 || value == SSL_SIGN_ECDSA_SECP384R1_SHA384;
        signs.p521 = signs.p521 || value == SSL_SIGN_ECDSA_SECP521R1_SHA512;
      });
  if (tls13 && speaks_tls13(hello)) {
    out.p256 = signs.p256;
    out.p384 = signs.p384;
    out.p521 = signs.p521;
    return out;
  }
  // Up to TLS 1.2 the curve is a matter of its own, and the signature's hash is not tied to it.
  if (!has_ecdsa_cipher(hello) || (lists_signatures && !signs.any_ecdsa())) return out;
  const bool lists_curves =
      for_each_number(hello, TLSEXT_TYPE_supported_groups, 2, [&](uint16_t value) {
        curves.p256 = curves.p256 || value == SSL_CURVE_SECP256R1;
        curves.p384 = curves.p384 || value == SSL_CURVE_SECP384R1;
        curves.p521 = curves.p521 || value == SSL_CURVE_SECP521R1;
      });
  out.p256 = !lists_curves || curves.p256;
  out.p384 = lists_curves && curves.p384;
  out.p521 = lists_curves && curves.p521;
  return out;
}

bool ClientAbilities::can_verify(const Identity& identity) const {
  if (!identity.ecdsa) return true;
  switch (identity.curve) {
    case SSL_CURVE_SECP256R1:
      return p256;
    case SSL_CURVE_SECP384R1:
      return p384;
    default:
      return p521;
  }
}

CertificateChoice::CertificateChoice(const std::vector<Identity>& identities, OcspPolicy policy,
                                     bool scan_on_mismatch)
    : identities_(identities), policy_(policy), scan_on_mismatch_(scan_on_mismatch) {
  for (const Identity& identity : identities_) {
    all_.push_back(&identity);
    for (const std::string& name : identity.names) {
      const bool wildcard = name.size() > 2 && name.compare(0, 2, "*.") == 0;
      by_name_[wildcard ? name.substr(1) : name].push_back(&identity);
    }
  }
}

CertificateChoice::Staple CertificateChoice::staple_of(const Identity& identity, bool client_asks,
                                                       int64_t now_s) const {
  const bool valid = identity.ocsp.valid_at(now_s);
  // A client that asks for nothing cannot be given a proof, and does not miss it.
  if (!client_asks) return Staple::kNo;
  if (valid) return Staple::kYes;
  const bool has_one = !identity.ocsp.der.empty();
  const bool forbidden = policy_ == OcspPolicy::kMustStaple || identity.must_staple ||
                         (policy_ == OcspPolicy::kStrict && has_one);
  return forbidden ? Staple::kForbidden : Staple::kNo;
}

const Identity* CertificateChoice::best_of(const List& list, const ClientAbilities& client,
                                           int64_t now_s) const {
  const Identity* candidate = nullptr;
  for (const Identity* one : list) {
    if (staple_of(*one, client.ocsp, now_s) == Staple::kForbidden || !client.can_verify(*one))
      continue;
    if (one->ecdsa) return one;
    if (candidate == nullptr) candidate = one;
  }
  return candidate;
}

CertificateChoice::Chosen CertificateChoice::choose(const ClientAbilities& client,
                                                    int64_t now_s) const {
  const Identity* chosen = nullptr;
  const std::string name = in_lower_case(client.sni);
  if (!name.empty()) {
    if (const auto exact = by_name_.find(name); exact != by_name_.end())
      chosen = best_of(exact->second, client, now_s);
    const size_t dot = name.find('.');
    if (chosen == nullptr && dot != std::string::npos && dot > 0 && dot + 1 < name.size())
      if (const auto wildcard = by_name_.find(name.substr(dot)); wildcard != by_name_.end())
        chosen = best_of(wildcard->second, client, now_s);
  }
  if (chosen == nullptr && (name.empty() || scan_on_mismatch_))
    chosen = best_of(all_, client, now_s);
  if (chosen == nullptr) chosen = &identities_.front();
  const Staple staple = staple_of(*chosen, client.ocsp, now_s);
  if (staple == Staple::kForbidden) return {nullptr, false};
  return {chosen, staple == Staple::kYes};
}

}  // namespace weir::tls
