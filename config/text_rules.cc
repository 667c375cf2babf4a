// The rules of strings and bytes.
#include <arpa/inet.h>

#include <algorithm>
#include <cctype>

#include "config/rule_checks.h"
#include "config/utf8.h"

namespace weir::config {
namespace {

constexpr std::string_view kNotInUris = " \"<>\\^`{|}";
constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

bool is_alphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool is_ipv4(const std::string& text) {
  in_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// RFC 1034 section 3.5, with digits allowed at the beginning of a label (RFC 1123).
bool is_hostname(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty() || label.size() > 63) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    const auto fits = [](char c) { return is_alphanumeric(c) || c == '-'; };
    if (!std::all_of(label.begin(), label.end(), fits)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  return at != std::string_view::npos && at > 0 && at <= 64 && is_hostname(text.substr(at + 1));
}

// RFC 3986: no character that would have to be escaped, and for an absolute URI a scheme.
bool is_uri_reference(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7f || kNotInUris.find(c) != std::string_view::npos;
  });
}

bool is_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view scheme = text.substr(0, colon);
  const bool has_scheme = std::isalpha(static_cast<unsigned char>(scheme[0])) != 0 &&
                          std::all_of(scheme.begin(), scheme.end(), [](char c) {
                            return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
                          });
  return has_scheme && is_uri_reference(text);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) {
      return false;
    }
  }
  return true;
}

bool has_line_break_or_nul(std::string_view text) {
  return text.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos;
}

// RFC 9110 section 5.6.2 token, behind the colon of a pseudo-header. Not strict: anything but a
// line break or NUL, and also nothing, which is how fields that need not be set are declared.
bool is_header_name(std::string_view text, bool strict) {
  if (!strict) return !has_line_break_or_nul(text);
  if (text.starts_with(':')) text.remove_prefix(1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || kTokenMarks.find(c) != std::string_view::npos;
  });
}

// RFC 9110 section 5.5: no control character but the tab.
bool is_header_value(std::string_view text, bool strict) {
  if (!strict) return !has_line_break_or_nul(text);
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

std::string broken_known_regex(const validate::StringRules& rules, std::string_view value) {
  if (rules.well_known_regex() == validate::HTTP_HEADER_NAME) {
    return is_header_name(value, rules.strict()) ? "" : "must be the name of an HTTP header";
  }
  if (rules.well_known_regex() == validate::HTTP_HEADER_VALUE) {
    return is_header_value(value, rules.strict()) ? "" : "must be the value of an HTTP header";
  }
  return {};
}

std::string broken_well_known(const validate::StringRules& rules, std::string_view value) {
  using Rules = validate::StringRules;
  const std::string text(value);
  const auto check = [](bool ok, std::string_view what) {
    return ok ? std::string() : "must be " + std::string(what);
  };
  switch (rules.well_known_case()) {
    case Rules::kEmail:
      return check(is_email(value), "an e-mail address");
    case Rules::kHostname:
      return check(is_hostname(value), "a hostname");
    case Rules::kIp:
      return check(is_ipv4(text) || is_ipv6(text), "an IP address");
    case Rules::kIpv4:
      return check(is_ipv4(text), "an IPv4 address");
    case Rules::kIpv6:
      return check(is_ipv6(text), "an IPv6 address");
    case Rules::kUri:
      return check(is_uri(value), "an absolute URI");
    case Rules::kUriRef:
      return check(is_uri_reference(value), "a URI or a relative reference");
    case Rules::kAddress:
      return check(is_hostname(value) || is_ipv4(text) || is_ipv6(text),
                   "a hostname or an IP address");
    case Rules::kUuid:
      return check(is_uuid(value), "a UUID");
    case Rules::kWellKnownRegex:
      return broken_known_regex(rules, value);
    case Rules::WELL_KNOWN_NOT_SET:
      break;
  }
  return {};
}

// `count` of `unit` against an exact, a least and a greatest number, each of which may be absent.
std::string broken_length(std::size_t count, std::string_view unit, const std::uint64_t* exact,
                          const std::uint64_t* least, const std::uint64_t* most) {
  const auto wrong = [&](std::string_view relation, std::uint64_t bound) {
    return "must have " + std::string(relation) + std::to_string(bound) + ' ' + std::string(unit) +
           " (has " + std::to_string(count) + ")";
  };
  if (exact != nullptr && count != *exact) return wrong("", *exact);
  if (least != nullptr && count < *least) {
    return count == 0 ? "must not be empty" : wrong("at least ", *least);
  }
  if (most != nullptr && count > *most) return wrong("at most ", *most);
  return {};
}

// The rules that strings and bytes share.
template <class Rules>
std::string broken_content(const Rules& rules, std::string_view value, PatternCache& patterns) {
  const auto quoted = [](const std::string& text) { return "'" + text + "'"; };
  if (rules.has_const_() && value != rules.const_()) return "must be " + quoted(rules.const_());
  if (rules.has_prefix() && !value.starts_with(rules.prefix())) {
    return "must begin with " + quoted(rules.prefix());
  }
  if (rules.has_suffix() && !value.ends_with(rules.suffix())) {
    return "must end with " + quoted(rules.suffix());
  }
  if (rules.has_contains() && value.find(rules.contains()) == std::string_view::npos) {
    return "must contain " + quoted(rules.contains());
  }
  if (rules.has_pattern() && !RE2::PartialMatch(re2::StringPiece(value.data(), value.size()),
                                                patterns.get(rules.pattern()))) {
    return "must match " + quoted(rules.pattern());
  }
  const auto is_value = [value](const std::string& candidate) { return candidate == value; };
  if (std::any_of(rules.not_in().begin(), rules.not_in().end(), is_value)) {
    return "must not be " + quoted(std::string(value));
  }
  if (rules.in_size() == 0 || std::any_of(rules.in().begin(), rules.in().end(), is_value)) {
    return {};
  }
  std::string allowed;
  for (const std::string& candidate : rules.in()) {
    allowed += (allowed.empty() ? "" : ", ") + quoted(candidate);
  }
  return "must be one of " + allowed;
}

}  // namespace

