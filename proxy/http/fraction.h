#pragma once

#include <cstdint>

namespace envoy::type::v3 {
class FractionalPercent;
}

namespace weir::http {

// What a FractionalPercent's numerator is a part of: 100, 10,000 or 1,000,000.
uint32_t denominator_of(const envoy::type::v3::FractionalPercent& fraction);

}  // namespace weir::http
