#include "proxy/http/string_match.h"

#include <algorithm>

#include "envoy/type/matcher/v3/string.pb.h"

namespace weir::http {
namespace {

using envoy::type::matcher::v3::StringMatcher;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// How a text is compared with one that is in lower case already when case is ignored.
struct Equal {
  bool ignore_case;
  bool operator()(char value, char text) const {
    return (ignore_case ? lower(value) : value) == text;
  }
};

bool same(std::string_view value, std::string_view text, Equal equal) {
  return value.size() == text.size() && std::equal(value.begin(), value.end(), text.begin(), equal);
}

bool contains(std::string_view value, std::string_view text, Equal equal) {
  return std::search(value.begin(), value.end(), text.begin(), text.end(), equal) != value.end() ||
         text.empty();
}

}  // namespace

StringMatch::StringMatch(Kind kind, std::string text, bool ignore_case)
    : kind_(kind), ignore_case_(ignore_case), text_(std::move(text)) {
  if (ignore_case_) std::transform(text_.begin(), text_.end(), text_.begin(), lower);
}

std::optional<StringMatch> StringMatch::compile(const StringMatcher& config,
                                                const config::FieldPath& path,
                                                config::Diagnostics& diagnostics) {
  const bool ignore_case = config.ignore_case();
  switch (config.match_pattern_case()) {
    case StringMatcher::kExact:
      return StringMatch(Kind::kExact, config.exact(), ignore_case);
    case StringMatcher::kPrefix:
      return StringMatch(Kind::kPrefix, config.prefix(), ignore_case);
    case StringMatcher::kSuffix:
      return StringMatch(Kind::kSuffix, config.suffix(), ignore_case);
    case StringMatcher::kContains:
      return StringMatch(Kind::kContains, config.contains(), ignore_case);
    case StringMatcher::kSafeRegex: {
      Regex regex = compile_regex(config.safe_regex(), path.field("safe_regex"), diagnostics);
      if (regex == nullptr) return std::nullopt;
      return StringMatch(std::move(regex));
    }
    case StringMatcher::kCustom:
      diagnostics.error(config::Code::kNotSupported, path.field("custom"),
                        "custom string matchers are not supported",
                        "use exact, prefix, suffix, contains or safe_regex");
      return std::nullopt;
    case StringMatcher::MATCH_PATTERN_NOT_SET:
      break;
  }
  diagnostics.error(config::Code::kConstraint, path, "the matcher says nothing to match",
                    "set one of exact, prefix, suffix, contains and safe_regex");
  return std::nullopt;
}

bool StringMatch::matches(std::string_view value) const {
  const Equal equal{ignore_case_};
  const size_t size = text_.size();
  switch (kind_) {
    case Kind::kExact:
      return same(value, text_, equal);
    case Kind::kPrefix:
      return value.size() >= size && same(value.substr(0, size), text_, equal);
    case Kind::kSuffix:
      return value.size() >= size && same(value.substr(value.size() - size), text_, equal);
    case Kind::kContains:
      return contains(value, text_, equal);
    case Kind::kRegex:
      return matches_whole(*regex_, value);
  }
  return false;
}

}  // namespace weir::http
