#include "proxy/upstream/maglev.h"

#include <algorithm>

#include "proxy/base/hash.h"

namespace weir::upstream {
namespace {

constexpr uint32_t kFree = UINT32_MAX;

// A host's walk through the table: every entry once, in an order of its own.
struct Walk {
  uint32_t endpoint;
  double weight;
  double due = 0;  // what `round * weight` must reach for the next turn
  uint64_t at;
  uint64_t skip;
};

std::vector<Walk> make_walks(std::span<const HashedHost> hosts, uint32_t size) {
  // The table depends on the order in which hosts claim entries: sorted, the order in which the
  // configuration lists them does not matter.
  std::vector<HashedHost> sorted(hosts.begin(), hosts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const HashedHost& a, const HashedHost& b) { return a.key < b.key; });
  std::vector<Walk> walks;
  walks.reserve(sorted.size());
  for (const HashedHost& host : sorted) {
    walks.push_back({.endpoint = host.endpoint,
                     .weight = host.weight,
                     .at = xxhash64(host.key) % size,
                     .skip = xxhash64(host.key, 1) % (size - 1) + 1});
  }
  return walks;
}

}  // namespace

MaglevTable::MaglevTable(std::span<const HashedHost> hosts, uint32_t size) {
  if (hosts.empty()) return;
  std::vector<Walk> walks = make_walks(hosts, size);
  double heaviest = 0;
  for (const Walk& walk : walks) heaviest = std::max(heaviest, walk.weight);

  table_.assign(size, kFree);
  uint32_t filled = 0;
  for (uint64_t round = 1; filled < size; ++round) {
    for (Walk& walk : walks) {
      // The heaviest host has a turn in every round, one of a third of its weight in every third.
      if (static_cast<double>(round) * walk.weight < walk.due) continue;
      walk.due += heaviest;
      while (table_[walk.at] != kFree) walk.at = (walk.at + walk.skip) % size;
      table_[walk.at] = walk.endpoint;
      walk.at = (walk.at + walk.skip) % size;
      if (++filled == size) break;
    }
  }
}

}  // namespace weir::upstream
