#pragma once

#include <string>
#include <string_view>

#include "proxy/admin/hooks.h"
#include "proxy/base/result.h"

// The client's side of envoy.service.status.v3 (CSDS), as gRPC's clients serve it (gRFC A40): each
// resource that control planes were asked for, where it stands, what is in force, and why a later
// version was refused; and the bootstrap's own. Secrets are redacted.
namespace envoy::admin::v3 {
enum ClientResourceStatus : int;
}

namespace weir::admin {

// Of ResourceState::state. What did not come in time is taken for what there is not (A40).
envoy::admin::v3::ClientResourceStatus client_resource_status(const std::string& state);

// ClientStatusResponse as JSON.
Result<std::string> client_status_json(const AdminHooks& hooks, bool exclude_contents);

// The methods of ClientStatusDiscoveryService, as paths.
inline constexpr std::string_view kFetchClientStatus =
    "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus";
inline constexpr std::string_view kStreamClientStatus =
    "/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus";

// A serialized ClientStatusResponse to a serialized ClientStatusRequest. Errors: "bad-query" for a
// request that is none or that asks for other clients; "not-available".
Result<std::string> answer_client_status(const AdminHooks& hooks, std::string_view request);

}  // namespace weir::admin
