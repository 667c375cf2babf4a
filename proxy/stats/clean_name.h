#pragma once

#include <string>
#include <string_view>

namespace weir::stats {

// What a configuration or an address gives, as a part of a metric's name, by Envoy's rule: "://",
// ":/", ":" and NUL become '_'. "[::1]:80" is "[__1]_80".
std::string clean_name(std::string_view text);

}  // namespace weir::stats
