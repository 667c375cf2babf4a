#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "filters/local_ratelimit/token_bucket.h"
#include "proxy/http/rate_limit.h"

namespace weir::local_ratelimit {

// One LocalRateLimitDescriptor. An entry with an empty value takes every value, and each of them
// has a bucket of its own.
struct LimitRule {
  std::vector<std::pair<std::string, std::string>> entries;
  BucketRate rate;

  bool has_wildcard() const;
  bool matches(http::Descriptor descriptor) const;
};

// What a limiter says of a request.
struct Decision {
  bool allowed = true;
  bool limited = false;  // a bucket was asked; the rest says which
  uint64_t max_tokens = 0;
  Taken taken;
};

// All buckets of one configuration. Shared by all workers, without locks on the ordinary way.
class Limiter {
 public:
  struct Options {
    std::optional<BucketRate> fallback;  // for requests that no rule matches
    std::vector<LimitRule> rules;
    bool per_connection = false;      // each connection has its own buckets
    bool always_ask_fallback = true;  // even of a request that a rule matched
    size_t max_keys = 65'536;         // values, or connections, per rule
  };
  explicit Limiter(Options options);

  // Takes a token from the bucket of every rule that one of the descriptors matches, the slowest
  // first, up to the first that has none. Scratch memory comes from the arena.
  Decision decide(std::span<const http::Descriptor> descriptors, uint64_t connection_id,
                  int64_t now_ns, Arena& arena);

 private:
  // A rule's buckets: one, or one for each key.
  struct Buckets {
    Buckets(const BucketRate& rate, bool keyed, size_t max_keys);
    Decision take(std::string_view key, int64_t now_ns);

    double token_ns;
    std::unique_ptr<TokenBucket> one;
    std::unique_ptr<KeyedBuckets> keyed;
  };
  struct Match {
    Buckets* buckets;
    std::string_view key;
  };

  Buckets* find(http::Descriptor descriptor, std::string_view text);
  std::string_view key_of(uint64_t connection_id, std::string_view text, Arena& arena) const;

  std::vector<LimitRule> rules_;
  bool per_connection_;
  bool always_ask_fallback_;
  std::optional<Buckets> fallback_;
  std::vector<Buckets> buckets_;                        // by rule
  std::unordered_map<std::string_view, size_t> exact_;  // rules without wildcard, by text
  std::vector<std::string> exact_texts_;
  std::vector<size_t> wildcards_;
};

}  // namespace weir::local_ratelimit
