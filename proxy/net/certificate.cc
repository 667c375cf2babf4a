#include "proxy/net/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/base64.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/mem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace weir::net {
namespace {

std::string hex(const uint8_t* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * count);
  for (size_t i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string name_text(const X509_NAME* name) {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  const uint8_t* text;
  size_t length;
  if (!BIO_mem_contents(bio.get(), &text, &length)) return {};
  return {reinterpret_cast<const char*>(text), length};
}

std::string serial_text(const X509& certificate) {
  bssl::UniquePtr<BIGNUM> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  if (number == nullptr) return {};
  char* text = BN_bn2hex(number.get());
  if (text == nullptr) return {};
  std::string out(text);
  OPENSSL_free(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

int64_t time_s(const ASN1_TIME* time) {
  // The form of 1970-01-01T00:00:00Z; the difference to it is the time.
  bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (epoch == nullptr || !ASN1_TIME_diff(&days, &seconds, epoch.get(), time)) return 0;
  return int64_t{days} * 86400 + seconds;
}

std::string ip_text(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN];
  const int length = ASN1_STRING_length(address);
  if (length != 4 && length != 16) return {};
  const int family = length == 4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) == nullptr) return {};
  return text;
}

void add_text(const ASN1_STRING* text, std::vector<std::string>& out) {
  std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<size_t>(ASN1_STRING_length(text)));
  if (value.find('\0') == std::string::npos) out.push_back(std::move(value));
}

void read_sans(X509& certificate, CertificateFacts& out) {
  bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) add_text(name->d.uniformResourceIdentifier, out.uri_sans);
    if (name->type == GEN_DNS) add_text(name->d.dNSName, out.dns_sans);
    if (name->type == GEN_EMAIL) add_text(name->d.rfc822Name, out.email_sans);
    if (name->type == GEN_IPADD)
      if (std::string ip = ip_text(name->d.iPAddress); !ip.empty())
        out.ip_sans.push_back(std::move(ip));
  }
}

std::string digest_text(const X509& certificate, const EVP_MD* kind) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!X509_digest(&certificate, kind, digest, &length)) return {};
  return hex(digest, length);
}

void append_encoded(std::string& out, char c) {
  switch (c) {
    case '\n':
      out += "%0A";
      break;
    case ' ':
      out += "%20";
      break;
    case '+':
      out += "%2B";
      break;
    case '/':
      out += "%2F";
      break;
    case '=':
      out += "%3D";
      break;
    default:
      out += c;
  }
}

}  // namespace

CertificateFacts read_facts(x509_st& certificate) {
  CertificateFacts out;
  out.subject = name_text(X509_get_subject_name(&certificate));
  out.issuer = name_text(X509_get_issuer_name(&certificate));
  out.serial = serial_text(certificate);
  out.sha256 = digest_text(certificate, EVP_sha256());
  out.sha1 = digest_text(certificate, EVP_sha1());
  read_sans(certificate, out);
  out.not_before_s = time_s(X509_get0_notBefore(&certificate));
  out.not_after_s = time_s(X509_get0_notAfter(&certificate));
  return out;
}

std::unique_ptr<CertificateFacts> read_facts(std::string_view der) {
  const auto* at = reinterpret_cast<const uint8_t*>(der.data());
  bssl::UniquePtr<X509> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr) return nullptr;
  return std::make_unique<CertificateFacts>(read_facts(*certificate));
}

std::string url_encoded_pem(std::string_view der) {
  constexpr size_t kLineChars = 64;
  std::string text(4 * ((der.size() + 2) / 3) + 1, '\0');
  const size_t length = EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()),
                                        reinterpret_cast<const uint8_t*>(der.data()), der.size());
  text.resize(length);
  std::string out = "-----BEGIN%20CERTIFICATE-----%0A";
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && i % kLineChars == 0) append_encoded(out, '\n');
    append_encoded(out, text[i]);
  }
  return out + "%0A-----END%20CERTIFICATE-----%0A";
}

}  // namespace weir::net
