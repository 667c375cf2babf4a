#pragma once

#include <string>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/base/result.h"
#include "proxy/net/address.h"

namespace weir {

// The command line of `weir xds-server`.
struct XdsServerOptions {
  std::string directory;
  net::Address listen;
  net::Address admin;          // family kNone: off
  bool validate_only = false;  // read the directory once and end
  bool strict = false;         // warnings are errors
  bool json_output = false;
  bool show_help = false;
  LogLevel log_level = LogLevel::kInfo;
};

// The arguments after `xds-server`. Errors name the argument.
Result<XdsServerOptions> parse_xds_server_options(const std::vector<std::string>& arguments);

std::string xds_server_help();

}  // namespace weir
