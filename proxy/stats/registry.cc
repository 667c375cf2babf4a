#include "proxy/stats/registry.h"

#include <algorithm>

namespace weir::stats {
namespace {

// That for_each looks up under one lock.
constexpr size_t kNamesAtOnce = 256;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:|[]-").find(c) != std::string_view::npos;
}

// As many chunks as `slots` need; those that are there stay where they are.
template <class Chunk>
void grow(std::atomic<Chunk*>* chunks, uint32_t slots, uint32_t chunk_bits) {
  const uint32_t needed = ((slots - 1) >> chunk_bits) + 1;
  for (uint32_t i = needed; i-- > 0;) {
    if (chunks[i].load(std::memory_order_relaxed) != nullptr) return;
    chunks[i].store(new Chunk, std::memory_order_release);
  }
}

}  // namespace

uint64_t Histogram::bucket_lower_bound(int index) {
  constexpr int kSubs = 1 << kSubBits;
  if (index < kSubs) return static_cast<uint64_t>(index);
  const int shift = (index >> kSubBits) - 1;
  return static_cast<uint64_t>(kSubs + (index & (kSubs - 1))) << shift;
}

uint64_t Histogram::bucket_upper_bound(int index) {
  return index + 1 == kBuckets ? (uint64_t{1} << kValueBits) - 1
                               : bucket_lower_bound(index + 1) - 1;
}

Shard::Shard()
    : chunks_(std::make_unique<std::atomic<Chunk*>[]>(kMaxChunks)),
      histogram_chunks_(std::make_unique<std::atomic<HistogramChunk*>[]>(kMaxHistogramChunks)) {
  reserve(1, 1);
}

Shard::~Shard() {
  for (uint32_t i = 0; i < kMaxChunks; ++i) delete chunks_[i].load();
  for (uint32_t i = 0; i < kMaxHistogramChunks; ++i) {
    HistogramChunk* chunk = histogram_chunks_[i].load();
    if (chunk == nullptr) continue;
    for (auto& slot : chunk->slots) delete slot.load();
    delete chunk;
  }
}

void Shard::reserve(uint32_t slots, uint32_t histograms) {
  grow(chunks_.get(), slots, kChunkBits);
  grow(histogram_chunks_.get(), histograms, kHistogramChunkBits);
}

void Shard::record(HistogramId id, uint64_t value) {
  if (id.index == 0) return;
  std::atomic<Histogram*>& slot = histogram_slot(id.index);
  Histogram* histogram = slot.load(std::memory_order_relaxed);
  if (histogram == nullptr) {
    histogram = new Histogram;
    slot.store(histogram, std::memory_order_release);
  }
  histogram->record(value);
}

void Shard::add_to(Sample& out, HistogramId id) const {
  out.buckets.resize(Histogram::kBuckets);
  const Histogram* part = histogram_slot(id.index).load(std::memory_order_acquire);
  if (part == nullptr) return;
  for (int i = 0; i < Histogram::kBuckets; ++i) out.buckets[i] += part->bucket(i);
  out.sum += part->sum();
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "";
}

Registry::Registry() = default;
Registry::~Registry() = default;

Shard& Registry::new_shard() {
  const std::lock_guard lock(mutex_);
  shards_.push_back(std::make_unique<Shard>());
  shards_.back()->reserve(next_slot_, next_histogram_);
  return *shards_.back();
}

CounterId Registry::counter(std::string_view name) {
  return {intern(name, Kind::kCounter)};
}
GaugeId Registry::gauge(std::string_view name) {
  return {intern(name, Kind::kGauge)};
}
HistogramId Registry::histogram(std::string_view name) {
  return {intern(name, Kind::kHistogram)};
}

void Registry::set_filter(std::function<bool(std::string_view)> accepts) {
  const std::lock_guard lock(mutex_);
  accepts_ = std::move(accepts);
  if (accepts_) std::erase_if(entries_, [this](const auto& item) { return !accepts_(item.first); });
}

uint32_t Registry::intern(std::string_view name, Kind kind) {
  std::string clean(name);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return !is_name_char(c); }, '_');
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(clean);
  if (found != entries_.end()) return found->second.kind == kind ? found->second.index : 0;
  if (accepts_ && !accepts_(clean)) return 0;
  const uint32_t index = allocate(kind);
  if (index == 0) return 0;
  entries_.emplace(std::move(clean), Entry{kind, index});
  main_.reserve(next_slot_, next_histogram_);
  for (const auto& shard : shards_) shard->reserve(next_slot_, next_histogram_);
  return index;
}

// A gauge takes two slots, its value and whether it was used.
uint32_t Registry::allocate(Kind kind) {
  if (kind == Kind::kHistogram) {
    if (next_histogram_ == Shard::kMaxHistogramChunks << Shard::kHistogramChunkBits) return 0;
    return next_histogram_++;
  }
  const uint32_t slots = kind == Kind::kGauge ? 2 : 1;
  if (next_slot_ + slots > Shard::kMaxChunks << Shard::kChunkBits) return 0;
  next_slot_ += slots;
  return next_slot_ - slots;
}

void Registry::set(GaugeId id, int64_t value) {
  main_.slot(id.index).store(static_cast<uint64_t>(value), std::memory_order_relaxed);
  main_.mark_used(id);
}

Registry::Shards Registry::shards() const {
  Shards all{&main_};
  for (const auto& shard : shards_) all.push_back(shard.get());
  return all;
}

Sample Registry::sample(const Entries::value_type& named, const Shards& shards) {
  const Entry& entry = named.second;
  Sample out{named.first, entry.kind, false, 0, {}, 0};
  if (entry.kind == Kind::kHistogram) {
    for (const Shard* shard : shards) shard->add_to(out, HistogramId{entry.index});
    for (const uint64_t count : out.buckets) out.value += count;
    out.used = out.value != 0;
    return out;
  }
  for (const Shard* shard : shards) out.value += shard->value(entry.index);
  out.used = out.value != 0;
  if (entry.kind == Kind::kGauge)
    out.used = std::any_of(shards.begin(), shards.end(),
                           [&](const Shard* shard) { return shard->value(entry.index + 1) != 0; });
  return out;
}

// Names stay where they are, so that only finding them needs the lock.
void Registry::for_each(const std::function<void(const Sample&)>& visit) const {
  std::vector<const Entries::value_type*> some;
  do {
    Shards all;
    const std::string* last = some.empty() ? nullptr : &some.back()->first;
    some.clear();
    {
      const std::lock_guard lock(mutex_);
      all = shards();
      auto at = last == nullptr ? entries_.begin() : entries_.upper_bound(*last);
      for (; at != entries_.end() && some.size() < kNamesAtOnce; ++at) some.push_back(&*at);
    }
    for (const auto* named : some) visit(sample(*named, all));
  } while (!some.empty());
}

uint64_t Registry::value(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? 0 : sample(*found, shards()).value;
}

}  // namespace weir::stats
