#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/http/headers.h"

// The names behind Known, and the way to them; inline for the parser, which asks for every line.
namespace weir::http {

inline constexpr size_t kKnownCount = static_cast<size_t>(Known::kCount);

inline constexpr std::array<std::string_view, kKnownCount> kKnownNames = {
    "",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "http2-settings",
    "date",
    "server",
    "via",
    "location",
    "content-type",
    "content-encoding",
    "cookie",
    "set-cookie",
    "user-agent",
    "referer",
    "authorization",
    "accept",
    "accept-encoding",
    "retry-after",
    "grpc-status",
    "grpc-message",
    "grpc-timeout",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-client-cert",
    "x-request-id",
    "x-envoy-original-path",
    "x-envoy-original-host",
    "x-envoy-upstream-service-time",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-max-retries",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-attempt-count",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-degraded",
    "x-envoy-immediate-health-check-fail",
    "x-envoy-ratelimited",
    "x-envoy-overloaded",
};

// By a table without collisions: found by trial over the names above.
struct KnownTable {
  static constexpr size_t kSlots = 256;
  std::array<uint8_t, kSlots> slots{};
  bool perfect = true;

  // `name` has two bytes at least.
  static constexpr size_t slot_of(std::string_view name) {
    const size_t n = name.size();
    const auto at = [&](size_t i) { return static_cast<unsigned char>(name[i]); };
    return (n * 506 + at(n - 2) * 297 + at(n / 2 - 1) * 162) % kSlots;
  }
  static constexpr KnownTable build() {
    KnownTable table;
    for (size_t i = 1; i < kKnownCount; ++i) {
      uint8_t& slot = table.slots[slot_of(kKnownNames[i])];
      if (slot != 0) table.perfect = false;
      slot = static_cast<uint8_t>(i);
    }
    return table;
  }
};

inline constexpr KnownTable kKnownTable = KnownTable::build();
static_assert(kKnownTable.perfect, "two known names share a slot: change slot_of");

// Two names of the same length. Most are of 4 to 16 bytes, which two overlapping words cover.
inline bool same_name(const char* a, const char* b, size_t size) {
  const auto words_differ = [=]<class Word>(Word) {
    Word words[4];
    std::memcpy(&words[0], a, sizeof(Word));
    std::memcpy(&words[1], b, sizeof(Word));
    std::memcpy(&words[2], a + size - sizeof(Word), sizeof(Word));
    std::memcpy(&words[3], b + size - sizeof(Word), sizeof(Word));
    return ((words[0] ^ words[1]) | (words[2] ^ words[3])) != 0;
  };
  if (size >= 8 && size <= 16) return !words_differ(uint64_t{});
  if (size >= 4 && size < 8) return !words_differ(uint32_t{});
  return std::memcmp(a, b, size) == 0;
}

// As known_header().
inline Known find_known(std::string_view name) {
  if (name.size() < 2) return Known::kNone;
  const uint8_t i = kKnownTable.slots[KnownTable::slot_of(name)];
  const std::string_view candidate = kKnownNames[i];
  if (candidate.size() != name.size()) return Known::kNone;
  return same_name(candidate.data(), name.data(), name.size()) ? static_cast<Known>(i)
                                                               : Known::kNone;
}

}  // namespace weir::http
