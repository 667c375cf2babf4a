// A valid host falls apart into a host and a port that are valid again and make up the whole.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http/host.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  if (!weir::http::valid_host(input)) return 0;

  for (const char c : input) require(c > 0x20 && c < 0x7f && c != '@' && c != ',' && c != '/');
  const std::string host(weir::http::host_without_port(input));
  require(weir::http::valid_host(host));
  require(weir::http::host_without_port(host) == host);
  require(!weir::http::port_of_host(host));
  const auto port = weir::http::port_of_host(input);
  require(input == (port ? host + ":" + std::to_string(*port) : host));
  return 0;
}
