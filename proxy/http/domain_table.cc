#include "proxy/http/domain_table.h"

#include <algorithm>
#include <array>

#include "proxy/base/hash.h"

namespace weir::http {
namespace {

// Longer hosts are no names of the DNS (255 bytes) with a port; they belong to "*".
constexpr size_t kMaxHostBytes = 512;

// Hashes text byte by byte, so that every suffix (or prefix) of a host is hashed on the way to the
// next longer one.
class RollingHash {
 public:
  void add(char c) { state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x9e3779b97f4a7c15u; }
  // The upper half: each of its bits depends on all that was added.
  uint32_t value() const { return static_cast<uint32_t>(state_ >> 32); }

 private:
  uint64_t state_ = 0x51ed270b76a3f4d9u;
};

uint32_t forward_hash(std::string_view text) {
  RollingHash hash;
  for (const char c : text) hash.add(c);
  return hash.value();
}

uint32_t backward_hash(std::string_view text) {
  RollingHash hash;
  for (auto c = text.rbegin(); c != text.rend(); ++c) hash.add(*c);
  return hash.value();
}

uint32_t whole_hash(std::string_view text) {
  return static_cast<uint32_t>(xxhash64(text));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

size_t NameTable::slot_of(uint32_t hash, std::string_view name) const {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (; slots_[at].size != 0; at = (at + 1) & mask)
    if (slots_[at].hash == hash && name_of(slots_[at]) == name) break;
  return at;
}

void NameTable::grow() {
  std::vector<Slot> old(std::max<size_t>(16, slots_.size() * 2));
  old.swap(slots_);
  for (const Slot& slot : old)
    if (slot.size != 0) slots_[slot_of(slot.hash, name_of(slot))] = slot;
}

bool NameTable::insert(uint32_t hash, std::string_view name, uint32_t value) {
  if (count_ * 2 >= slots_.size()) grow();
  Slot& slot = slots_[slot_of(hash, name)];
  if (slot.size != 0) return false;
  slot = {hash, static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(name.size()), value};
  text_ += name;
  ++count_;
  return true;
}

std::optional<uint32_t> NameTable::find(uint32_t hash, std::string_view name) const {
  if (count_ == 0) return std::nullopt;
  const Slot& slot = slots_[slot_of(hash, name)];
  if (slot.size == 0) return std::nullopt;
  return slot.value;
}

bool DomainTable::Wildcards::insert(uint32_t hash, std::string_view fixed, uint32_t host) {
  if (!names.insert(hash, fixed, host)) return false;
  sizes.set(fixed.size());
  longest = std::max(longest, fixed.size());
  return true;
}

DomainTable::Added DomainTable::add(std::string_view domain, uint32_t host) {
  if (domain.empty()) return Added::kEmpty;
  if (domain.size() > kMaxDomainBytes) return Added::kTooLong;
  std::string name(domain);
  std::transform(name.begin(), name.end(), name.begin(), lower);
  if (name == "*") {
    if (any_) return Added::kDuplicate;
    any_ = host;
    return Added::kYes;
  }
  std::string_view fixed = name;
  const bool suffix = fixed.front() == '*';
  const bool prefix = !suffix && fixed.back() == '*';
  if (suffix) fixed.remove_prefix(1);
  if (prefix) fixed.remove_suffix(1);
  if (fixed.find('*') != std::string_view::npos) return Added::kStrayWildcard;
  bool added = false;
  if (suffix)
    added = suffixes_.insert(backward_hash(fixed), fixed, host);
  else if (prefix)
    added = prefixes_.insert(forward_hash(fixed), fixed, host);
  else
    added = exact_.insert(whole_hash(fixed), fixed, host);
  return added ? Added::kYes : Added::kDuplicate;
}

std::optional<uint32_t> DomainTable::find_suffix(std::string_view host) const {
  if (suffixes_.longest == 0 || host.empty()) return std::nullopt;
  std::optional<uint32_t> found;
  RollingHash hash;
  const size_t longest = std::min(host.size() - 1, suffixes_.longest);
  for (size_t size = 1; size <= longest; ++size) {
    const size_t at = host.size() - size;
    hash.add(host[at]);
    if (!suffixes_.sizes[size]) continue;
    if (const auto match = suffixes_.names.find(hash.value(), host.substr(at))) found = match;
  }
  return found;
}

std::optional<uint32_t> DomainTable::find_prefix(std::string_view host) const {
  if (prefixes_.longest == 0 || host.empty()) return std::nullopt;
  std::optional<uint32_t> found;
  RollingHash hash;
  const size_t longest = std::min(host.size() - 1, prefixes_.longest);
  for (size_t size = 1; size <= longest; ++size) {
    hash.add(host[size - 1]);
    if (!prefixes_.sizes[size]) continue;
    const std::string_view fixed = host.substr(0, size);
    if (const auto match = prefixes_.names.find(hash.value(), fixed)) found = match;
  }
  return found;
}

std::optional<uint32_t> DomainTable::find(std::string_view authority) const {
  const bool only_any = exact_.empty() && suffixes_.longest == 0 && prefixes_.longest == 0;
  if (only_any || authority.size() > kMaxHostBytes) return any_;
  std::array<char, kMaxHostBytes> buffer;
  std::transform(authority.begin(), authority.end(), buffer.begin(), lower);
  const std::string_view host(buffer.data(), authority.size());
  if (const auto match = exact_.find(whole_hash(host), host)) return match;
  if (const auto match = find_suffix(host)) return match;
  if (const auto match = find_prefix(host)) return match;
  return any_;
}

}  // namespace weir::http
