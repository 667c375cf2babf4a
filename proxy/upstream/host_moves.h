#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proxy/upstream/endpoint.h"

namespace weir::upstream {

// Finds endpoints of a set by their addresses. An address may be there several times, in two
// localities for example. Refers to the set.
class EndpointIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Those from `first` on, before `end`.
  EndpointIndex(const HostSet& set, size_t first, size_t end);
  explicit EndpointIndex(const HostSet& set) : EndpointIndex(set, 0, set.endpoints.size()) {}

  // The first endpoint of that address that was not taken before; kNone: there is none.
  uint32_t take(const net::Address& address);

 private:
  struct Slot {
    uint32_t endpoint = kNone;
    bool taken = false;
  };

  const HostSet& set_;
  std::vector<Slot> slots_;  // open addressing; a power of two, at most half full
};

// Where the hosts of one set are in the next. Found once, on the main thread, so that a worker need
// only follow it for the hosts that it has.
struct HostMoves {
  static constexpr uint32_t kGone = UINT32_MAX;

  bool in_place = false;          // every host stays at its index; then `to` is empty
  std::vector<uint32_t> to;       // by old index: the new one, or kGone
  std::vector<uint32_t> changed;  // new indices of hosts that stay, and whose Endpoint is another
};

// Hosts are the same when their addresses are; a LOGICAL_DNS one, which stands for its name, is the
// same at another address.
HostMoves find_moves(const HostSet& from, const HostSet& to);

}  // namespace weir::upstream