std::string broken_string_rule(const validate::StringRules& rules, std::string_view value,
                               PatternCache& patterns) {
  if (rules.ignore_empty() && value.empty()) return {};
  const std::uint64_t exact = rules.len(), least = rules.min_len(), most = rules.max_len();
  std::string broken =
      broken_length(utf8_code_points(value), "characters", rules.has_len() ? &exact : nullptr,
                    rules.has_min_len() ? &least : nullptr, rules.has_max_len() ? &most : nullptr);
  if (!broken.empty()) return broken;
  const std::uint64_t bytes = rules.len_bytes(), min = rules.min_bytes(), max = rules.max_bytes();
  broken =
      broken_length(value.size(), "bytes", rules.has_len_bytes() ? &bytes : nullptr,
                    rules.has_min_bytes() ? &min : nullptr, rules.has_max_bytes() ? &max : nullptr);
  if (!broken.empty()) return broken;
  if (rules.has_not_contains() && value.find(rules.not_contains()) != std::string_view::npos) {
    return "must not contain '" + rules.not_contains() + "'";
  }
  broken = broken_content(rules, value, patterns);
  return broken.empty() ? broken_well_known(rules, value) : broken;
}

std::string broken_bytes_rule(const validate::BytesRules& rules, std::string_view value,
                              PatternCache& patterns) {
  if (rules.ignore_empty() && value.empty()) return {};
  const std::uint64_t exact = rules.len(), least = rules.min_len(), most = rules.max_len();
  std::string broken =
      broken_length(value.size(), "bytes", rules.has_len() ? &exact : nullptr,
                    rules.has_min_len() ? &least : nullptr, rules.has_max_len() ? &most : nullptr);
  if (!broken.empty()) return broken;
  broken = broken_content(rules, value, patterns);
  if (!broken.empty()) return broken;
  const bool v4 = value.size() == 4;
  const bool v6 = value.size() == 16;
  if (rules.ip() && !v4 && !v6) return "must be an IP address of 4 or 16 bytes";
  if (rules.ipv4() && !v4) return "must be an IPv4 address of 4 bytes";
  if (rules.ipv6() && !v6) return "must be an IPv6 address of 16 bytes";
  return {};
}

}  // namespace weir::config
