#include "proxy/stats/clean_name.h"

namespace weir::stats {

std::string clean_name(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t replaced = text.starts_with("://")  ? 3
                            : text.starts_with(":/") ? 2
                            : text.front() == ':'    ? 1
                            : text.front() == '\0'   ? 1
                                                     : 0;
    out.push_back(replaced > 0 ? '_' : text.front());
    text.remove_prefix(replaced > 0 ? replaced : 1);
  }
  return out;
}

}  // namespace weir::stats
