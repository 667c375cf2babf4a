#include "xds/serving/session.h"

#include <algorithm>
#include <utility>

#include "envoy/config/core/v3/base.pb.h"
#include "google/rpc/status.pb.h"

namespace weir::xds {
namespace {

constexpr size_t kMaxNodeTextBytes = 256;

// What others refer to comes before what refers to it.
constexpr std::array<ResourceType, kResourceTypes> kOrder = {
    ResourceType::kCluster,   ResourceType::kEndpoint, ResourceType::kSecret,
    ResourceType::kExtension, ResourceType::kListener, ResourceType::kScopedRoute,
    ResourceType::kRoute,     ResourceType::kRuntime,
};

bool refers_to_clusters(ResourceType type) {
  return type == ResourceType::kListener || type == ResourceType::kScopedRoute ||
         type == ResourceType::kRoute;
}

Error invalid(std::string message) {
  return {"invalid-argument", std::move(message), Side::kDownstream};
}

}  // namespace

Session::Session(std::shared_ptr<const Catalogue> catalogue, std::optional<ResourceType> only)
    : catalogue_(std::move(catalogue)), only_(only) {
  for (size_t i = 0; i < kResourceTypes; ++i) states_[i].report.type = static_cast<ResourceType>(i);
}

// ---- what comes ----

Result<Session::TypeState*> Session::begin_request(const std::string& type_url,
                                                   const envoy::config::core::v3::Node* node,
                                                   ResourceType& type) {
  if (node != nullptr && node_.id.empty() && node_.cluster.empty()) {
    node_.id = node->id().substr(0, kMaxNodeTextBytes);
    node_.cluster = node->cluster().substr(0, kMaxNodeTextBytes);
    node_.user_agent = node->user_agent_name().substr(0, kMaxNodeTextBytes);
  }
  if (type_url.empty() && !only_) return invalid("a request needs a type_url on this stream");
  const std::optional<ResourceType> named = type_url.empty() ? only_ : type_of_url(type_url);
  if (only_ && named != only_)
    return invalid("this stream is for " + std::string(weir::xds::type_url(*only_)) +
                   ", not for '" + type_url.substr(0, kMaxNameBytes) + "'");
  if (!named) {
    unknown_type_ = type_url.substr(0, kMaxNodeTextBytes);
    return nullptr;
  }
  type = *named;
  return &state(type);
}

std::optional<Verdict> Session::take_verdict(ResourceType type, const std::string& nonce,
                                             const google::rpc::Status* error, int64_t now_ms) {
  TypeState& of = state(type);
  TypeReport& report = of.report;
  if (!report.waiting || nonce.empty() || nonce != of.nonce) return std::nullopt;
  report.waiting = false;
  of.dirty = true;
  of.refused = error != nullptr;
  active_ms_ = now_ms;
  Verdict verdict{.type = type, .version = report.sent_version, .accepted = error == nullptr};
  if (error == nullptr) {
    report.acked_version = report.sent_version;
    report.acked_ms = now_ms;
    report.nacked_version.clear();
    report.error.clear();
    return verdict;
  }
  verdict.error = error->message().substr(0, kMaxErrorBytes);
  report.nacked_version = report.sent_version;
  report.error = verdict.error;
  report.nacked_ms = now_ms;
  return verdict;
}

Result<void> Session::check_name(const std::string& name) const {
  if (name.size() <= kMaxNameBytes && !name.empty()) return {};
  return invalid("a resource's name has " + std::to_string(name.size()) + " bytes; 1 to " +
                 std::to_string(kMaxNameBytes) + " are taken");
}

Result<void> Session::check_count(const TypeState& of) const {
  if (of.names.size() <= kMaxNames && of.sent.size() <= kMaxNames + catalogue_->size()) return {};
  return Error{"resource-exhausted",
               "more than " + std::to_string(kMaxNames) + " resources of a type are asked for",
               Side::kDownstream};
}

void Session::set_catalogue(std::shared_ptr<const Catalogue> catalogue, int64_t now_ms) {
  for (size_t i = 0; i < kResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    if (catalogue->version(type) != catalogue_->version(type)) states_[i].dirty = true;
  }
  catalogue_ = std::move(catalogue);
  awaited_endpoints_.clear();
  order_until_ms_ = now_ms + kGraceMs;
  active_ms_ = now_ms;
}

// ---- what goes ----

std::optional<Push> Session::next(int64_t now_ms) {
  wake_at_ms_ = 0;
  bool kept = false;
  bool held = false;
  for (const ResourceType type : kOrder) {
    if (kept_back(type, now_ms)) {
      kept = true;
      continue;
    }
    if (auto push = next_of(type, false, now_ms)) return push;
    held = held || state(type).report.held_removals != 0;
  }
  if (kept) wake_at_ms_ = order_until_ms_;
  if (kept || !held || any_waiting()) return std::nullopt;
  if (!may_remove(now_ms)) {
    if (now_ms < active_ms_ + kGraceMs) wake_at_ms_ = active_ms_ + kGraceMs;
    return std::nullopt;
  }
  for (const ResourceType type : kOrder)
    if (auto push = next_of(type, true, now_ms)) return push;
  return std::nullopt;
}

std::optional<Push> Session::next_of(ResourceType type, bool removing, int64_t now_ms) {
  TypeState& of = state(type);
  if (!of.requested || !of.dirty || of.report.waiting) return std::nullopt;
  std::optional<Push> push = build(type, of, removing);
  of.asked = false;
  if (!push) {
    of.dirty = of.report.held_removals != 0;
    return push;
  }
  of.must_answer = false;
  of.report.waiting = true;
  of.report.sent_version = push->version;
  of.report.sent_ms = now_ms;
  active_ms_ = now_ms;
  if (type == ResourceType::kEndpoint) {
    std::erase_if(awaited_endpoints_, [&](const std::string& name) {
      return of.sent.contains(name) && !of.owed.contains(name);
    });
  }
  return push;
}

// Listeners and routes that have changed wait until the client has the clusters and endpoints that
// they may lead to, for a moment at most: there are clients that ask for a cluster only when a
// route leads there. What was asked for does not wait.
bool Session::kept_back(ResourceType type, int64_t now_ms) const {
  const TypeState& of = states_[static_cast<size_t>(type)];
  if (!refers_to_clusters(type) || !of.dirty || of.asked || now_ms >= order_until_ms_) return false;
  const TypeState& clusters = states_[static_cast<size_t>(ResourceType::kCluster)];
  const TypeState& endpoints = states_[static_cast<size_t>(ResourceType::kEndpoint)];
  return clusters.report.waiting || endpoints.report.waiting || !awaited_endpoints_.empty();
}

bool Session::any_waiting() const {
  return std::any_of(states_.begin(), states_.end(),
                     [](const TypeState& of) { return of.report.waiting; });
}

bool Session::may_remove(int64_t now_ms) const {
  for (const ResourceType type : kOrder) {
    const TypeState& of = states_[static_cast<size_t>(type)];
    const bool is_wanted = of.wildcard || !of.names.empty();
    if (refers_to_clusters(type) && of.refused && is_wanted) return false;
  }
  return now_ms >= active_ms_ + kGraceMs;
}

// A client warms a changed cluster with endpoints that come after it (xDS protocol, "Resource
// warming"), even when those did not change.
void Session::note_cluster(const ServedResource& cluster) {
  TypeState& clusters = state(ResourceType::kCluster);
  const auto before = clusters.sent.find(cluster.resource.name);
  const bool is_known = before != clusters.sent.end() && !before->second.version.empty();
  if (is_known && before->second.version == cluster.resource.version) return;
  TypeState& endpoints = state(ResourceType::kEndpoint);
  for (const Reference& need : cluster.needs) {
    if (need.type != ResourceType::kEndpoint) continue;
    if (catalogue_->find(need.type, need.name) == nullptr) continue;
    if (clusters.wildcard && !only_) awaited_endpoints_.insert(need.name);
    if (!endpoints.requested || !endpoints.wants(need.name)) continue;
    endpoints.owed.insert(need.name);
    endpoints.dirty = true;
  }
}

std::vector<TypeReport> Session::report() const {
  std::vector<TypeReport> out;
  for (const TypeState& of : states_) {
    if (!of.requested) continue;
    out.push_back(of.report);
    out.back().wildcard = of.wildcard;
    out.back().names = of.names.size();
  }
  return out;
}

}  // namespace weir::xds
