#include "proxy/http/route_match.h"

#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/fraction.h"
#include "proxy/http/grpc.h"
#include "proxy/http/header_name.h"
#include "proxy/http/path_template.h"
#include "proxy/http/unsupported.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using Kind = Route::Match;
using Config = envoy::config::route::v3::RouteMatch;

constexpr UnsupportedField<Config> kUnsupported[] = {
    {"tls_context", [](const Config& c) { return c.has_tls_context(); },
     "match on a header that the TLS side sets"},
    {"dynamic_metadata", [](const Config& c) { return c.dynamic_metadata_size() > 0; },
     "match on a header instead"},
};

// The text where it lives as long as the table. "/" is shared, since most tables repeat it for
// every host, and a look-up then finds it in the cache.
std::string_view keep_text(std::string_view text, Arena& texts) {
  return text == "/" ? std::string_view("/") : texts.copy(text);
}

// Collects what a RouteMatch says.
class MatchCompiler {
 public:
  MatchCompiler(const Config& config, const FieldPath& path, Diagnostics& diagnostics)
      : config_(config), path_(path), diagnostics_(diagnostics) {}

  RouteMatcher compile(Arena& texts, Route& route) {
    refuse_unsupported(config_, kUnsupported, path_, diagnostics_);
    path_specifier();
    headers();
    query();
    fraction();
    conditions_.grpc = config_.has_grpc();

    matcher_.ignore_case =
        config_.has_case_sensitive() && !config_.case_sensitive().value() && matcher_.is_literal();
    matcher_.text = keep_text(matcher_.ignore_case ? lower_case(text_) : text_, texts);
    route.match = matcher_.kind;
    route.match_text = matcher_.text;
    if (has_conditions())
      matcher_.conditions = std::make_unique<const RouteConditions>(std::move(conditions_));
    return std::move(matcher_);
  }

 private:
  bool has_conditions() const {
    return conditions_.path != nullptr || !conditions_.headers.empty() ||
           !conditions_.query.empty() || conditions_.grpc || conditions_.share;
  }

  void path_specifier() {
    switch (config_.path_specifier_case()) {
      case Config::kPrefix:
        return literal(Kind::kPrefix, "prefix", config_.prefix());
      case Config::kPath:
        return literal(Kind::kPath, "path", config_.path());
      case Config::kPathSeparatedPrefix:
        return literal(Kind::kSeparatedPrefix, "path_separated_prefix",
                       config_.path_separated_prefix());
      case Config::kSafeRegex:
        matcher_.kind = Kind::kRegex;
        conditions_.path =
            compile_regex(config_.safe_regex(), path_.field("safe_regex"), diagnostics_);
        return;
      case Config::kConnectMatcher:
        matcher_.kind = Kind::kConnect;
        return;
      case Config::kPathMatchPolicy:
        return path_template();
      case Config::PATH_SPECIFIER_NOT_SET:
        return diagnostics_.error(Code::kConstraint, path_, "the match says nothing about the path",
                                  "`prefix: \"/\"` matches every path");
    }
  }

  void literal(Kind kind, std::string_view field, const std::string& text) {
    matcher_.kind = kind;
    text_ = text;
    const FieldPath path = path_.field(field);
    if (text.find_first_of("?#") != std::string::npos)
      diagnostics_.warning(Code::kSemantic, path,
                           "'" + text + "' never matches: it is compared without the query",
                           "match the query with query_parameters");
    else if (!text.empty() && text[0] != '/' && text != "*")
      diagnostics_.warning(Code::kSemantic, path,
                           "'" + text + "' never matches: paths begin with '/'",
                           "write '/" + text + "'");
    if (kind == Kind::kSeparatedPrefix && (text.size() < 2 || text.back() == '/'))
      diagnostics_.error(Code::kInvalidValue, path, "'" + text + "' is empty or ends in '/'",
                         "leave the last '/' out; \"/\" as a whole is `prefix: \"/\"`");
  }

  void path_template() {
    matcher_.kind = Kind::kTemplate;
    const FieldPath path = path_.field("path_match_policy.typed_config");
    auto parsed =
        compile_path_template(config_.path_match_policy().typed_config(), path, diagnostics_);
    if (!parsed) return;
    text_ = parsed->text;
    conditions_.path = parsed->regex;
  }

  void headers() {
    for (int i = 0; i < config_.headers_size(); ++i) {
      auto match =
          HeaderMatch::compile(config_.headers(i), path_.field("headers", i), diagnostics_);
      if (match) conditions_.headers.push_back(std::move(*match));
    }
  }

  void query() {
    for (int i = 0; i < config_.query_parameters_size(); ++i) {
      auto match = QueryMatch::compile(config_.query_parameters(i),
                                       path_.field("query_parameters", i), diagnostics_);
      if (match) conditions_.query.push_back(std::move(*match));
    }
  }

  void fraction() {
    if (config_.has_runtime_fraction())
      conditions_.share = Share::compile(config_.runtime_fraction());
  }

  const Config& config_;
  const FieldPath& path_;
  Diagnostics& diagnostics_;
  RouteMatcher matcher_;
  RouteConditions conditions_;
  std::string text_;
};

bool begins_with(std::string_view path, std::string_view text, bool ignore_case) {
  if (!ignore_case) return path.starts_with(text);
  return path.size() >= text.size() && equals_ignore_case(path.substr(0, text.size()), text);
}

}  // namespace

bool RouteConditions::hold(const RouteTable::Query& asked, std::string_view whole_path) const {
  if (path != nullptr && !matches_whole(*path, whole_path)) return false;
  if (grpc && !is_grpc(asked.request)) return false;
  if (share && !share->holds(asked.runtime, asked.random)) return false;
  for (const HeaderMatch& header : headers)
    if (!header.matches(asked.request)) return false;
  for (const QueryMatch& parameter : query)
    if (!parameter.matches(asked.request)) return false;
  return true;
}

bool RouteMatcher::is_literal() const {
  return kind == Kind::kPrefix || kind == Kind::kPath || kind == Kind::kSeparatedPrefix;
}

bool RouteMatcher::accepts_rest(std::string_view path) const {
  if (kind == Kind::kPrefix || path.size() == text.size()) return true;
  return kind == Kind::kSeparatedPrefix && path[text.size()] == '/';
}

bool RouteMatcher::matches(const RouteTable::Query& query, std::string_view path) const {
  if (kind == Kind::kConnect) {
    if (query.request.method != Method::kConnect) return false;
  } else if (path.empty()) {
    return false;  // CONNECT has no path
  } else if (is_literal() && (!begins_with(path, text, ignore_case) || !accepts_rest(path))) {
    return false;
  }
  return conditions_hold(query, path);
}

RouteMatcher compile_route_match(const Config& config, const FieldPath& path,
                                 Diagnostics& diagnostics, Arena& texts, Route& route) {
  return MatchCompiler(config, path, diagnostics).compile(texts, route);
}

}  // namespace weir::http
