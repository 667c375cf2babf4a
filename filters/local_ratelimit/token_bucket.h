#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "filters/common/deadline_table.h"
#include "filters/common/fingerprint.h"
#include "filters/local_ratelimit/bucket_rate.h"

namespace weir::local_ratelimit {

// One bucket that all workers take from, without locks. Times are of the monotonic clock.
class TokenBucket {
 public:
  explicit TokenBucket(const BucketRate& rate) : rate_(rate) {}

  Taken take(int64_t now_ns);
  uint64_t max_tokens() const { return rate_.max_tokens(); }

 private:
  BucketRate rate_;
  alignas(64) std::atomic<int64_t> state_{0};
};

// A bucket for each key, made when the key first comes, of which at most about `max_keys` are less
// than full at once. Only a bucket that is full again makes room, and a full one is what the key
// would start with, so being evicted never gains a client a token. A key for which there is no room
// shares a bucket with others of its kind. Any thread.
class KeyedBuckets {
 public:
  KeyedBuckets(const BucketRate& rate, size_t max_keys) : rate_(rate), states_(max_keys) {}

  Taken take(std::string_view key, int64_t now_ns);
  uint64_t max_tokens() const { return rate_.max_tokens(); }

 private:
  static constexpr size_t kSharedBuckets = 256;

  BucketRate rate_;
  filters::Fingerprint fingerprint_;
  filters::DeadlineTable states_;
  std::array<std::atomic<int64_t>, kSharedBuckets> shared_{};
};

}  // namespace weir::local_ratelimit
