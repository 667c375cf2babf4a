#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace weir::bench {

// What a group of processes has used so far.
struct CpuTime {
  int64_t running_ns = 0;  // on a core, in user and kernel mode
  int64_t waiting_ns = 0;  // runnable, but without a core
  int64_t user_ticks = 0;  // sampled by the kernel's clock
  int64_t system_ticks = 0;
};

// Sums over all threads of the processes, from /proc/PID/task/*/schedstat.
CpuTime cpu_time_of(const std::vector<pid_t>& processes);

}  // namespace weir::bench
