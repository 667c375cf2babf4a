#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;

namespace weir::net {

// What a certificate says of its holder, as logs, headers and admin endpoints show it. A value.
struct CertificateFacts {
  std::string subject;  // RFC 2253
  std::string issuer;   // RFC 2253
  std::string serial;   // lower-case hexadecimal
  std::string sha256;   // of the DER form, lower-case hexadecimal
  std::string sha1;
  std::vector<std::string> uri_sans;
  std::vector<std::string> dns_sans;
  std::vector<std::string> ip_sans;
  std::vector<std::string> email_sans;
  int64_t not_before_s = 0;  // since 1970
  int64_t not_after_s = 0;
};

// Names with a NUL byte are left out: they are read differently by different programs.
CertificateFacts read_facts(x509_st& certificate);
// Null when the bytes are no certificate.
std::unique_ptr<CertificateFacts> read_facts(std::string_view der);

// The DER form as PEM with what a header's value cannot carry percent-encoded, as
// x-forwarded-client-cert wants it.
std::string url_encoded_pem(std::string_view der);

}  // namespace weir::net
