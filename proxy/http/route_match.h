#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/fraction.h"
#include "proxy/http/request_match.h"
#include "proxy/http/route.h"
#include "proxy/http/route_table.h"

namespace envoy::config::route::v3 {
class RouteMatch;
}

namespace weir::http {

// What a route asks of a request besides a literal path.
struct RouteConditions {
  Regex path;  // of the whole path without query; null: any
  std::vector<HeaderMatch> headers;
  std::vector<QueryMatch> query;
  bool grpc = false;
  std::optional<Share> share;  // runtime_fraction

  bool hold(const RouteTable::Query& query, std::string_view path) const;
};

// How one route matches. Small, since a look-up reads many.
struct RouteMatcher {
  // In lower case with ignore_case. Of the table.
  std::string_view text;
  Route::Match kind = Route::Match::kPrefix;
  bool ignore_case = false;
  std::unique_ptr<const RouteConditions> conditions;  // null: none

  // Whether the text alone decides about the path.
  bool is_literal() const;
  // The same, knowing that `path` begins with the text.
  bool accepts_rest(std::string_view path) const;
  bool conditions_hold(const RouteTable::Query& query, std::string_view path) const {
    return conditions == nullptr || conditions->hold(query, path);
  }
  // `path` is the request's without query.
  bool matches(const RouteTable::Query& query, std::string_view path) const;
};

// Compiles the match of `route`, whose `match` and `match_text` it sets; text goes to `texts`.
// After an error, which is then in `diagnostics`, the matcher is of no use.
RouteMatcher compile_route_match(const envoy::config::route::v3::RouteMatch& config,
                                 const config::FieldPath& path, config::Diagnostics& diagnostics,
                                 Arena& texts, Route& route);

}  // namespace weir::http
