#include "proxy/tls/san_matcher.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <utility>

namespace weir::tls {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::optional<std::string> text_of(const ASN1_STRING* text) {
  std::string out(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                  static_cast<size_t>(ASN1_STRING_length(text)));
  if (out.find('\0') != std::string::npos) return std::nullopt;
  return out;
}

std::optional<std::string> ip_of(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN];
  const int length = ASN1_STRING_length(address);
  if (length != 4 && length != 16) return std::nullopt;
  const int family = length == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) == nullptr)
    return std::nullopt;
  return text;
}

std::string oid_text(const ASN1_OBJECT* object) {
  char text[128];
  const int length = OBJ_obj2txt(text, sizeof(text), object, 1);
  return length > 0 && length < static_cast<int>(sizeof(text)) ? text : "";
}

std::optional<std::string> integer_text(const ASN1_INTEGER* integer) {
  const bssl::UniquePtr<BIGNUM> number(ASN1_INTEGER_to_BN(integer, nullptr));
  char* digits = number == nullptr ? nullptr : BN_bn2dec(number.get());
  if (digits == nullptr) return std::nullopt;
  std::string out(digits);
  OPENSSL_free(digits);
  return out;
}

// As the API says: by the value's ASN.1 type.
std::optional<std::string> other_value(const ASN1_TYPE& value) {
  switch (value.type) {
    case V_ASN1_BOOLEAN:
      return value.value.boolean != 0 ? "true" : "false";
    case V_ASN1_NULL:
      return std::string();
    case V_ASN1_OBJECT:
      return oid_text(value.value.object);
    case V_ASN1_INTEGER:
    case V_ASN1_ENUMERATED:
      return integer_text(value.value.integer);
    case V_ASN1_SEQUENCE:
    case V_ASN1_SET:
    case V_ASN1_OTHER:
      return std::nullopt;
    default:
      return text_of(value.value.asn1_string);
  }
}

std::optional<SanType> type_of(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_EMAIL:
      return SanType::kEmail;
    case GEN_DNS:
      return SanType::kDns;
    case GEN_URI:
      return SanType::kUri;
    case GEN_IPADD:
      return SanType::kIp;
    case GEN_OTHERNAME:
      return SanType::kOtherName;
    default:
      return std::nullopt;
  }
}

std::optional<std::string> value_of(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_EMAIL:
      return text_of(name.d.rfc822Name);
    case GEN_DNS:
      return text_of(name.d.dNSName);
    case GEN_URI:
      return text_of(name.d.uniformResourceIdentifier);
    case GEN_IPADD:
      return ip_of(name.d.iPAddress);
    case GEN_OTHERNAME:
      return other_value(*name.d.otherName->value);
    default:
      return std::nullopt;
  }
}

template <class Predicate>
bool any_name(X509& certificate, Predicate fits) {
  const bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return false;
  for (size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
    if (fits(*sk_GENERAL_NAME_value(names.get(), i))) return true;
  return false;
}

}  // namespace

SanMatcher::SanMatcher(SanType type, http::StringMatch match, std::string exact_dns,
                       std::string oid)
    : type_(type),
      match_(std::move(match)),
      exact_dns_(std::move(exact_dns)),
      oid_(std::move(oid)) {}

bool SanMatcher::matches(const GENERAL_NAME_st& name) const {
  if (type_of(name) != type_) return false;
  if (type_ == SanType::kOtherName && oid_text(name.d.otherName->type_id) != oid_) return false;
  const std::optional<std::string> value = value_of(name);
  if (!value) return false;
  if (type_ == SanType::kDns && !exact_dns_.empty()) return dns_name_covers(*value, exact_dns_);
  return match_.matches(*value);
}

bool dns_name_covers(std::string_view pattern, std::string_view host) {
  if (pattern.empty() || host.empty()) return false;
  if (equal_ignoring_case(pattern, host)) return true;
  if (pattern.substr(0, 2) != "*." || pattern.find('*', 1) != std::string_view::npos) return false;
  const size_t dot = host.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  // A wildcard for a whole top-level domain is nobody's name.
  const std::string_view domain = pattern.substr(2);
  if (domain.find('.') == std::string_view::npos) return false;
  return equal_ignoring_case(domain, host.substr(dot + 1));
}

bool any_san_matches(X509& certificate, const std::vector<SanMatcher>& matchers) {
  return any_name(certificate, [&](const GENERAL_NAME& name) {
    for (const SanMatcher& matcher : matchers)
      if (matcher.matches(name)) return true;
    return false;
  });
}

bool any_san_is(X509& certificate, std::string_view wanted) {
  return any_name(certificate, [&](const GENERAL_NAME& name) {
    const std::optional<std::string> value = value_of(name);
    if (!value) return false;
    if (name.type == GEN_DNS) return dns_name_covers(*value, wanted);
    return (name.type == GEN_URI || name.type == GEN_IPADD) && *value == wanted;
  });
}

}  // namespace weir::tls
