#include "proxy/http/regex.h"

#include <re2/re2.h>

#include "envoy/type/matcher/v3/regex.pb.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

Regex compile_regex(const std::string& pattern, const FieldPath& path, Diagnostics& diagnostics) {
  auto regex = std::make_shared<const re2::RE2>(pattern, re2::RE2::Quiet);
  if (regex->ok()) return regex;
  diagnostics.error(Code::kInvalidValue, path,
                    "'" + pattern + "' is not a regular expression: " + regex->error(),
                    "the syntax is RE2's, without look-around and back-references");
  return nullptr;
}

Regex compile_regex(const envoy::type::matcher::v3::RegexMatcher& config, const FieldPath& path,
                    Diagnostics& diagnostics) {
  Regex regex = compile_regex(config.regex(), path.field("regex"), diagnostics);
  if (regex == nullptr || !config.google_re2().has_max_program_size()) return regex;
  const uint32_t limit = config.google_re2().max_program_size().value();
  if (regex->ProgramSize() <= static_cast<int>(limit)) return regex;
  diagnostics.error(Code::kLimit, path.field("regex"),
                    "the expression compiles to a program of size " +
                        std::to_string(regex->ProgramSize()) + ", over max_program_size " +
                        std::to_string(limit),
                    "simplify it, or raise google_re2.max_program_size");
  return nullptr;
}

bool matches_whole(const re2::RE2& regex, std::string_view text) {
  return regex.Match(piece(text), 0, text.size(), re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

std::string_view RegexRewrite::replace_all(std::string_view text, Arena& arena) const {
  std::string replaced(text);
  if (re2::RE2::GlobalReplace(&replaced, *pattern, piece(substitution)) == 0) return text;
  return arena.copy(replaced);
}

std::optional<RegexRewrite> compile_regex_rewrite(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& config, const FieldPath& path,
    Diagnostics& diagnostics) {
  const FieldPath pattern_path = path.field("pattern");
  Regex pattern = compile_regex(config.pattern(), pattern_path, diagnostics);
  if (pattern == nullptr) return std::nullopt;
  if (std::string error; !pattern->CheckRewriteString(piece(config.substitution()), &error)) {
    diagnostics.error(Code::kInvalidValue, path.field("substitution"),
                      "the substitution does not fit the pattern: " + error,
                      "\\1 to \\9 stand for the pattern's groups, \\0 for the whole match");
    return std::nullopt;
  }
  return RegexRewrite{std::move(pattern), config.substitution()};
}

}  // namespace weir::http
