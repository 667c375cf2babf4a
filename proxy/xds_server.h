#pragma once

#include <string>
#include <vector>

namespace weir {

// `weir xds-server --dir DIR [OPTION]...`: a control plane that serves the Envoy resources of a
// directory by xDS, follows its changes, and says who accepted what. Until SIGINT or SIGTERM;
// SIGHUP reads the directory again. The exit status: 0 fine, 1 bad resources or a port that cannot
// be bound, 2 bad usage.
int xds_server(const std::vector<std::string>& arguments);

}  // namespace weir
