#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/http/message.h"
#include "proxy/http/string_match.h"

namespace envoy::config::route::v3 {
class HeaderMatcher;
class QueryParameterMatcher;
}  // namespace envoy::config::route::v3

// Conditions on a request's headers and query, as routes, access logs and filters use them.
namespace weir::http {

// config.route.v3.HeaderMatcher, compiled. Immutable, any thread.
class HeaderMatch {
 public:
  // Nothing on an error, which is then in `diagnostics`.
  static std::optional<HeaderMatch> compile(const envoy::config::route::v3::HeaderMatcher& config,
                                            const config::FieldPath& path,
                                            config::Diagnostics& diagnostics);

  // Several lines of one name are judged as one value joined with commas, as Envoy does; the names
  // ":path", ":method", ":authority" and ":scheme" are known too.
  bool matches(const RequestHead& request) const;
  // The same of a response; knows ":status".
  bool matches(const ResponseHead& response) const;

 private:
  enum class Kind : uint8_t { kPresent, kText, kRange };

  template <class Head>
  bool matches_head(const Head& head) const;
  bool fits(std::string_view value) const;

  std::string name_;  // lower case
  Kind kind_ = Kind::kPresent;
  bool wants_present_ = true;
  bool invert_ = false;
  bool missing_is_empty_ = false;
  int64_t range_begin_ = 0;
  int64_t range_end_ = 0;  // exclusive
  std::optional<StringMatch> text_;
};

// config.route.v3.QueryParameterMatcher, compiled. Immutable, any thread.
class QueryMatch {
 public:
  static std::optional<QueryMatch> compile(
      const envoy::config::route::v3::QueryParameterMatcher& config, const config::FieldPath& path,
      config::Diagnostics& diagnostics);

  // Judges the first parameter of that name, percent-escapes left as they are, as Envoy does.
  bool matches(const RequestHead& request) const;

 private:
  std::string name_;
  bool wants_present_ = true;
  std::optional<StringMatch> text_;
};

// The value of the first query parameter of that name in `path`, undecoded; "" for one without '='.
std::optional<std::string_view> query_parameter(std::string_view path, std::string_view name);

}  // namespace weir::http
