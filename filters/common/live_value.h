#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir::filters {

// A value of a configuration that changes while workers use it, as a secret resource does. Each
// worker has a letter box of its own: a look into it costs one load, and nobody waits for anybody.
template <class Value>
class LiveValue {
 public:
  explicit LiveValue(uint32_t workers) : slots_(workers) {}
  LiveValue(const LiveValue&) = delete;
  LiveValue& operator=(const LiveValue&) = delete;

  // Main thread: what every worker finds from now on.
  void set(const Value& value) {
    for (Slot& slot : slots_)
      delete slot.sent.exchange(new Value(value), std::memory_order_acq_rel);
  }

  // On that worker: what was set last; null: nothing was. It stays for as long as it is held.
  std::shared_ptr<const Value> get(uint32_t worker) {
    Slot& slot = slots_[worker];
    if (slot.sent.load(std::memory_order_relaxed) != nullptr)
      slot.value.reset(slot.sent.exchange(nullptr, std::memory_order_acq_rel));
    return slot.value;
  }

 private:
  struct alignas(64) Slot {
    Slot() = default;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() { delete sent.load(std::memory_order_acquire); }

    std::atomic<const Value*> sent = nullptr;  // owned; the worker has not taken it yet
    std::shared_ptr<const Value> value;        // the worker's
  };

  std::vector<Slot> slots_;
};

}  // namespace weir::filters
