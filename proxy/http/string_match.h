#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/regex.h"

namespace envoy::type::matcher::v3 {
class StringMatcher;
}

namespace weir::http {

// type.matcher.v3.StringMatcher, compiled. Immutable, any thread; matching does not use the heap.
class StringMatch {
 public:
  enum class Kind : uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex };

  StringMatch(Kind kind, std::string text, bool ignore_case);
  explicit StringMatch(Regex regex) : kind_(Kind::kRegex), regex_(std::move(regex)) {}

  // Nothing on an error, which is then in `diagnostics`.
  static std::optional<StringMatch> compile(const envoy::type::matcher::v3::StringMatcher& config,
                                            const config::FieldPath& path,
                                            config::Diagnostics& diagnostics);

  bool matches(std::string_view value) const;

 private:
  Kind kind_;
  bool ignore_case_ = false;
  std::string text_;  // in lower case with ignore_case_
  Regex regex_;
};

}  // namespace weir::http
