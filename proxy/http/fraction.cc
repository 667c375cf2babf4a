#include "proxy/http/fraction.h"

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

}  // namespace weir::http
