#pragma once

#include <cstdint>

namespace weir::upstream {

// Which addresses of a name are wanted.
enum class DnsFamily : uint8_t {
  kAuto,  // IPv6, or IPv4 where there is none
  kV4Only,
  kV6Only,
  kV4Preferred,  // IPv4, or IPv6 where there is none
  kAll,
};

}  // namespace weir::upstream
