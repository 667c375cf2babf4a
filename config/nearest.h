#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::config {

// The candidate that `name` was most likely meant to be, by edit distance (a swap of neighbours
// counts as one edit) without regard to case and underscores; empty if none is near enough.
std::string_view nearest_name(std::string_view name,
                              const std::vector<std::string_view>& candidates);

// "did you mean 'x'?", or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace weir::config
