#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::upstream {

// A host as consistent hashing sees it.
struct HashedHost {
  std::string_view key;   // what is hashed; need not outlive the construction
  uint32_t endpoint = 0;  // what a look-up returns
  double weight = 0;      // > 0; of all hosts together 1
};

struct RingOptions {
  uint64_t min_size = 1024;
  uint64_t max_size = 8u << 20;
  bool murmur = false;  // MurmurHash2 instead of xxHash64
};

// Ketama's ring: each host owns points on a circle of 64-bit hashes, in proportion to its weight; a
// key belongs to the next point. The points are those of Envoy's ring. Immutable.
class Ring {
 public:
  Ring(std::span<const HashedHost> hosts, const RingOptions& options);

  // The endpoint that owns `hash`; with `step`, that of the step-th point after it. Not empty.
  uint32_t look_up(uint64_t hash, size_t step = 0) const;
  size_t size() const { return points_.size(); }
  bool empty() const { return points_.empty(); }

 private:
  struct Point {
    uint64_t hash;
    uint32_t endpoint;
  };
  std::vector<Point> points_;  // sorted by hash
};

}  // namespace weir::upstream
