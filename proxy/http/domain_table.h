#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http {

// Texts with a number each, found by a hash that the caller computes: open addressing in one array,
// so that a look-up is one or two cache lines. Built once, then read by any thread.
class NameTable {
 public:
  // False when the name is there already.
  bool insert(uint32_t hash, std::string_view name, uint32_t value);
  std::optional<uint32_t> find(uint32_t hash, std::string_view name) const;
  bool empty() const { return count_ == 0; }

 private:
  struct Slot {
    uint32_t hash = 0;
    uint32_t offset = 0;  // into text_
    uint32_t size = 0;    // 0: a free slot
    uint32_t value = 0;
  };

  size_t slot_of(uint32_t hash, std::string_view name) const;  // its own, or the free one for it
  std::string_view name_of(const Slot& slot) const {
    return std::string_view(text_).substr(slot.offset, slot.size);
  }
  void grow();

  std::vector<Slot> slots_;
  std::string text_;
  size_t count_ = 0;
};

// The domains of a route table: which virtual host a request's authority belongs to. Envoy's order:
// an exact name, the longest suffix wildcard ("*.foo.com"), the longest prefix wildcard ("foo.*"),
// then "*"; a wildcard stands for at least one character. Names are compared without case.
// Built once, then read by any thread.
class DomainTable {
 public:
  static constexpr size_t kMaxDomainBytes = 255;

  enum class Added : uint8_t { kYes, kDuplicate, kEmpty, kTooLong, kStrayWildcard };
  Added add(std::string_view domain, uint32_t host);

  // `authority` with or without a port, as the domains have it.
  std::optional<uint32_t> find(std::string_view authority) const;

 private:
  // Wildcards of one kind: the fixed parts and which lengths they have.
  struct Wildcards {
    NameTable names;
    std::bitset<kMaxDomainBytes + 1> sizes;
    size_t longest = 0;  // 0: there are none

    bool insert(uint32_t hash, std::string_view fixed, uint32_t host);
  };

  std::optional<uint32_t> find_suffix(std::string_view host) const;
  std::optional<uint32_t> find_prefix(std::string_view host) const;

  NameTable exact_;
  Wildcards suffixes_;
  Wildcards prefixes_;
  std::optional<uint32_t> any_;
};

}  // namespace weir::http
