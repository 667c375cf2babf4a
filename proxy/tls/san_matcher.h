#pragma once

#include <openssl/base.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/string_match.h"

struct GENERAL_NAME_st;

namespace weir::tls {

enum class SanType : uint8_t { kEmail, kDns, kUri, kIp, kOtherName };

// One of match_typed_subject_alt_names. Immutable, any thread.
class SanMatcher {
 public:
  // `exact_dns`: the text of an exact matcher, which a wildcard of the certificate may cover.
  // `oid`: dotted, of other names; others are passed over.
  SanMatcher(SanType type, http::StringMatch match, std::string exact_dns, std::string oid);

  bool matches(const GENERAL_NAME_st& name) const;

 private:
  SanType type_;
  http::StringMatch match_;
  std::string exact_dns_;
  std::string oid_;
};

// Whether a DNS name of a certificate stands for this host. A wildcard is a whole left-most label
// and stands for one label (RFC 9525 6.3); letters' case does not matter.
bool dns_name_covers(std::string_view pattern, std::string_view host);

// Whether any name of the certificate fits any of the matchers. Names with a NUL byte never do.
bool any_san_matches(X509& certificate, const std::vector<SanMatcher>& matchers);
// Whether the certificate is for this host name, IP address or URI.
bool any_san_is(X509& certificate, std::string_view name);

}  // namespace weir::tls
