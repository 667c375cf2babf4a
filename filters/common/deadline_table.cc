#include "filters/common/deadline_table.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace weir::filters {
namespace {

// A slot that is being given to another key.
constexpr int64_t kClaimed = INT64_MAX;

constexpr size_t kTurns = 1024;

// The one who holds a turn works for some ten nanoseconds, unless the system took it off its core:
// then waiting would only keep it off.
constexpr int kSpinsBeforeYield = 100;

int64_t load(int64_t& deadline) {
  return std::atomic_ref(deadline).load(std::memory_order_acquire);
}

uint64_t load(uint64_t& key) {
  return std::atomic_ref(key).load(std::memory_order_acquire);
}

class Turn {
 public:
  explicit Turn(std::atomic_flag& flag) : flag_(flag) {
    int spins = 0;
    while (flag_.test_and_set(std::memory_order_acquire))
      if (++spins > kSpinsBeforeYield) sched_yield();
  }
  ~Turn() { flag_.clear(std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic_flag& flag_;
};

}  // namespace

void DeadlineTable::Unmap::operator()(void* memory) const {
  munmap(memory, bytes);
}

// Each key may live in either of two groups of eight, which fills two thirds of the slots before
// the first key finds no room.
DeadlineTable::DeadlineTable(size_t keys, WhenFull when_full)
    : when_full_(when_full), turns_(std::make_unique<std::atomic_flag[]>(kTurns)) {
  const size_t slots = std::clamp<size_t>(keys, 1, kMaxKeys) * 3 / 2;
  const size_t count = std::bit_ceil((slots + kGroupSlots - 1) / kGroupSlots);
  const size_t bytes = count * sizeof(Group);
  mask_ = count - 1;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = std::unique_ptr<void, Unmap>(memory, Unmap{bytes});
}

DeadlineTable::Seen DeadlineTable::find_in(Group& group, uint64_t fingerprint) {
  for (size_t i = 0; i < kGroupSlots; ++i) {
    if (load(group.keys[i]) != fingerprint) continue;
    const int64_t deadline = load(group.deadlines[i]);
    // Read again, after the deadline that vouches for it.
    if (deadline != kClaimed && deadline != 0 && load(group.keys[i]) == fingerprint)
      return {&group.deadlines[i], deadline};
  }
  return {};
}

DeadlineTable::Seen DeadlineTable::find(uint64_t fingerprint) const {
  const Seen seen = find_in(first_group(fingerprint), fingerprint);
  return seen.slot != nullptr ? seen : find_in(second_group(fingerprint), fingerprint);
}

// The slot to give away: the one with the earliest deadline in the emptier of the two groups, or in
// both when neither has a slot whose deadline has passed.
DeadlineTable::Pick DeadlineTable::pick(uint64_t fingerprint, int64_t now) const {
  Pick best;
  size_t best_free = 0;
  for (Group* group : {&first_group(fingerprint), &second_group(fingerprint)}) {
    Pick earliest;
    size_t free = 0;
    for (size_t i = 0; i < kGroupSlots; ++i) {
      const int64_t deadline = load(group->deadlines[i]);
      if (deadline < earliest.deadline) earliest = {group, i, deadline};
      free += deadline <= now ? 1 : 0;
    }
    const bool better = free != best_free ? free > best_free : earliest.deadline < best.deadline;
    if (!better) continue;
    best = earliest;
    best_free = free;
  }
  return best;
}

DeadlineTable::Added DeadlineTable::add(uint64_t fingerprint, int64_t now, int64_t deadline) {
  // The same key always has the same turn, so it is never added twice.
  const Turn turn(turns_[(fingerprint >> 16) % kTurns]);
  return add_in_turn(fingerprint, now, deadline);
}

DeadlineTable::Added DeadlineTable::add_in_turn(uint64_t fingerprint, int64_t now,
                                                int64_t deadline) {
  if (find(fingerprint).slot != nullptr) return Added::kThereAlready;
  for (;;) {
    const Pick slot = pick(fingerprint, now);
    if (slot.group == nullptr) return Added::kNoRoom;
    if (slot.deadline > now && when_full_ == WhenFull::kRefuse) return Added::kNoRoom;
    int64_t& place = slot.group->deadlines[slot.index];
    // Another key's turn may be after the same slot, or its owner may have moved the deadline.
    if (!exchange(place, slot.deadline, kClaimed)) continue;
    std::atomic_ref(slot.group->keys[slot.index]).store(fingerprint, std::memory_order_release);
    std::atomic_ref(place).store(deadline, std::memory_order_release);
    return Added::kYes;
  }
}

void DeadlineTable::forget(uint64_t fingerprint) {
  for (;;) {
    const Seen seen = find(fingerprint);
    // 1 is in the past on every scale, and unlike 0 no sign of a slot that was never used.
    if (seen.slot == nullptr || exchange(*seen.slot, seen.deadline, 1)) return;
  }
}

}  // namespace weir::filters
