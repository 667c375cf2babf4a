#include "tests/bench/cpu_time.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace weir::bench {
namespace {

void add_thread(const std::filesystem::path& task, CpuTime& sum) {
  int64_t running = 0;
  int64_t waiting = 0;
  std::ifstream(task / "schedstat") >> running >> waiting;
  sum.running_ns += running;
  sum.waiting_ns += waiting;
}

// utime and stime are fields 14 and 15; the name before them, in parentheses, may hold anything.
void add_ticks(pid_t process, CpuTime& sum) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return;
  size_t at = name_end + 1;
  for (int field = 3; field < 14 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return;
  size_t used = 0;
  sum.user_ticks += std::stoll(text.substr(at), &used);
  sum.system_ticks += std::stoll(text.substr(at + used));
}

}  // namespace

CpuTime cpu_time_of(const std::vector<pid_t>& processes) {
  CpuTime sum;
  for (const pid_t process : processes) {
    std::error_code error;
    const auto tasks = "/proc/" + std::to_string(process) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks, error))
      add_thread(task.path(), sum);
    add_ticks(process, sum);
  }
  return sum;
}

}  // namespace weir::bench
