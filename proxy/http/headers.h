#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>

#include "proxy/base/arena.h"

namespace weir::http {

// Header names that the proxy itself looks at; found without comparing text. The order is the
// order of kKnownNames in known_names.h.
enum class Known : uint8_t {
  kNone,
  kHost,
  kConnection,
  kContentLength,
  kTransferEncoding,
  kTe,
  kTrailer,
  kUpgrade,
  kExpect,
  kKeepAlive,
  kProxyConnection,
  kProxyAuthenticate,
  kProxyAuthorization,
  kHttp2Settings,
  kDate,
  kServer,
  kVia,
  kLocation,
  kContentType,
  kContentEncoding,
  kCookie,
  kSetCookie,
  kUserAgent,
  kReferer,
  kAuthorization,
  kAccept,
  kAcceptEncoding,
  kRetryAfter,
  kGrpcStatus,
  kGrpcMessage,
  kGrpcTimeout,
  kForwardedFor,    // x-forwarded-for
  kForwardedProto,  // x-forwarded-proto
  kForwardedHost,   // x-forwarded-host
  kForwardedPort,   // x-forwarded-port
  kForwardedClientCert,
  kRequestId,          // x-request-id
  kEnvoyOriginalPath,  // x-envoy-original-path
  kEnvoyOriginalHost,  // x-envoy-original-host
  kEnvoyUpstreamServiceTime,
  kEnvoyExpectedRqTimeoutMs,
  kEnvoyUpstreamRqTimeoutMs,
  kEnvoyUpstreamRqPerTryTimeoutMs,
  kEnvoyMaxRetries,
  kEnvoyRetryOn,
  kEnvoyRetryGrpcOn,
  kEnvoyAttemptCount,
  kEnvoyExternalAddress,
  kEnvoyInternal,
  kEnvoyDegraded,
  kEnvoyImmediateHealthCheckFail,
  kEnvoyRatelimited,
  kEnvoyOverloaded,
  kCount
};

// A set of known names; kNone is in none.
static_assert(static_cast<unsigned>(Known::kCount) <= 64);
constexpr uint64_t known_bit(Known known) {
  return (uint64_t{1} << static_cast<unsigned>(known)) & ~uint64_t{1};
}
template <class... Names>
constexpr uint64_t known_bits(Names... names) {
  return (known_bit(names) | ...);
}

// `name` must be in lower case. kNone for a name that is not in the list.
Known known_header(std::string_view name);
std::string_view known_name(Known known);

// One header line. Names are in lower case; a removed line has an empty name.
struct Header {
  std::string_view name;
  std::string_view value;
  Known known = Known::kNone;
};

// How the names of an HTTP/1 message were spelled; in the message's arena.
struct Spelling {
  std::span<const std::string_view> names;
  bool proper_case_for_others = false;  // names that did not come with the message

  // The name as it came first, or "" when it did not come.
  std::string_view of(std::string_view lower) const;
};

// The header lines of one message, in the order received, as views into memory that lives as long
// as the message's arena. Removal leaves a hole, so positions stay. One thread.
class HeaderMap {
 public:
  explicit HeaderMap(Arena& arena) : arena_(&arena) {}

  Arena& arena() const { return *arena_; }

  // Both views must outlive the map (put them into the arena). `name` in lower case.
  void add(std::string_view name, std::string_view value) { add(known_header(name), name, value); }
  void add(Known known, std::string_view value) { add(known, known_name(known), value); }
  void add(Known known, std::string_view name, std::string_view value) {
    if (size_ == capacity_) grow();
    const uint64_t bit = known_bit(known);
    if ((seen_ & bit) == 0) {
      seen_ |= bit;
      first_[static_cast<size_t>(known)] = static_cast<uint8_t>(size_ < 255 ? size_ : 255);
    }
    new (&lines_[size_++]) Header{name, value, known};
    ++count_;
  }

  // Replaces every line of that name by one.
  void set(std::string_view name, std::string_view value);
  void set(Known known, std::string_view value) {
    if (may_have(known_bit(known))) remove(known);
    add(known, value);
  }

  // Removes every line of that name; says whether there was one.
  bool remove(std::string_view name);
  bool remove(Known known);
  void remove(Header& line);

  // The first line of that name, or nullptr.
  const Header* find(Known known) const {
    if ((seen_ & known_bit(known)) == 0) return nullptr;
    return find_from(known, first_[static_cast<size_t>(known)]);
  }
  const Header* find(std::string_view name) const;

  // The first value, or an empty view when there is no such line (or its value is empty).
  std::string_view get(Known known) const {
    const Header* line = find(known);
    return line == nullptr ? std::string_view() : line->value;
  }
  std::string_view get(std::string_view name) const {
    const Header* line = find(name);
    return line == nullptr ? std::string_view() : line->value;
  }
  bool has(Known known) const { return find(known) != nullptr; }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Whether there may be a line of one of these names (`known_bits`): a cheap no.
  bool may_have(uint64_t names) const { return (seen_ & names) != 0; }

  // All values of that name joined with ", " (RFC 9110 5.3); in the arena when there are several.
  // `present` says whether there was a line at all.
  std::string_view joined(std::string_view name, bool& present) const;

  // Calls visit(Header&) for each line that is not removed, in order.
  template <class Visit>
  void for_each(Visit visit) {
    for (uint32_t i = 0; i < size_; ++i)
      if (!lines_[i].name.empty()) visit(lines_[i]);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (uint32_t i = 0; i < size_; ++i)
      if (!lines_[i].name.empty()) visit(const_cast<const Header&>(lines_[i]));
  }

  // Shifts every view by `delta` bytes: the text they point into was copied elsewhere as a whole.
  void relocate(ptrdiff_t delta);

  // Null unless whoever read the message kept it. It stays with the message, whatever is changed.
  const Spelling* spelling() const { return spelling_; }
  void set_spelling(const Spelling* spelling) { spelling_ = spelling; }

  uint32_t count() const { return count_; }  // lines that are not removed
  bool empty() const { return count_ == 0; }
  void clear();

 private:
  const Header* find_from(Known known, uint32_t at) const {
    for (; at < size_; ++at)
      if (lines_[at].known == known && !lines_[at].name.empty()) return &lines_[at];
    return nullptr;
  }
  void grow();

  Arena* arena_;
  const Spelling* spelling_ = nullptr;
  Header* lines_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  uint32_t count_ = 0;
  uint64_t seen_ = 0;  // known names that were added
  // Position of the first line of each of these; 255 means "there or later".
  std::array<uint8_t, static_cast<size_t>(Known::kCount)> first_;
};

// Case-insensitive comparison of ASCII text, as header names and most tokens need it.
bool equals_ignore_case(std::string_view a, std::string_view b);

// Whether the comma-separated list `list` (RFC 9110 5.6.1) has the token, in any case.
bool list_has_token(std::string_view list, std::string_view token);

// Without the spaces and tabs at both ends.
std::string_view trim(std::string_view text);

}  // namespace weir::http
