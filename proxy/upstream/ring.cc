#include "proxy/upstream/ring.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "proxy/base/hash.h"

namespace weir::upstream {
namespace {

// Points per unit of weight: as many as give the lightest host a whole number of points in a ring
// of the smallest size, and no more than fit into one of the largest.
double points_per_weight(std::span<const HashedHost> hosts, const RingOptions& options) {
  double lightest = 1;
  for (const HashedHost& host : hosts) lightest = std::min(lightest, host.weight);
  return std::min(std::ceil(lightest * static_cast<double>(options.min_size)) / lightest,
                  static_cast<double>(options.max_size));
}

}  // namespace

Ring::Ring(std::span<const HashedHost> hosts, const RingOptions& options) {
  if (hosts.empty()) return;
  const double scale = points_per_weight(hosts, options);
  points_.reserve(static_cast<size_t>(std::ceil(scale)));
  // Running sums carry the fractions over, so that they even out along the list of hosts.
  double placed = 0;
  double due = 0;
  std::string key;
  for (const HashedHost& host : hosts) {
    due += scale * host.weight;
    key.assign(host.key).push_back('_');
    const size_t prefix = key.size();
    for (uint64_t i = 0; placed < due; ++i, ++placed) {
      key.resize(prefix);
      key += std::to_string(i);
      points_.push_back({options.murmur ? murmurhash2(key) : xxhash64(key), host.endpoint});
    }
  }
  std::sort(points_.begin(), points_.end(),
            [](const Point& a, const Point& b) { return a.hash < b.hash; });
}

uint32_t Ring::look_up(uint64_t hash, size_t step) const {
  const auto next = std::lower_bound(points_.begin(), points_.end(), hash,
                                     [](const Point& p, uint64_t h) { return p.hash < h; });
  const auto at = static_cast<size_t>(next - points_.begin());
  return points_[(at + step) % points_.size()].endpoint;
}

}  // namespace weir::upstream
