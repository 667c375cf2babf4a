#include "filters/local_ratelimit/token_bucket.h"

namespace weir::local_ratelimit {
namespace {

Taken take_from(std::atomic<int64_t>& state, const BucketRate& rate, int64_t now) {
  int64_t seen = state.load(std::memory_order_relaxed);
  for (;;) {
    int64_t next = 0;
    const Taken taken = rate.take(seen, now, next);
    if (!taken.allowed) return taken;
    if (state.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return taken;
  }
}

}  // namespace

Taken TokenBucket::take(int64_t now_ns) {
  return take_from(state_, rate_, rate_.units(now_ns));
}

Taken KeyedBuckets::take(std::string_view key, int64_t now_ns) {
  const uint64_t fingerprint = fingerprint_.of(key);
  const int64_t now = rate_.units(now_ns);
  Taken taken;
  const bool room = states_.update(fingerprint, now, [&](int64_t state) {
    int64_t next = 0;
    taken = rate_.take(state, now, next);
    return next;
  });
  return room ? taken : take_from(shared_[fingerprint % kSharedBuckets], rate_, now);
}

}  // namespace weir::local_ratelimit
