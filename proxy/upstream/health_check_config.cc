#include "proxy/upstream/health_check_config.h"

#include <algorithm>

namespace weir::upstream {

bool HealthCheckConfig::in(const std::vector<Range>& ranges, uint16_t status) {
  return std::any_of(ranges.begin(), ranges.end(), [status](const Range& range) {
    return status >= range.first && status < range.second;
  });
}

bool payload_found(const Payload& wanted, std::string_view bytes) {
  for (const std::string& piece : wanted) {
    const size_t at = bytes.find(piece);
    if (at == std::string_view::npos) return false;
    bytes.remove_prefix(at + piece.size());
  }
  return true;
}

}  // namespace weir::upstream
