#include "proxy/xds_client_status.h"

#include <algorithm>

#include "envoy/service/status/v3/csds.pb.h"
#include "proxy/http/string_match.h"

namespace weir {
namespace {

using envoy::service::status::v3::ClientConfig;
using envoy::service::status::v3::ClientStatusRequest;
using envoy::service::status::v3::ClientStatusResponse;
using envoy::service::status::v3::ConfigStatus;
using xds::TypeReport;

ConfigStatus config_status(const TypeReport& type, const xds::Catalogue& catalogue) {
  if (type.sent_version.empty()) return envoy::service::status::v3::NOT_SENT;
  if (!type.nacked_version.empty()) return envoy::service::status::v3::ERROR;
  const bool is_newest = type.sent_version == catalogue.version(type.type);
  return is_newest && !type.waiting ? envoy::service::status::v3::SYNCED
                                    : envoy::service::status::v3::STALE;
}

envoy::admin::v3::ClientResourceStatus client_status(const TypeReport& type) {
  if (!type.nacked_version.empty()) return envoy::admin::v3::NACKED;
  return type.acked_version.empty() ? envoy::admin::v3::REQUESTED : envoy::admin::v3::ACKED;
}

// Fills in one client.
void add_client(const XdsClientStatus& status, const XdsStreamReport& stream, ClientConfig& out) {
  const auto set_time = [&](int64_t at_ms, google::protobuf::Timestamp& to) {
    const int64_t ms = status.wall_ms - (status.now_ms - at_ms);
    to.set_seconds(ms / 1000);
    to.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
  };
  out.mutable_node()->set_id(stream.node.id);
  out.mutable_node()->set_cluster(stream.node.cluster);
  out.mutable_node()->set_user_agent_name(stream.node.user_agent);
  for (const TypeReport& type : stream.types) {
    auto& entry = *out.add_generic_xds_configs();
    entry.set_type_url(std::string(xds::type_url(type.type)));
    entry.set_version_info(type.acked_version);
    entry.set_config_status(config_status(type, status.catalogue));
    entry.set_client_status(client_status(type));
    if (type.acked_ms != 0) set_time(type.acked_ms, *entry.mutable_last_updated());
    if (type.nacked_version.empty()) continue;
    auto& error = *entry.mutable_error_state();
    error.set_details(type.error);
    error.set_version_info(type.nacked_version);
    set_time(type.nacked_ms, *error.mutable_last_update_attempt());
  }
}

// Those of whom one is to be true; none: any client.
Result<std::vector<http::StringMatch>> node_ids(const ClientStatusRequest& request) {
  std::vector<http::StringMatch> out;
  for (const auto& node : request.node_matchers()) {
    if (node.node_metadatas_size() > 0 || !node.has_node_id())
      return Error{"bad-query", "node_matchers choose by node_id alone here"};
    config::Diagnostics diagnostics;
    auto match = http::StringMatch::compile(
        node.node_id(), config::FieldPath::root("node_matchers.node_id"), diagnostics);
    if (!match) return Error{"bad-query", diagnostics.items().front().message};
    out.push_back(std::move(*match));
  }
  return out;
}

}  // namespace

Result<std::string> answer_xds_client_status(const XdsClientStatus& status,
                                             std::string_view request) {
  ClientStatusRequest asked;
  if (!asked.ParseFromArray(request.data(), static_cast<int>(request.size())))
    return Error{"bad-query", "the message is no ClientStatusRequest"};
  const Result<std::vector<http::StringMatch>> wanted = node_ids(asked);
  if (!wanted) return wanted.error();
  ClientStatusResponse out;
  for (const XdsStreamReport& stream : status.streams) {
    const bool matches = wanted->empty() ||
                         std::any_of(wanted->begin(), wanted->end(),
                                     [&](const auto& one) { return one.matches(stream.node.id); });
    if (matches && !stream.types.empty()) add_client(status, stream, *out.add_config());
  }
  return out.SerializeAsString();
}

}  // namespace weir
