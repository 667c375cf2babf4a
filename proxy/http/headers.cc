#include "proxy/http/headers.h"

#include <cstring>

namespace weir::http {
namespace {

constexpr size_t kKnownCount = static_cast<size_t>(Known::kCount);

constexpr std::array<std::string_view, kKnownCount> kKnownNames = {
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

constexpr size_t kSlots = 256;

constexpr size_t slot_of(std::string_view name) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(name[i]); };
  const size_t n = name.size();
  return (n * 53 + at(0) * 59 + at(n - 1) * 65 + at(n / 2) * 50 + at(n * 3 / 4) * 86) % kSlots;
}

struct KnownTable {
  std::array<uint8_t, kSlots> slots{};
  bool perfect = true;
};

constexpr KnownTable build_table() {
  KnownTable table;
  for (size_t i = 1; i < kKnownCount; ++i) {
    uint8_t& slot = table.slots[slot_of(kKnownNames[i])];
    if (slot != 0) table.perfect = false;
    slot = static_cast<uint8_t>(i);
  }
  return table;
}

constexpr KnownTable kTable = build_table();
static_assert(kTable.perfect, "two known names share a slot: change slot_of");

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// Two names of the same length. Most are of 4 to 16 bytes, which two overlapping words cover.
bool same_name(const char* a, const char* b, size_t size) {
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

}  // namespace

Known known_header(std::string_view name) {
  if (name.empty()) return Known::kNone;
  const uint8_t i = kTable.slots[slot_of(name)];
  const std::string_view candidate = kKnownNames[i];
  if (candidate.size() != name.size()) return Known::kNone;
  return same_name(candidate.data(), name.data(), name.size()) ? static_cast<Known>(i)
                                                               : Known::kNone;
}

std::string_view known_name(Known known) {
  return kKnownNames[static_cast<size_t>(known)];
}

void HeaderMap::grow() {
  const uint32_t capacity = capacity_ == 0 ? 20 : capacity_ * 2;
  Header* lines = arena_->array<Header>(capacity);
  if (size_ > 0) std::memcpy(static_cast<void*>(lines), lines_, size_ * sizeof(Header));
  lines_ = lines;
  capacity_ = capacity;
}

void HeaderMap::remove(Header& line) {
  if (line.name.empty()) return;
  line.name = {};
  --count_;
}

bool HeaderMap::remove(Known known) {
  bool found = false;
  while (const Header* line = find(known)) {
    remove(const_cast<Header&>(*line));
    found = true;
  }
  first_[static_cast<size_t>(known)] = 0;
  return found;
}

bool HeaderMap::remove(std::string_view name) {
  if (const Known known = known_header(name); known != Known::kNone) return remove(known);
  bool found = false;
  for_each([&](Header& line) {
    if (line.name != name) return;
    remove(line);
    found = true;
  });
  return found;
}

void HeaderMap::set(Known known, std::string_view value) {
  remove(known);
  add(known, value);
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

const Header* HeaderMap::find(std::string_view name) const {
  if (name.empty()) return nullptr;  // which is how a removed line looks
  if (const Known known = known_header(name); known != Known::kNone) return find(known);
  for (uint32_t i = 0; i < size_; ++i)
    if (lines_[i].name == name) return &lines_[i];
  return nullptr;
}

std::string_view HeaderMap::joined(std::string_view name, bool& present) const {
  std::string_view value;
  present = false;
  for_each([&](const Header& line) {
    if (line.name != name) return;
    value = present ? arena_->concat({value, ", ", line.value}) : line.value;
    present = true;
  });
  return value;
}

void HeaderMap::relocate(ptrdiff_t delta) {
  for (uint32_t i = 0; i < size_; ++i) {
    Header& line = lines_[i];
    line.name = {line.name.data() + delta, line.name.size()};
    line.value = {line.value.data() + delta, line.value.size()};
  }
}

void HeaderMap::clear() {
  size_ = count_ = 0;
  first_.fill(0);
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (equals_ignore_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace weir::http
