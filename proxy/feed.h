#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace weir {

// What is in force of something that control planes replace, as each worker sees it. What is
// replaced stays until the last request that began with it is over: a count that only its worker
// writes, so that nothing is shared on the data path. `Use` has the count, `requests`, and what is
// used.
//
// Each worker's part is touched by that worker's thread alone, but for the constructor.
template <class Use>
class Feed {
 public:
  Feed(uint32_t workers, const Use& first) : cells_(workers) {
    for (Cell& cell : cells_) cell.current = std::make_unique<Use>(first);
  }
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // For one request, which gives it back.
  Use& acquire(uint32_t worker) {
    Use& use = *cells_[worker].current;
    ++use.requests;
    return use;
  }
  void release(uint32_t worker, Use& use) {
    if (--use.requests > 0 || &use == cells_[worker].current.get()) return;
    std::erase_if(cells_[worker].old, [&](const auto& old) { return old.get() == &use; });
  }

  void set(uint32_t worker, Use next) {
    Cell& cell = cells_[worker];
    auto old = std::exchange(cell.current, std::make_unique<Use>(std::move(next)));
    if (old->requests > 0) cell.old.push_back(std::move(old));
  }

 private:
  // A cache line of its own for each worker.
  struct alignas(64) Cell {
    std::unique_ptr<Use> current;
    std::vector<std::unique_ptr<Use>> old;
  };
  std::vector<Cell> cells_;
};

}  // namespace weir
