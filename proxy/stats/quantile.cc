#include "proxy/stats/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>

#include "proxy/stats/registry.h"

namespace weir::stats {

double quantile(const std::vector<uint64_t>& buckets, double q) {
  const uint64_t total = std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
  if (total == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * static_cast<double>(total);
  uint64_t below = 0;
  double last = 0;
  for (int i = 0; i < static_cast<int>(buckets.size()); ++i) {
    if (buckets[i] == 0) continue;
    const auto low = static_cast<double>(Histogram::bucket_lower_bound(i));
    const auto high = static_cast<double>(Histogram::bucket_upper_bound(i));
    const double share = (rank - static_cast<double>(below)) / static_cast<double>(buckets[i]);
    if (share <= 1) return low + (high - low) * std::max(share, 0.0);
    below += buckets[i];
    last = high;
  }
  return last;
}

uint64_t count_at_most(const std::vector<uint64_t>& buckets, double bound) {
  uint64_t total = 0;
  for (int i = 0; i < static_cast<int>(buckets.size()); ++i) {
    const auto low = static_cast<double>(Histogram::bucket_lower_bound(i));
    const auto high = static_cast<double>(Histogram::bucket_upper_bound(i));
    if (low > bound) break;
    if (high <= bound) {
      total += buckets[i];
    } else {
      const double share = (std::floor(bound) - low + 1) / (high - low + 1);
      total += static_cast<uint64_t>(static_cast<double>(buckets[i]) * share);
    }
  }
  return total;
}

std::string number_text(double value) {
  char text[32];
  const int length = std::snprintf(text, sizeof(text), "%.6g", value);
  return std::string(text, static_cast<size_t>(length));
}

}  // namespace weir::stats
