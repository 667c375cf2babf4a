#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "proxy/base/result.h"

namespace weir {

// The command line of the proxy itself. Names and meanings are Envoy's where Envoy has them.
struct Options {
  static constexpr uint32_t kMaxWorkers = 1024;
  static constexpr int64_t kMaxSeconds = 31'536'000;  // of each time: a year

  config::LoadOptions load;
  bool validate_only = false;
  bool show_help = false;
  bool show_version = false;
  bool json_output = false;  // --output json
  bool reject_unknown_dynamic_fields = false;
  uint32_t concurrency = 0;  // 0: one worker per processor
  bool cpuset_threads = false;
  int64_t drain_time_s = 600;
  std::string drain_strategy = "gradual";
  int64_t file_flush_interval_ms = 10'000;
  // Hot restart: docs/hot_restart.md.
  bool disable_hot_restart = false;
  uint32_t restart_epoch = 0;
  std::optional<uint32_t> base_id;  // 0 when it was not given
  bool use_dynamic_base_id = false;
  std::string base_id_path;
  int64_t parent_shutdown_time_s = 900;
  bool skip_hot_restart_on_no_parent = false;
  bool skip_hot_restart_parent_stats = false;
  int32_t ready_fd = -1;                  // -1: nobody waits
  std::vector<std::string> command_line;  // the arguments as they were given
  std::string log_level = "info";
  std::string component_log_level;
  std::string log_path;
  std::string log_format;  // empty: the default
  std::string local_address_ip_version = "v4";
  std::string admin_address_path;
};

// The arguments after the program's name. Errors name the argument.
Result<Options> parse_options(const std::vector<std::string>& arguments);

std::string help_text();
std::string version_text();

}  // namespace weir
