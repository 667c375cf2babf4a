#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::webhook {

// Why a request is refused.
enum class Cause : uint8_t {
  kNone,
  kMissingSignature,
  kMalformedSignature,
  kMissingTimestamp,
  kMalformedTimestamp,
  kTimestampTooOld,
  kTimestampInFuture,
  kMissingId,
  kMalformedId,
  kBodyTooLarge,
  kMismatch,
  kReplayed,
  kReplayMemoryFull,
  kNoSecret,
  kCount
};

// How a cause shows: as a counter, in %RESPONSE_CODE_DETAILS%, and as the answer.
struct CauseText {
  std::string_view name;     // the counter's
  std::string_view details;  // "webhook_hmac_" and the name
  uint16_t status;
  std::string_view body;
};

const CauseText& cause_text(Cause cause);

inline constexpr size_t kCauses = static_cast<size_t>(Cause::kCount);

}  // namespace weir::webhook
