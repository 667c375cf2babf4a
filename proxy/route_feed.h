#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "proxy/http/route_table.h"

namespace weir {

// A route table as one worker uses it.
struct RouteUse {
  std::shared_ptr<const http::RouteTable> table;  // null: none has come yet
  uint32_t requests = 0;                          // that still look into it
};

// The route table in force for one connection manager, as each worker sees it. A table that is
// replaced stays until the last request that found its route there is over: a count that only its
// worker writes, so that nothing is shared on the data path.
//
// Each worker's part is touched by that worker's thread alone, but for the constructor.
class RouteFeed {
 public:
  RouteFeed(uint32_t workers, const std::shared_ptr<const http::RouteTable>& table)
      : cells_(workers) {
    for (Cell& cell : cells_) cell.current = std::make_unique<RouteUse>(RouteUse{table});
  }
  RouteFeed(const RouteFeed&) = delete;
  RouteFeed& operator=(const RouteFeed&) = delete;

  // For one request, which gives it back.
  RouteUse& acquire(uint32_t worker) {
    RouteUse& use = *cells_[worker].current;
    ++use.requests;
    return use;
  }
  void release(uint32_t worker, RouteUse& use) {
    if (--use.requests > 0 || &use == cells_[worker].current.get()) return;
    std::erase_if(cells_[worker].old, [&](const auto& old) { return old.get() == &use; });
  }

  void set(uint32_t worker, std::shared_ptr<const http::RouteTable> table) {
    Cell& cell = cells_[worker];
    auto old = std::exchange(cell.current, std::make_unique<RouteUse>(RouteUse{std::move(table)}));
    if (old->requests > 0) cell.old.push_back(std::move(old));
  }

 private:
  // A cache line of its own for each worker.
  struct alignas(64) Cell {
    std::unique_ptr<RouteUse> current;
    std::vector<std::unique_ptr<RouteUse>> old;
  };
  std::vector<Cell> cells_;
};

}  // namespace weir
