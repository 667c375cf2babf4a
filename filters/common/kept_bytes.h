#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/http/filter.h"
#include "proxy/net/loop.h"

namespace weir::filters::common {

// The bytes as a view that is valid for the rest of the present event: what a filter that makes a
// body of its own points a piece at.
inline std::string_view keep(http::FilterContext& context, std::string bytes) {
  auto kept = std::make_unique<std::string>(std::move(bytes));
  const std::string_view view = *kept;
  context.loop().retire(std::move(kept));
  return view;
}

}  // namespace weir::filters::common
