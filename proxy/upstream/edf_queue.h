#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir::upstream {

// Earliest deadline first: entries take turns in proportion to their weights, as evenly spread as
// the weights allow. An entry's weight may change at each of its turns. Allocates at construction
// only; a turn costs O(log n). One thread.
class EdfQueue {
 public:
  EdfQueue() = default;
  // Entries are numbered as their weights are; each weight is > 0. The first deadlines are spread
  // by `seed`, so that the workers of a process do not all begin with the same entry.
  EdfQueue(std::span<const double> weights, uint64_t seed);

  bool empty() const { return heap_.empty(); }
  // Whose turn it is. Not empty.
  uint32_t top() const { return heap_[0].entry; }
  // Ends the turn of top(): its next one comes after 1 / weight. `weight` > 0.
  void end_turn(double weight);

 private:
  struct Slot {
    double deadline;
    uint32_t entry;
    bool operator<(const Slot& other) const {
      return deadline != other.deadline ? deadline < other.deadline : entry < other.entry;
    }
  };

  void sift_down(size_t at);

  std::vector<Slot> heap_;
};

}  // namespace weir::upstream
