#pragma once

#include <cstdint>

#include "proxy/base/result.h"

namespace weir::local_ratelimit {

// What a token bucket's state says after a request asked for a token.
struct Taken {
  bool allowed = false;
  uint64_t remaining = 0;  // whole tokens left
  int64_t wait_ns = 0;     // until the next token is there; 0 while tokens remain
};

// How fast a bucket fills and how much it holds (envoy.type.v3.TokenBucket), as a GCRA: the whole
// state of a bucket is one moment, the one at which it will be full again. A bucket whose moment
// has passed is full, so forgetting it and making it anew is the same thing. Times are counted in
// units of at most a nanosecond, such that a token costs a whole number of them. A value.
class BucketRate {
 public:
  // Fails when the bucket would take longer to fill than the state can express.
  static Result<BucketRate> make(uint64_t max_tokens, uint64_t tokens_per_fill,
                                 int64_t fill_interval_ns);

  int64_t units(int64_t now_ns) const { return now_ns * units_per_ns_; }

  // Takes one token at `now`; `next` is the new state, unchanged when there was no token. A state
  // of 0 is a full bucket.
  Taken take(int64_t state, int64_t now, int64_t& next) const;

  uint64_t max_tokens() const { return max_tokens_; }
  // The time in which one token fills.
  double token_ns() const {
    return static_cast<double>(token_cost_) / static_cast<double>(units_per_ns_);
  }

 private:
  uint64_t max_tokens_ = 1;
  int64_t units_per_ns_ = 1;
  int64_t token_cost_ = 1;  // units in which one token fills
  int64_t capacity_ = 1;    // units in which the whole bucket fills
};

}  // namespace weir::local_ratelimit
