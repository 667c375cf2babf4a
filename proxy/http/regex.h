#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/base/arena.h"

namespace re2 {
class RE2;
}
namespace envoy::type::matcher::v3 {
class RegexMatcher;
class RegexMatchAndSubstitute;
}  // namespace envoy::type::matcher::v3

// Regular expressions of the configuration. They are RE2's, so matching takes time linear in the
// text, whatever the pattern.
namespace weir::http {

// Immutable, any thread.
using Regex = std::shared_ptr<const re2::RE2>;

// Null on an error, which is then in `diagnostics`.
Regex compile_regex(const envoy::type::matcher::v3::RegexMatcher& config,
                    const config::FieldPath& path, config::Diagnostics& diagnostics);
Regex compile_regex(const std::string& pattern, const config::FieldPath& path,
                    config::Diagnostics& diagnostics);

// Whether the whole text matches.
bool matches_whole(const re2::RE2& regex, std::string_view text);

// type.matcher.v3.RegexMatchAndSubstitute: every match of the pattern gives way to the
// substitution.
struct RegexRewrite {
  Regex pattern;
  std::string substitution;  // RE2 syntax: \1

  // `text` with its replacements, in `arena`; `text` itself when nothing matches.
  std::string_view replace_all(std::string_view text, Arena& arena) const;
};

std::optional<RegexRewrite> compile_regex_rewrite(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& config, const config::FieldPath& path,
    config::Diagnostics& diagnostics);

}  // namespace weir::http
