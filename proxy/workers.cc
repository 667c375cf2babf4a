#include "proxy/workers.h"

#include <atomic>
#include <utility>

namespace weir {

void Workers::each_then(net::Loop& main, const std::function<void(Worker&)>& task,
                        std::function<void()> done) {
  auto left = std::make_shared<std::atomic<uint32_t>>(size());
  each([&main, task, left, done = std::move(done)](Worker& worker) {
    task(worker);
    if (left->fetch_sub(1) == 1) main.post(done);
  });
}

}  // namespace weir
