#include "xds/status.h"

namespace weir::xds {

std::string_view state_name(ResourceStatus::State state) {
  switch (state) {
    case ResourceStatus::State::kRequested:
      return "REQUESTED";
    case ResourceStatus::State::kAccepted:
      return "ACKED";
    case ResourceStatus::State::kRejected:
      return "NACKED";
    case ResourceStatus::State::kDoesNotExist:
      return "DOES_NOT_EXIST";
    case ResourceStatus::State::kTimeout:
      return "TIMEOUT";
  }
  return "REQUESTED";
}

}  // namespace weir::xds
