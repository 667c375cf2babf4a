#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::stats {

// What Envoy prints of each histogram.
inline constexpr std::array<double, 10> kQuantiles = {0,    0.25, 0.5,   0.75,  0.9,
                                                      0.95, 0.99, 0.995, 0.999, 1};

// Upper bounds of the buckets that are exported: Envoy's default list, in the histogram's unit
// (milliseconds for durations).
inline constexpr std::array<double, 19> kExportBounds = {
    0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
    2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};

// The value that a share `q` (0..1) of the recorded ones does not exceed, interpolated within its
// bucket. `buckets` is Sample::buckets; NaN when nothing was recorded.
double quantile(const std::vector<uint64_t>& buckets, double q);

// How many of the recorded values are at most `bound`, interpolated within its bucket.
uint64_t count_at_most(const std::vector<uint64_t>& buckets, double bound);

// As Envoy prints numbers: at most six significant digits.
std::string number_text(double value);

}  // namespace weir::stats
