#include "proxy/upstream/host_moves.h"

#include <algorithm>
#include <bit>

namespace weir::upstream {

EndpointIndex::EndpointIndex(const HostSet& set, size_t first, size_t end)
    : set_(set), slots_(std::bit_ceil(2 * (end - first) + 1)) {
  const size_t mask = slots_.size() - 1;
  for (size_t i = first; i < end; ++i) {
    size_t at = set.endpoints[i].address.hash() & mask;
    while (slots_[at].endpoint != kNone) at = (at + 1) & mask;
    slots_[at].endpoint = static_cast<uint32_t>(i);
  }
}

uint32_t EndpointIndex::take(const net::Address& address) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = address.hash() & mask; slots_[at].endpoint != kNone; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (slot.taken || !(set_.endpoints[slot.endpoint].address == address)) continue;
    slot.taken = true;
    return slot.endpoint;
  }
  return kNone;
}

namespace {

bool is_same_logical(const HostSet& from, const HostSet& to) {
  return from.endpoints.size() == 1 && to.endpoints.size() == 1 && to.endpoints[0].logical;
}

bool all_in_place(const HostSet& from, const HostSet& to) {
  if (from.endpoints.size() != to.endpoints.size()) return false;
  if (is_same_logical(from, to)) return true;
  for (size_t i = 0; i < to.endpoints.size(); ++i) {
    if (from.endpoints.shared(i) == to.endpoints.shared(i)) continue;
    if (!(from.endpoints[i].address == to.endpoints[i].address)) return false;
  }
  return true;
}

// How many are the same object in both, from the beginning.
size_t common_head(const Endpoints& a, const Endpoints& b) {
  const size_t most = std::min(a.size(), b.size());
  size_t count = 0;
  while (count < most && a.shared(count) == b.shared(count)) ++count;
  return count;
}

// From the end, of what the head leaves.
size_t common_tail(const Endpoints& a, const Endpoints& b, size_t head) {
  const size_t most = std::min(a.size(), b.size()) - head;
  size_t count = 0;
  while (count < most && a.shared(a.size() - 1 - count) == b.shared(b.size() - 1 - count)) ++count;
  return count;
}

}  // namespace

HostMoves find_moves(const HostSet& from, const HostSet& to) {
  const Endpoints& old = from.endpoints;
  const Endpoints& next = to.endpoints;
  HostMoves moves;
  moves.in_place = all_in_place(from, to);
  const auto pair_up = [&](size_t i, size_t j) {
    if (!moves.in_place) moves.to[i] = static_cast<uint32_t>(j);
    if (old.shared(i) != next.shared(j)) moves.changed.push_back(static_cast<uint32_t>(j));
  };
  if (moves.in_place) {
    for (size_t i = 0; i < next.size(); ++i) pair_up(i, i);
    return moves;
  }
  moves.to.assign(old.size(), HostMoves::kGone);
  const size_t head = common_head(old, next);
  const size_t tail = common_tail(old, next, head);
  for (size_t i = 0; i < head; ++i) pair_up(i, i);
  EndpointIndex index(from, head, old.size() - tail);
  for (size_t j = head; j < next.size() - tail; ++j) {
    const uint32_t i = index.take(next[j].address);
    if (i != EndpointIndex::kNone) pair_up(i, j);
  }
  for (size_t i = 1; i <= tail; ++i) pair_up(old.size() - i, next.size() - i);
  return moves;
}

}  // namespace weir::upstream
