#include "filters/local_ratelimit/bucket_rate.h"

#include <algorithm>
#include <numeric>

namespace weir::local_ratelimit {
namespace {

// A state stays below the present plus this, so that it fits 63 bits for years of uptime.
constexpr __int128 kMaxCapacity = __int128{1} << 61;
constexpr int64_t kMaxUnitsPerNs = 16;

}  // namespace

Result<BucketRate> BucketRate::make(uint64_t max_tokens, uint64_t tokens_per_fill,
                                    int64_t fill_interval_ns) {
  const auto interval = static_cast<uint64_t>(fill_interval_ns);
  // With this many units to a nanosecond a token costs a whole number of units.
  const uint64_t exact = tokens_per_fill / std::gcd(tokens_per_fill, interval);
  int64_t units = static_cast<int64_t>(std::min<uint64_t>(exact, kMaxUnitsPerNs));
  for (; units >= 1; units /= 2) {
    // Rounded up: where the cost is not exact, the bucket is a trifle stricter, never laxer.
    const __int128 in_units = static_cast<__int128>(interval) * units;
    const __int128 cost = (in_units + tokens_per_fill - 1) / tokens_per_fill;
    if (cost * max_tokens > kMaxCapacity) continue;
    BucketRate rate;
    rate.max_tokens_ = max_tokens;
    rate.units_per_ns_ = units;
    rate.token_cost_ = static_cast<int64_t>(cost);
    rate.capacity_ = static_cast<int64_t>(cost * max_tokens);
    return rate;
  }
  return Error{.code = "bucket-too-slow",
               .message =
                   "the bucket would take more than 70 years to fill: lower max_tokens or "
                   "fill_interval, or raise tokens_per_fill"};
}

Taken BucketRate::take(int64_t state, int64_t now, int64_t& next) const {
  const int64_t from = std::max(state, now);
  const int64_t room = now + capacity_ - from;
  Taken taken;
  taken.allowed = room >= token_cost_;
  next = taken.allowed ? from + token_cost_ : state;
  const int64_t left = taken.allowed ? room - token_cost_ : std::max<int64_t>(room, 0);
  taken.remaining = static_cast<uint64_t>(left / token_cost_);
  if (taken.remaining == 0)
    taken.wait_ns = (token_cost_ - left + units_per_ns_ - 1) / units_per_ns_;
  return taken;
}

}  // namespace weir::local_ratelimit
