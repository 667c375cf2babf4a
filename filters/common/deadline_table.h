#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::filters {

// A bounded memory of keys that all workers share: each key, known by a 64-bit fingerprint, has one
// deadline. A slot is given to another key only when its deadline has passed, so a key is never
// forgotten early; when there is no such slot, a new key finds no room. Looking up and moving a
// deadline is lock-free; only adding a new key takes turns with other additions to the same group
// of slots, for a few instructions. Any thread.
//
// Deadlines are positive numbers on whatever scale the owner uses, and a slot's only moves forward,
// but for forget(). So a slot's deadline vouches for its key: whoever read deadline and key and
// then exchanges that very deadline knows that the key has not changed in between.
class DeadlineTable {
 public:
  enum class WhenFull : uint8_t { kRefuse, kDisplaceOldest };

  static constexpr size_t kMaxKeys = size_t{1} << 24;

  // Room for at least `keys` keys at once but for rare collisions; at most kMaxKeys. Takes about
  // 24-48 bytes a key of address space, which becomes memory as it is used.
  explicit DeadlineTable(size_t keys, WhenFull when_full = WhenFull::kRefuse);

  // Calls `next(deadline)` with the key's deadline (0 for a key that is not there) and stores what
  // it returns; the same value again, or one that is not after `now`, changes nothing. `next` is
  // called again when another thread was faster. False when a new key finds no room.
  template <class Next>
  bool update(uint64_t fingerprint, int64_t now, Next next) {
    for (;;) {
      if (const Seen seen = find(fingerprint); seen.slot != nullptr) {
        const int64_t wanted = next(seen.deadline);
        if (wanted == seen.deadline || exchange(*seen.slot, seen.deadline, wanted)) return true;
        continue;
      }
      const int64_t wanted = next(0);
      if (wanted <= now) return true;
      const Added added = add(fingerprint, now, wanted);
      if (added != Added::kThereAlready) return added == Added::kYes;
    }
  }

  // Ends the key's deadline.
  void forget(uint64_t fingerprint);

 private:
  static constexpr size_t kGroupSlots = 8;
  // The key and the deadline of a slot stand in different cache lines: a look-up reads the first.
  struct Group {
    uint64_t keys[kGroupSlots];
    int64_t deadlines[kGroupSlots];
  };
  struct Unmap {
    size_t bytes;
    void operator()(void* memory) const;
  };
  struct Seen {
    int64_t* slot = nullptr;  // the deadline
    int64_t deadline = 0;
  };
  struct Pick {
    Group* group = nullptr;
    size_t index = 0;
    int64_t deadline = INT64_MAX;
  };
  enum class Added : uint8_t { kYes, kNoRoom, kThereAlready };

  static bool exchange(int64_t& slot, int64_t expected, int64_t wanted) {
    return std::atomic_ref(slot).compare_exchange_strong(expected, wanted,
                                                         std::memory_order_acq_rel);
  }

  Group& first_group(uint64_t fingerprint) const { return groups()[fingerprint & mask_]; }
  Group& second_group(uint64_t fingerprint) const { return groups()[(fingerprint >> 32) & mask_]; }
  Group* groups() const { return static_cast<Group*>(memory_.get()); }

  Seen find(uint64_t fingerprint) const;
  static Seen find_in(Group& group, uint64_t fingerprint);
  Added add(uint64_t fingerprint, int64_t now, int64_t deadline);
  Added add_in_turn(uint64_t fingerprint, int64_t now, int64_t deadline);
  Pick pick(uint64_t fingerprint, int64_t now) const;

  size_t mask_;
  WhenFull when_full_;
  std::unique_ptr<void, Unmap> memory_;
  std::unique_ptr<std::atomic_flag[]> turns_;
};

}  // namespace weir::filters
