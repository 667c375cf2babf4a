#include "proxy/http/fraction.h"

#include <algorithm>

#include "envoy/config/core/v3/base.pb.h"
#include "envoy/type/v3/percent.pb.h"

namespace weir::http {

uint32_t denominator_of(const envoy::type::v3::FractionalPercent& fraction) {
  switch (fraction.denominator()) {
    case envoy::type::v3::FractionalPercent::TEN_THOUSAND:
      return 10'000;
    case envoy::type::v3::FractionalPercent::MILLION:
      return 1'000'000;
    default:
      return 100;
  }
}

Share Share::compile(const envoy::config::core::v3::RuntimeFractionalPercent& config) {
  return {.numerator = config.default_value().numerator(),
          .denominator = denominator_of(config.default_value()),
          .runtime_key = config.runtime_key()};
}

bool Share::holds(const RuntimeLookup& runtime, uint64_t random) const {
  constexpr uint64_t kMillion = 1'000'000;
  if (runtime && !runtime_key.empty())
    if (const std::optional<double> percent = runtime(runtime_key))
      return random % kMillion < static_cast<uint64_t>(std::clamp(*percent, 0.0, 100.0) * 10'000);
  return random % denominator < numerator;
}

}  // namespace weir::http
