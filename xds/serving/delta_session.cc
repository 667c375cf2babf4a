#include "xds/serving/delta_session.h"

#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace weir::xds {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;

// ---- what comes ----

Result<std::optional<Verdict>> DeltaSession::on_request(std::string_view bytes, int64_t now_ms) {
  DeltaDiscoveryRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Error{"invalid-argument", "this is no DeltaDiscoveryRequest", Side::kDownstream};
  ResourceType type = ResourceType::kCluster;
  const Result<TypeState*> found =
      begin_request(request.type_url(), request.has_node() ? &request.node() : nullptr, type);
  if (!found) return found.error();
  if (Result<void> good = check_names(request); !good) return good.error();
  if (*found == nullptr) return std::optional<Verdict>();
  TypeState& of = **found;
  std::optional<Verdict> verdict =
      take_verdict(type, request.response_nonce(),
                   request.has_error_detail() ? &request.error_detail() : nullptr, now_ms);
  const bool first = !of.requested;
  if (first) begin(type, of, request);
  for (const std::string& name : request.resource_names_subscribe()) subscribe(of, name, first);
  for (const std::string& name : request.resource_names_unsubscribe()) unsubscribe(of, name);
  if (first) std::erase_if(of.sent, [&](const auto& sent) { return !of.wants(sent.first); });
  if (Result<void> good = check_count(of); !good) return good.error();
  return verdict;
}

Result<void> DeltaSession::check_names(const Request& request) const {
  if (request.resource_locators_subscribe_size() != 0 ||
      request.resource_locators_unsubscribe_size() != 0)
    return Error{"invalid-argument",
                 "resource locators are not supported; give resource_names_subscribe",
                 Side::kDownstream};
  for (const std::string& name : request.resource_names_subscribe())
    if (Result<void> good = check_name(name); !good) return good;
  for (const auto& [name, version] : request.initial_resource_versions())
    if (Result<void> good = check_name(name); !good) return good;
  return {};
}

void DeltaSession::begin(ResourceType type, TypeState& of, const Request& request) {
  of.requested = true;
  of.wildcard = absence_removes(type) && request.resource_names_subscribe().empty();
  of.must_answer = of.wildcard;
  of.asked = of.dirty = true;
  for (const auto& [name, version] : request.initial_resource_versions())
    of.sent[name] = {version.substr(0, kMaxNameBytes), nullptr};
}

void DeltaSession::subscribe(TypeState& of, const std::string& name, bool first) {
  of.asked = of.dirty = true;
  if (name == "*") {
    of.must_answer = of.must_answer || !of.wildcard;
    of.wildcard = true;
    return;
  }
  of.names.insert(name);
  // Who asks again has forgotten it, and is told again even that there is none.
  if (!first || !of.sent.contains(name)) of.owed.insert(name);
}

// A name that the wildcard may cover: the client cannot know, so it is told.
void DeltaSession::unsubscribe(TypeState& of, const std::string& name) {
  if (name == "*") {
    of.wildcard = false;
    std::erase_if(of.sent, [&](const auto& sent) { return !of.wants(sent.first); });
    std::erase_if(of.owed, [&](const std::string& owed) { return !of.wants(owed); });
    return;
  }
  if (of.names.erase(name) == 0) return;
  if (of.wildcard) {
    of.owed.insert(name);
    of.asked = of.dirty = true;
  } else {
    of.sent.erase(name);
    of.owed.erase(name);
  }
}

// ---- what goes ----

void DeltaSession::add_changed(ResourceType type, TypeState& of, Response& response) {
  size_t bytes = 0;
  for_each_wanted(type, of, [&](const std::string& name, const ServedResource& served) {
    const auto sent = of.sent.find(name);
    const bool has_it = sent != of.sent.end() && sent->second.version == served.resource.version;
    if ((has_it && !of.owed.contains(name)) || bytes >= kResponseBytes) return;
    if (type == ResourceType::kCluster) note_cluster(served);
    auto& resource = *response.add_resources();
    resource.set_name(name);
    resource.set_version(served.resource.version);
    *resource.mutable_resource() = *served.resource.content;
    bytes += served.resource.content->value().size() + name.size();
    of.sent[name] = {served.resource.version, nullptr};
    of.owed.erase(name);
  });
}

void DeltaSession::add_removed(ResourceType type, TypeState& of, bool removing,
                               Response& response) {
  of.report.held_removals = 0;
  std::erase_if(of.owed, [&](const std::string& name) {
    if (catalogue().find(type, name) != nullptr) return false;
    response.add_removed_resources(name);
    of.sent[name] = {};
    return true;
  });
  const bool hold = type != ResourceType::kListener && !removing;
  for (auto& [name, sent] : of.sent) {
    if (sent.version.empty() || catalogue().find(type, name) != nullptr) continue;
    if (hold) {
      ++of.report.held_removals;
      continue;
    }
    response.add_removed_resources(name);
    sent = {};
  }
  // That there is none is remembered of those only that it asked for by name.
  std::erase_if(of.sent, [&](const auto& sent) {
    return sent.second.version.empty() && !of.names.contains(sent.first);
  });
}

std::optional<Push> DeltaSession::build(ResourceType type, TypeState& of, bool removing) {
  DeltaDiscoveryResponse response;
  add_changed(type, of, response);
  add_removed(type, of, removing, response);
  if (response.resources().empty() && response.removed_resources().empty() && !of.must_answer)
    return std::nullopt;
  of.nonce = next_nonce();
  Push push{.type = type, .version = catalogue().version(type)};
  push.resources = static_cast<size_t>(response.resources_size());
  push.removed = static_cast<size_t>(response.removed_resources_size());
  response.set_system_version_info(push.version);
  response.set_type_url(std::string(type_url(type)));
  response.set_nonce(of.nonce);
  response.mutable_control_plane()->set_identifier("weir");
  push.bytes = response.SerializeAsString();
  return push;
}

}  // namespace weir::xds
