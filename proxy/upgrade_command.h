#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "proxy/base/result.h"

namespace weir {

struct UpgradeStreams {
  std::ostream& out;
  std::ostream& errors;
};

// The newest process of a base id, as /proc/net/unix shows it.
struct RunningEpoch {
  uint32_t epoch = 0;
  bool under_way = false;  // a later one is starting
};
// `table`: the text of /proc/net/unix. Error "no-parent": there is none.
Result<RunningEpoch> find_running(const std::string& table, uint32_t base_id);

// The arguments of the process that follows: those of the running one, or, unless empty, others;
// with what hot restart needs of its own. `ready_fd`: -1 for none.
std::vector<std::string> successor_arguments(const std::vector<std::string>& arguments,
                                             uint32_t base_id, uint32_t epoch, int ready_fd);

// `weir upgrade`: starts this program in the place of the one that runs, and waits until it serves.
// The arguments after `upgrade`. The exit status: 0 done, 1 not done, and the running process
// serves on; 2 bad usage.
int upgrade_command(const std::vector<std::string>& arguments, const UpgradeStreams& streams);

}  // namespace weir
