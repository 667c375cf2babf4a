#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

// Counters, gauges and histograms under Envoy's names. Each worker writes its own shard without
// locks or shared cache lines; whoever reads sums the shards. Names are given once, when config is
// applied; the data path knows only ids.
namespace weir::stats {

struct CounterId {
  uint32_t index = 0;  // 0 is a slot that nobody reads
};
struct GaugeId {
  uint32_t index = 0;
};
struct HistogramId {
  uint32_t index = 0;
};

// A log-linear histogram of non-negative values: 16 buckets per power of two, so a quantile is
// within 6% of the truth. Values of 2^40 and more fall into the last bucket. One writer; any
// reader.
class Histogram {
 public:
  static constexpr int kSubBits = 4;
  static constexpr int kValueBits = 40;
  static constexpr int kBuckets = (kValueBits - kSubBits + 1) << kSubBits;

  void record(uint64_t value) {
    bump(buckets_[bucket_of(value)], 1);
    bump(sum_, value);
  }
  uint64_t bucket(int index) const { return buckets_[index].load(std::memory_order_relaxed); }
  uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }

  static int bucket_of(uint64_t value) {
    if (value < (1u << kSubBits)) return static_cast<int>(value);
    const int exponent = 63 - std::countl_zero(value);
    if (exponent >= kValueBits) return kBuckets - 1;
    const auto sub = static_cast<int>((value >> (exponent - kSubBits)) & ((1u << kSubBits) - 1));
    return ((exponent - kSubBits + 1) << kSubBits) + sub;
  }
  static uint64_t bucket_lower_bound(int index);  // smallest value that falls into it
  static uint64_t bucket_upper_bound(int index);  // largest value that falls into it

 private:
  using Cell = std::atomic<uint64_t>;
  static void bump(Cell& cell, uint64_t n) {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  std::array<Cell, kBuckets> buckets_{};
  Cell sum_{0};
};

struct Sample;

// One thread's part of all metrics. Only its owner writes; an id must have been handed to it after
// the registry gave it (a posted snapshot does that).
class Shard {
 public:
  static constexpr uint32_t kChunkBits = 10;
  static constexpr uint32_t kChunkSlots = 1u << kChunkBits;
  static constexpr uint32_t kMaxChunks = 4096;
  static constexpr uint32_t kHistogramChunkBits = 8;
  static constexpr uint32_t kHistogramChunkSlots = 1u << kHistogramChunkBits;
  static constexpr uint32_t kMaxHistogramChunks = 1024;

  Shard();
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void inc(CounterId id, uint64_t n = 1) { bump(id.index, n); }
  // Where that counter is kept, for who counts without knowing of metrics. Lives as long as the
  // shard, and is the owner's alone to write.
  std::atomic<uint64_t>& cell(CounterId id) { return slot(id.index); }
  void add(GaugeId id, int64_t n) {
    bump(id.index, static_cast<uint64_t>(n));
    mark_used(id);
  }
  // The first record of a histogram allocates it.
  void record(HistogramId id, uint64_t value);

  // This shard's own part; a gauge's part may be negative (two's complement).
  uint64_t value(uint32_t index) const { return slot(index).load(std::memory_order_relaxed); }
  // Adds this shard's part of a histogram.
  void add_to(Sample& out, HistogramId id) const;

 private:
  friend class Registry;
  using Slot = std::atomic<uint64_t>;
  struct Chunk {
    std::array<Slot, kChunkSlots> slots{};
  };
  struct HistogramChunk {
    std::array<std::atomic<Histogram*>, kHistogramChunkSlots> slots{};
  };

  Slot& slot(uint32_t index) const {
    return chunks_[index >> kChunkBits]
        .load(std::memory_order_acquire)
        ->slots[index & (kChunkSlots - 1)];
  }
  std::atomic<Histogram*>& histogram_slot(uint32_t index) const {
    return histogram_chunks_[index >> kHistogramChunkBits]
        .load(std::memory_order_acquire)
        ->slots[index & (kHistogramChunkSlots - 1)];
  }
  // A plain load and store: there is one writer.
  void bump(uint32_t index, uint64_t n) {
    Slot& s = slot(index);
    s.store(s.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // A gauge that came back to 0 was used all the same: the slot after its value says so.
  void mark_used(GaugeId id) { slot(id.index + 1).store(1, std::memory_order_relaxed); }
  void reserve(uint32_t slots, uint32_t histograms);

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
  std::unique_ptr<std::atomic<HistogramChunk*>[]> histogram_chunks_;
};

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

std::string_view kind_name(Kind kind);  // "counter", "gauge", "histogram"

// A metric as readers see it: the sum over all shards.
struct Sample {
  std::string_view name;
  Kind kind;
  bool used;       // ever incremented, set or recorded
  uint64_t value;  // counter; for a gauge two's complement; for a histogram how many values
  std::vector<uint64_t> buckets;  // histogram only, Histogram::kBuckets entries
  uint64_t sum = 0;
};

// The names, and the list of shards. Thread-safe. The lock is held for a name, or for a few hundred
// of them when metrics are read, so that a worker may ask for a name that turns up late.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A new shard for one thread; lives as long as the registry.
  Shard& new_shard();

  // Metrics whose names it does not like are as if they did not exist, those too that are there.
  // Before anybody reads.
  void set_filter(std::function<bool(std::string_view name)> accepts);

  // The same name gives the same id. Characters outside [A-Za-z0-9_.:|[]-] become '_'. When there
  // is no room left (about four million metrics), the name is one of another kind, or the filter
  // does not like it, the id of the slot that nobody reads.
  CounterId counter(std::string_view name);
  GaugeId gauge(std::string_view name);
  HistogramId histogram(std::string_view name);

  // The main thread's own shard, for gauges that are not a worker's.
  Shard& main_shard() { return main_; }
  // Overwrites the main shard's part of a gauge (main thread only).
  void set(GaugeId id, int64_t value);

  // Calls `visit` for each metric in the order of names; one that is new meanwhile may be left out.
  void for_each(const std::function<void(const Sample&)>& visit) const;
  // The sum of one counter or gauge by name; 0 when there is none. For tests and admin.
  uint64_t value(std::string_view name) const;

 private:
  struct Entry {
    Kind kind;
    uint32_t index;
  };
  uint32_t intern(std::string_view name, Kind kind);
  uint32_t allocate(Kind kind);
  using Entries = std::map<std::string, Entry, std::less<>>;
  // Those that a reader sums.
  using Shards = std::vector<const Shard*>;
  Shards shards() const;  // under the lock
  static Sample sample(const Entries::value_type& named, const Shards& shards);

  mutable std::mutex mutex_;
  std::function<bool(std::string_view)> accepts_;  // empty: all
  Entries entries_;
  uint32_t next_slot_ = 2;  // 0 and 1 are the slots that nobody reads
  uint32_t next_histogram_ = 1;
  std::vector<std::unique_ptr<Shard>> shards_;
  Shard main_;
};

}  // namespace weir::stats
