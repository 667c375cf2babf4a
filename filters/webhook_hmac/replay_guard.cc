#include "filters/webhook_hmac/replay_guard.h"

#include <algorithm>

namespace weir::webhook {

ReplayGuard::Verdict ReplayGuard::record(std::string_view event, int64_t now_us, int64_t until_us,
                                         Entry& entry) {
  entry = {fingerprint_.of(event), until_us};
  bool replayed = false;
  const bool room = table_.update(entry.fingerprint, now_us, [&](int64_t known_until_us) {
    replayed = known_until_us > now_us;
    return std::max(known_until_us, until_us);
  });
  if (replayed) return Verdict::kReplayed;
  return room ? Verdict::kNew : Verdict::kFull;
}

}  // namespace weir::webhook
