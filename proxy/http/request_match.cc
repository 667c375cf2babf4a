#include "proxy/http/request_match.h"

#include <charconv>

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/header_name.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::route::v3::HeaderMatcher;
using envoy::config::route::v3::QueryParameterMatcher;

// The matcher of every kind that compares text: string_match, and the older fields for the same.
std::optional<StringMatch> compile_text(const HeaderMatcher& config, const FieldPath& path,
                                        Diagnostics& diagnostics) {
  using Kind = StringMatch::Kind;
  switch (config.header_match_specifier_case()) {
    case HeaderMatcher::kExactMatch:
      return StringMatch(Kind::kExact, config.exact_match(), false);
    case HeaderMatcher::kPrefixMatch:
      return StringMatch(Kind::kPrefix, config.prefix_match(), false);
    case HeaderMatcher::kSuffixMatch:
      return StringMatch(Kind::kSuffix, config.suffix_match(), false);
    case HeaderMatcher::kContainsMatch:
      return StringMatch(Kind::kContains, config.contains_match(), false);
    case HeaderMatcher::kStringMatch:
      return StringMatch::compile(config.string_match(), path.field("string_match"), diagnostics);
    default:
      break;
  }
  Regex regex =
      compile_regex(config.safe_regex_match(), path.field("safe_regex_match"), diagnostics);
  if (regex == nullptr) return std::nullopt;
  return StringMatch(std::move(regex));
}

// A whole decimal number with an optional sign.
std::optional<int64_t> parse_integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view join_lines(const HeaderMap& headers, std::string_view name) {
  std::string_view value;
  bool first = true;
  headers.for_each([&](const Header& line) {
    if (line.name != name) return;
    value = first ? line.value : headers.arena().concat({value, ",", line.value});
    first = false;
  });
  return value;
}

}  // namespace

std::optional<HeaderMatch> HeaderMatch::compile(const HeaderMatcher& config, const FieldPath& path,
                                                Diagnostics& diagnostics) {
  HeaderMatch match;
  match.name_ = lower_case(config.name());
  if (!check_header_name(match.name_, path.field("name"), diagnostics)) return std::nullopt;
  match.invert_ = config.invert_match();
  match.missing_is_empty_ = config.treat_missing_header_as_empty();
  switch (config.header_match_specifier_case()) {
    case HeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET:
      return match;
    case HeaderMatcher::kPresentMatch:
      match.wants_present_ = config.present_match();
      return match;
    case HeaderMatcher::kRangeMatch:
      match.kind_ = Kind::kRange;
      match.range_begin_ = config.range_match().start();
      match.range_end_ = config.range_match().end();
      return match;
    default:
      match.kind_ = Kind::kText;
      match.text_ = compile_text(config, path, diagnostics);
      if (!match.text_) return std::nullopt;
      return match;
  }
}

bool HeaderMatch::fits(std::string_view value) const {
  if (kind_ == Kind::kText) return text_->matches(value);
  const std::optional<int64_t> number = parse_integer(value);
  return number && *number >= range_begin_ && *number < range_end_;
}

bool HeaderMatch::matches(const RequestHead& request) const {
  return matches_head(request);
}

bool HeaderMatch::matches(const ResponseHead& response) const {
  return matches_head(response);
}

template <class Head>
bool HeaderMatch::matches_head(const Head& head) const {
  bool present = true;
  std::string_view value;
  if (name_[0] == ':' || name_ == "host") {
    value = head.value_of(name_, present);
  } else {
    present = head.headers.has(name_);
    if (present) value = join_lines(head.headers, name_);
  }
  present = present || missing_is_empty_;
  if (kind_ == Kind::kPresent) return (present == wants_present_) != invert_;
  return present && fits(value) != invert_;
}

std::optional<QueryMatch> QueryMatch::compile(const QueryParameterMatcher& config,
                                              const FieldPath& path, Diagnostics& diagnostics) {
  QueryMatch match;
  match.name_ = config.name();
  if (match.name_.empty()) {
    diagnostics.error(Code::kConstraint, path.field("name"), "the query parameter has no name",
                      "give the name that stands before '='");
    return std::nullopt;
  }
  if (config.has_string_match()) {
    match.text_ =
        StringMatch::compile(config.string_match(), path.field("string_match"), diagnostics);
    if (!match.text_) return std::nullopt;
  } else if (config.query_parameter_match_specifier_case() ==
             QueryParameterMatcher::kPresentMatch) {
    match.wants_present_ = config.present_match();
  }
  return match;
}

bool QueryMatch::matches(const RequestHead& request) const {
  const std::optional<std::string_view> value = query_parameter(request.path, name_);
  if (text_) return value && text_->matches(*value);
  return value.has_value() == wants_present_;
}

std::optional<std::string_view> query_parameter(std::string_view path, std::string_view name) {
  size_t at = path.find('?');
  while (at != std::string_view::npos) {
    path.remove_prefix(at + 1);
    at = path.find('&');
    const std::string_view pair = path.substr(0, at);
    if (!pair.starts_with(name)) continue;
    if (pair.size() == name.size()) return std::string_view();
    if (pair[name.size()] == '=') return pair.substr(name.size() + 1);
  }
  return std::nullopt;
}

}  // namespace weir::http
