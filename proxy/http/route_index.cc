#include "proxy/http/route_index.h"

namespace weir::http {

RouteIndex::RouteIndex(std::span<const RouteMatcher> matchers) : matchers_(matchers) {
  if (matchers_.size() <= kMaxLinear) return;
  std::vector<PathTrie::Entry> exact_case;
  std::vector<PathTrie::Entry> any_case;
  std::vector<uint32_t> others;
  for (uint32_t i = 0; i < matchers_.size(); ++i) {
    const RouteMatcher& matcher = matchers_[i];
    if (!matcher.is_literal())
      others.push_back(i);
    else
      (matcher.ignore_case ? any_case : exact_case).push_back({matcher.text, i});
  }
  tries_ =
      std::make_unique<const Tries>(Tries{PathTrie(std::move(exact_case), false),
                                          PathTrie(std::move(any_case), true), std::move(others)});
}

std::optional<uint32_t> RouteIndex::find(const RouteTable::Query& query,
                                         std::string_view path) const {
  if (tries_ != nullptr) return find_indexed(query, path);
  for (uint32_t i = 0; i < matchers_.size(); ++i)
    if (matchers_[i].matches(query, path)) return i;
  return std::nullopt;
}

// Every list of candidates is in ascending order, so each is left as soon as it passes the best
// route found so far.
std::optional<uint32_t> RouteIndex::find_indexed(const RouteTable::Query& query,
                                                 std::string_view path) const {
  auto best = static_cast<uint32_t>(matchers_.size());
  const auto try_literals = [&](std::span<const uint32_t> routes, size_t /*size*/) {
    for (const uint32_t route : routes) {
      if (route >= best) return;
      const RouteMatcher& matcher = matchers_[route];
      if (matcher.accepts_rest(path) && matcher.conditions_hold(query, path)) {
        best = route;
        return;
      }
    }
  };
  if (!path.empty()) {
    tries_->exact_case.walk(path, try_literals);
    tries_->any_case.walk(path, try_literals);
  }
  for (const uint32_t route : tries_->others) {
    if (route >= best) break;
    if (matchers_[route].matches(query, path)) best = route;
  }
  if (best == matchers_.size()) return std::nullopt;
  return best;
}

}  // namespace weir::http
