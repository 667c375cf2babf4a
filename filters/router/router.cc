#include "filters/router/router.h"

namespace weir::filters {

http::FilterType router() {
  http::FilterType type;
  type.message = "envoy.extensions.filters.http.router.v3.Router";
  type.terminal = true;
  return type;
}

}  // namespace weir::filters
