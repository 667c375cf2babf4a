#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace envoy::config::core::v3 {
class RuntimeFractionalPercent;
}
namespace envoy::type::v3 {
class FractionalPercent;
}

namespace weir::http {

// Looks a number of the runtime up; nothing where the key is not set. Empty where there is no
// runtime. Any thread.
using RuntimeLookup = std::function<std::optional<double>(std::string_view key)>;

// What a FractionalPercent's numerator is a part of: 100, 10,000 or 1,000,000.
uint32_t denominator_of(const envoy::type::v3::FractionalPercent& fraction);

// A RuntimeFractionalPercent: the share of requests for which something holds. What the runtime
// says under the key is a percentage, whatever the denominator.
struct Share {
  uint32_t numerator = 0;
  uint32_t denominator = 100;
  std::string runtime_key;

  static Share compile(const envoy::config::core::v3::RuntimeFractionalPercent& config);

  bool never() const { return numerator == 0 && runtime_key.empty(); }
  bool holds(const RuntimeLookup& runtime, uint64_t random) const;
};

}  // namespace weir::http
