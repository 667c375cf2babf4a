#pragma once

#include <string>
#include <vector>

namespace weir {

// `weir demo-upstream [PORT]`: a small HTTP/1.1 service on 127.0.0.1 that answers each request with
// what it got, as JSON, until SIGINT or SIGTERM. Paths of the form /status/NNN answer with that
// status. The exit status: 0 fine, 2 bad usage or the port is taken.
int demo_upstream(const std::vector<std::string>& arguments);

}  // namespace weir
