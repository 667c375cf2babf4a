#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/xds_service.h"

namespace weir {

// A control plane's side of envoy.service.status.v3 (CSDS): of each client that is connected, and
// of each type that it asks for, whether it has what is served. Clients that were there are
// forgotten.
struct XdsClientStatus {
  const xds::Catalogue& catalogue;
  std::vector<XdsStreamReport> streams;
  // The same moment of the loop's clock, in which reports are told, and since 1970.
  int64_t now_ms = 0;
  int64_t wall_ms = 0;
};

// A serialized ClientStatusResponse to a serialized ClientStatusRequest. node_matchers choose by
// node_id. The error, "bad-query", is for a request that is none, or that asks for more.
Result<std::string> answer_xds_client_status(const XdsClientStatus& status,
                                             std::string_view request);

}  // namespace weir
