#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace weir::xds {

// Lets `max_tokens` through at once and `tokens_per_s` in the long run.
class TokenBucket {
 public:
  TokenBucket(uint32_t max_tokens, double tokens_per_s)
      : max_tokens_(std::max<uint32_t>(max_tokens, 1)),
        per_ms_(std::max(tokens_per_s, 0.001) / 1000),
        tokens_(max_tokens_) {}

  bool take(int64_t now_ms) {
    fill(now_ms);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  // When `take` succeeds next.
  int64_t ready_ms(int64_t now_ms) {
    fill(now_ms);
    if (tokens_ >= 1) return now_ms;
    return now_ms + std::max<int64_t>(1, std::llround(std::ceil((1 - tokens_) / per_ms_)));
  }

 private:
  void fill(int64_t now_ms) {
    if (now_ms > filled_ms_ && filled_ms_ >= 0) {
      tokens_ += static_cast<double>(now_ms - filled_ms_) * per_ms_;
      // What rounding loses must not cost a whole token.
      tokens_ = std::min(tokens_ + 1e-9, max_tokens_);
    }
    filled_ms_ = std::max(filled_ms_, now_ms);
  }

  double max_tokens_;
  double per_ms_;
  double tokens_;
  int64_t filled_ms_ = -1;
};

}  // namespace weir::xds
