#include "proxy/admin/client_status.h"

#include <google/protobuf/any.pb.h>

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/service/status/v3/csds.pb.h"
#include "proxy/admin/redact.h"
#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::ClientResourceStatus;
using envoy::config::bootstrap::v3::Bootstrap;
using envoy::service::status::v3::ClientConfig;
using envoy::service::status::v3::ClientStatusRequest;
using envoy::service::status::v3::ClientStatusResponse;
using google::protobuf::Any;
using google::protobuf::Timestamp;

void set_time(int64_t ms, Timestamp& out) {
  out.set_seconds(ms / 1000);
  out.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

// Fills in one ClientConfig.
class Lister {
 public:
  Lister(std::span<const DynamicResource> dynamic, bool exclude_contents, ClientConfig& out)
      : exclude_contents_(exclude_contents), out_(out) {
    for (const DynamicResource& one : dynamic)
      if (one.content != nullptr) contents_.emplace(Key{one.type_url, one.name}, &one);
  }

  void add(const ResourceState& resource) {
    auto& entry = *out_.add_generic_xds_configs();
    entry.set_type_url(resource.type_url);
    entry.set_name(resource.name);
    entry.set_version_info(resource.version);
    entry.set_client_status(client_resource_status(resource.state));
    if (resource.updated_ms != 0) set_time(resource.updated_ms, *entry.mutable_last_updated());
    if (const Any* content = content_of(resource)) *entry.mutable_xds_config() = *content;
    if (resource.error.empty()) return;
    auto& error = *entry.mutable_error_state();
    error.set_details(resource.error);
    error.set_version_info(resource.rejected_version);
    set_time(resource.rejected_ms, *error.mutable_last_update_attempt());
  }

  template <class Message>
  void add_static(const Message& message, int64_t updated_s) {
    auto& entry = *out_.add_generic_xds_configs();
    Any content;
    content.PackFrom(message);
    entry.set_type_url(content.type_url());
    entry.set_name(message.name());
    entry.set_is_static_resource(true);
    entry.mutable_last_updated()->set_seconds(updated_s);
    if (!exclude_contents_) *entry.mutable_xds_config() = std::move(content);
  }

 private:
  using Key = std::pair<std::string, std::string>;  // type and name

  // Of the version that was accepted, if there are several; of what warms otherwise.
  const Any* content_of(const ResourceState& resource) const {
    if (exclude_contents_) return nullptr;
    const DynamicResource* found = nullptr;
    const auto [first, last] = contents_.equal_range(Key{resource.type_url, resource.name});
    for (auto at = first; at != last; ++at)
      if (found == nullptr || at->second->version == resource.version) found = at->second;
    return found == nullptr ? nullptr : found->content.get();
  }

  bool exclude_contents_;
  ClientConfig& out_;
  std::multimap<Key, const DynamicResource*> contents_;
};

void add_static(const Bootstrap& bootstrap, int64_t updated_s, Lister& lister) {
  const auto& from = bootstrap.static_resources();
  for (const auto& one : from.listeners()) lister.add_static(one, updated_s);
  for (const auto& one : from.clusters()) lister.add_static(one, updated_s);
  for (const auto& one : from.secrets()) lister.add_static(one, updated_s);
}

Result<ClientStatusResponse> client_status(const AdminHooks& hooks, bool exclude_contents) {
  const auto bootstrap = hooks.bootstrap ? hooks.bootstrap() : nullptr;
  if (bootstrap == nullptr || !hooks.control_planes || !hooks.dynamic_resources)
    return Error{"not-available", "the client's status is not available in this process"};
  ClientStatusResponse out;
  ClientConfig& client = *out.add_config();
  *client.mutable_node() = bootstrap->node();
  client.mutable_node()->set_user_agent_name("weir");
  const std::vector<DynamicResource> dynamic = hooks.dynamic_resources();
  Lister lister(dynamic, exclude_contents, client);
  for (const ControlPlaneState& plane : hooks.control_planes())
    for (const ResourceState& resource : plane.resources) lister.add(resource);
  add_static(*bootstrap, hooks.config_updated_s ? hooks.config_updated_s() : 0, lister);
  redact(out);
  return out;
}

}  // namespace

ClientResourceStatus client_resource_status(const std::string& state) {
  if (state == "TIMEOUT") return envoy::admin::v3::DOES_NOT_EXIST;
  ClientResourceStatus out = envoy::admin::v3::UNKNOWN;
  envoy::admin::v3::ClientResourceStatus_Parse(state, &out);
  return out;
}

Result<std::string> client_status_json(const AdminHooks& hooks, bool exclude_contents) {
  const Result<ClientStatusResponse> status = client_status(hooks, exclude_contents);
  if (!status) return status.error();
  return message_json(*status);
}

Result<std::string> answer_client_status(const AdminHooks& hooks, std::string_view request) {
  ClientStatusRequest asked;
  if (!asked.ParseFromArray(request.data(), static_cast<int>(request.size())))
    return Error{"bad-query", "the message is no ClientStatusRequest"};
  if (asked.node_matchers_size() > 0)
    return Error{"bad-query", "node_matchers are for control planes; here is one client"};
  const Result<ClientStatusResponse> status =
      client_status(hooks, asked.exclude_resource_contents());
  if (!status) return status.error();
  return status->SerializeAsString();
}

}  // namespace weir::admin
