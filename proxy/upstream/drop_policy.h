#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::upstream {

// What becomes of a request: kSome of them are dropped by chance, or kAll.
enum class Drop : uint8_t { kNo, kSome, kAll };

// Which share of the requests is dropped for which reason: the drop_overloads of
// envoy.config.endpoint.v3.ClusterLoadAssignment.Policy. Each category takes its share of what
// those before it leave. Immutable once it is published.
class DropPolicy {
 public:
  // Shares of all requests are told in parts of this.
  static constexpr uint64_t kAll = uint64_t{1} << 32;

  struct Category {
    std::string name;
    double share = 0;    // of what the categories before it leave, 0 to 1
    uint64_t up_to = 0;  // what it drops together with those before it
  };

  // `share` is 0 to 1.
  void add(std::string category, double share);
  const std::vector<Category>& categories() const { return categories_; }

  // The share of all requests that is dropped, `most` at most.
  uint64_t share(uint64_t most) const {
    return categories_.empty() ? 0 : std::min(categories_.back().up_to, most);
  }
  // The index of the category that drops a request, if one does. `random` is any number of 64 bits.
  std::optional<size_t> choose(uint64_t random, uint64_t most) const;

 private:
  std::vector<Category> categories_;
  double left_ = 1;  // by all categories
};

// The most that may be dropped, whatever control planes say; shared by all clusters. The main
// thread sets it, any thread reads it.
class DropLimit {
 public:
  static constexpr const char* kRuntimeKey = "load_balancing_policy.drop_overload_limit";
  static constexpr uint64_t kMaxPercent = 100;

  // More than 100 percent are all.
  void set_percent(uint64_t percent) {
    const uint64_t most = DropPolicy::kAll * std::min(percent, kMaxPercent) / kMaxPercent;
    most_.store(most, std::memory_order_relaxed);
  }
  // As parts of DropPolicy::kAll.
  uint64_t most() const { return most_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> most_{DropPolicy::kAll};
};

// How many requests a worker dropped by each category since it knows the cluster, those too that
// the present policy does not have. One loop.
class DropCounts {
 public:
  struct Count {
    std::string category;
    uint64_t requests = 0;
  };

  // `policy` is in force from now on; null: none.
  void follow(const DropPolicy* policy);
  // `category` is an index into that policy's.
  void add(size_t category) { ++counts_[places_[category]].requests; }
  const std::vector<Count>& counts() const { return counts_; }

 private:
  // Of those that are gone, the oldest ones are forgotten: their names are the control plane's.
  static constexpr size_t kMaxGone = 64;

  void forget_oldest(const DropPolicy* policy);

  std::vector<Count> counts_;
  std::vector<size_t> places_;  // in `counts_`, by the policy's index
};

}  // namespace weir::upstream
