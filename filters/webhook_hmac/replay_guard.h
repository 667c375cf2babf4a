#pragma once

#include <cstdint>
#include <string_view>

#include "filters/common/deadline_table.h"
#include "filters/common/fingerprint.h"

namespace weir::webhook {

// Remembers events until a given time, so that none is let through twice. Bounded; an event is
// never forgotten early, unless kDisplaceOldest was chosen. Times are microseconds since 1970.
// Shared by all workers, without locks on the ordinary way.
class ReplayGuard {
 public:
  using WhenFull = filters::DeadlineTable::WhenFull;
  enum class Verdict : uint8_t { kNew, kReplayed, kFull };

  // What record() wrote, so that it can be taken back.
  struct Entry {
    uint64_t fingerprint = 0;
    int64_t until_us = 0;
  };

  ReplayGuard(size_t max_events, WhenFull when_full) : table_(max_events, when_full) {}

  // An event that is known is remembered for longer if `until_us` is later than what was recorded.
  Verdict record(std::string_view event, int64_t now_us, int64_t until_us, Entry& entry);

  // Lets the event come again. An entry whose time has passed is no longer this one's to take back.
  void forget(const Entry& entry, int64_t now_us) {
    if (now_us < entry.until_us) table_.forget(entry.fingerprint);
  }

 private:
  filters::Fingerprint fingerprint_;
  filters::DeadlineTable table_;
};

}  // namespace weir::webhook
