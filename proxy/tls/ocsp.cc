// OCSP responses (RFC 6960 4.2.1) as far as stapling looks at them: what is said of which
// certificate, and until when. The signature is for the client to check.
#include <openssl/bytestring.h>

#include <ctime>

#include "proxy/tls/identity.h"

namespace weir::tls {
namespace {

constexpr unsigned kContext = CBS_ASN1_CONTEXT_SPECIFIC;
constexpr unsigned kConstructed = CBS_ASN1_CONSTRUCTED;
constexpr unsigned kGood = kContext | 0;
constexpr unsigned kRevoked = kContext | kConstructed | 1;

Error broken(const char* what) {
  return {"bad-ocsp", std::string("the OCSP response is broken: ") + what};
}

// GeneralizedTime of DER: YYYYMMDDHHMMSSZ.
bool read_time(CBS& in, int64_t& out) {
  CBS text;
  if (!CBS_get_asn1(&in, &text, CBS_ASN1_GENERALIZEDTIME) || CBS_len(&text) != 15) return false;
  const uint8_t* at = CBS_data(&text);
  if (at[14] != 'Z') return false;
  int numbers[7] = {};  // two digits each
  for (int i = 0; i < 14; ++i) {
    if (at[i] < '0' || at[i] > '9') return false;
    numbers[i / 2] = numbers[i / 2] * 10 + (at[i] - '0');
  }
  tm time{};
  time.tm_year = numbers[0] * 100 + numbers[1] - 1900;
  time.tm_mon = numbers[2] - 1;
  time.tm_mday = numbers[3];
  time.tm_hour = numbers[4];
  time.tm_min = numbers[5];
  time.tm_sec = numbers[6];
  out = timegm(&time);
  return true;
}

std::string serial_of(const CBS& serial) {
  static constexpr char kDigits[] = "0123456789abcdef";
  CBS rest = serial;
  // A leading zero keeps a number positive.
  while (CBS_len(&rest) > 1 && CBS_data(&rest)[0] == 0) CBS_skip(&rest, 1);
  std::string out;
  for (size_t i = 0; i < CBS_len(&rest); ++i) {
    out += kDigits[CBS_data(&rest)[i] >> 4];
    out += kDigits[CBS_data(&rest)[i] & 15];
  }
  return out;
}

// From OCSPResponse down to the list of SingleResponse.
Result<CBS> responses_in(std::string_view der) {
  CBS in, response, status, wrapped, bytes, basic_octets, basic, data, responder, responses;
  CBS_init(&in, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  if (!CBS_get_asn1(&in, &response, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&response, &status, CBS_ASN1_ENUMERATED) || CBS_len(&status) != 1)
    return broken("it is no OCSPResponse in DER form");
  if (CBS_data(&status)[0] != 0)
    return Error{"bad-ocsp", "the OCSP response only says that the request failed"};
  if (!CBS_get_asn1(&response, &wrapped, kContext | kConstructed | 0) ||
      !CBS_get_asn1(&wrapped, &bytes, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&bytes, nullptr, CBS_ASN1_OBJECT) ||
      !CBS_get_asn1(&bytes, &basic_octets, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&basic_octets, &basic, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&basic, &data, CBS_ASN1_SEQUENCE))
    return broken("it holds no BasicOCSPResponse");
  if (!CBS_get_optional_asn1(&data, nullptr, nullptr, kContext | kConstructed | 0) ||
      !CBS_get_any_asn1(&data, &responder, nullptr) ||
      !CBS_get_asn1(&data, nullptr, CBS_ASN1_GENERALIZEDTIME) ||
      !CBS_get_asn1(&data, &responses, CBS_ASN1_SEQUENCE))
    return broken("its ResponseData");
  return responses;
}

}  // namespace

Result<OcspStaple> parse_ocsp(std::string_view der, const net::CertificateFacts& leaf) {
  Result<CBS> responses = responses_in(der);
  if (!responses) return responses.error();
  CBS single, id, serial, status, next;
  unsigned verdict = 0;
  if (!CBS_get_asn1(&*responses, &single, CBS_ASN1_SEQUENCE) || CBS_len(&*responses) != 0)
    return Error{"bad-ocsp", "the OCSP response is not about exactly one certificate"};
  if (!CBS_get_asn1(&single, &id, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&id, nullptr, CBS_ASN1_SEQUENCE) ||
      !CBS_get_asn1(&id, nullptr, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&id, nullptr, CBS_ASN1_OCTETSTRING) ||
      !CBS_get_asn1(&id, &serial, CBS_ASN1_INTEGER) ||
      !CBS_get_any_asn1(&single, &status, &verdict))
    return broken("its SingleResponse");
  int64_t this_update_s = 0;
  OcspStaple out;
  int has_next = 0;
  if (!read_time(single, this_update_s) ||
      !CBS_get_optional_asn1(&single, &next, &has_next, kContext | kConstructed | 0) ||
      (has_next != 0 && !read_time(next, out.next_update_s)))
    return broken("its times");
  if (serial_of(serial) != leaf.serial)
    return Error{"bad-ocsp", "the OCSP response is for serial " + serial_of(serial) +
                                 ", the certificate has " + leaf.serial};
  if (verdict == kRevoked) return Error{"bad-ocsp", "the certificate is revoked"};
  if (verdict != kGood) return Error{"bad-ocsp", "the responder does not know the certificate"};
  out.der = der;
  return out;
}

}  // namespace weir::tls
