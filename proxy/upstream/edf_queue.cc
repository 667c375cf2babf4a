#include "proxy/upstream/edf_queue.h"

#include "proxy/upstream/random.h"

namespace weir::upstream {

EdfQueue::EdfQueue(std::span<const double> weights, uint64_t seed) {
  heap_.reserve(weights.size());
  for (uint32_t i = 0; i < weights.size(); ++i)
    heap_.push_back({unit(mix_bits(seed + i)) / weights[i], i});
  for (size_t i = heap_.size() / 2; i-- > 0;) sift_down(i);
}

void EdfQueue::end_turn(double weight) {
  heap_[0].deadline += 1 / weight;
  sift_down(0);
}

void EdfQueue::sift_down(size_t at) {
  const Slot moving = heap_[at];
  const size_t size = heap_.size();
  for (size_t child = 2 * at + 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && heap_[child + 1] < heap_[child]) ++child;
    if (!(heap_[child] < moving)) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = moving;
}

}  // namespace weir::upstream
