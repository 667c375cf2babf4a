#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "proxy/base/result.h"

namespace weir {

// The command line of the proxy itself. Names and meanings are Envoy's where Envoy has them.
struct Options {
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
  std::string log_level = "info";
  std::string component_log_level;
  std::string log_path;
  std::string local_address_ip_version = "v4";
  std::string admin_address_path;
};

// The arguments after the program's name. Errors name the argument.
Result<Options> parse_options(const std::vector<std::string>& arguments);

std::string help_text();
std::string version_text();

}  // namespace weir
