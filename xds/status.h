#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xds/types.h"

namespace weir::xds {

// What happened to a type's resources, for counters.
enum class Event : uint8_t {
  kAttempt,       // a request was sent, or was due while there was no stream
  kSuccess,       // an answer was taken over
  kRejected,      // an answer was refused, wholly or in part
  kFailure,       // the stream broke off or could not be opened
  kFetchTimeout,  // initial_fetch_timeout passed
  kRateLimited,   // a request waited because of the limit
};

// Where one resource stands, for people.
struct ResourceStatus {
  enum class State : uint8_t {
    kRequested,  // nothing has come yet
    kAccepted,
    kRejected,      // the last version that came; `version` is the last good one
    kDoesNotExist,  // the control plane says so
    kTimeout,       // nothing came within initial_fetch_timeout
  };
  ResourceType type = ResourceType::kCluster;
  std::string name;
  State state = State::kRequested;
  std::string version;           // of what is in force; empty: none
  std::string rejected_version;  // of what was refused last
  std::string error;             // of what was refused last; empty once a later one is taken
  int64_t rejected_ms = 0;       // wall time of that; 0 once a later one is taken
  int64_t since_ms = 0;          // wall time of the last change of `state`
  int64_t updated_ms = 0;        // wall time when `version` came
};

// As envoy.admin.v3.ClientResourceStatus calls it: "REQUESTED", "ACKED", "NACKED",
// "DOES_NOT_EXIST", "TIMEOUT".
std::string_view state_name(ResourceStatus::State state);

}  // namespace weir::xds
