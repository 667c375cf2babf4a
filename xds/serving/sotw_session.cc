#include "xds/serving/sotw_session.h"

#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace weir::xds {

using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

Result<std::optional<Verdict>> SotwSession::on_request(std::string_view bytes, int64_t now_ms) {
  DiscoveryRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Error{"invalid-argument", "this is no DiscoveryRequest", Side::kDownstream};
  if (request.resource_locators_size() != 0)
    return Error{"invalid-argument", "resource_locators are not supported; give resource_names",
                 Side::kDownstream};
  ResourceType type = ResourceType::kCluster;
  const Result<TypeState*> found =
      begin_request(request.type_url(), request.has_node() ? &request.node() : nullptr, type);
  if (!found) return found.error();
  if (*found == nullptr) return std::optional<Verdict>();
  TypeState& of = **found;
  Names names;
  for (const std::string& name : request.resource_names()) {
    if (Result<void> good = check_name(name); !good) return good.error();
    names.insert(name);
  }
  // An answer to an earlier response crossed with a later one: the answer to that one says all.
  const std::string& nonce = request.response_nonce();
  if (of.requested && !nonce.empty() && nonce != of.nonce) return std::optional<Verdict>();
  std::optional<Verdict> verdict = take_verdict(
      type, nonce, request.has_error_detail() ? &request.error_detail() : nullptr, now_ms);
  subscribe(type, of, std::move(names));
  if (Result<void> good = check_count(of); !good) return good.error();
  return verdict;
}

void SotwSession::subscribe(ResourceType type, TypeState& of, Names names) {
  const bool was_wildcard = of.wildcard;
  const bool first = !of.requested;
  of.requested = true;
  of.ever_named = of.ever_named || !names.empty();
  of.wildcard = names.erase("*") != 0 || (absence_removes(type) && !of.ever_named);
  bool more = of.wildcard && !was_wildcard;
  for (const std::string& name : names) more = more || !of.names.contains(name);
  of.names = std::move(names);
  // What the client does not want any more, it forgets.
  std::erase_if(of.sent, [&](const auto& sent) { return !of.wants(sent.first); });
  std::erase_if(of.owed, [&](const std::string& name) { return !of.wants(name); });
  if (!first && !more) return;
  of.must_answer = of.must_answer || absence_removes(type);
  of.asked = true;
  of.dirty = true;
}

// Whether the client has something else than what it should have.
bool SotwSession::is_due(ResourceType type, TypeState& of, bool removing) {
  bool due = of.must_answer;
  for_each_wanted(type, of, [&](const std::string& name, const ServedResource& served) {
    const auto sent = of.sent.find(name);
    due = due || sent == of.sent.end() || sent->second.version != served.resource.version ||
          of.owed.contains(name);
  });
  const bool hold = type == ResourceType::kCluster && !removing;
  of.report.held_removals = 0;
  std::erase_if(of.sent, [&](const auto& sent) {
    if (catalogue().find(type, sent.first) != nullptr) return false;
    of.report.held_removals += hold ? 1 : 0;
    due = due || (absence_removes(type) && !hold);
    return !hold;
  });
  return due;
}

std::optional<Push> SotwSession::build(ResourceType type, TypeState& of, bool removing) {
  const size_t before = of.sent.size();
  if (!is_due(type, of, removing)) return std::nullopt;
  Push push{.type = type, .version = catalogue().version(type)};
  if (absence_removes(type)) push.removed = before - of.sent.size();
  DiscoveryResponse response;
  for_each_wanted(type, of, [&](const std::string& name, const ServedResource& served) {
    if (type == ResourceType::kCluster) note_cluster(served);
    *response.add_resources() = *served.resource.content;
    of.sent[name] = {served.resource.version, served.resource.content};
  });
  if (of.report.held_removals != 0) {
    push.version += "+" + std::to_string(of.report.held_removals);
    for (const auto& [name, sent] : of.sent)
      if (catalogue().find(type, name) == nullptr) *response.add_resources() = *sent.content;
  }
  of.owed.clear();
  of.nonce = next_nonce();
  push.resources = static_cast<size_t>(response.resources_size());
  response.set_version_info(push.version);
  response.set_type_url(std::string(type_url(type)));
  response.set_nonce(of.nonce);
  response.mutable_control_plane()->set_identifier("weir");
  push.bytes = response.SerializeAsString();
  return push;
}

}  // namespace weir::xds
