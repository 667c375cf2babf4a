#include "xds/delta.h"

#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/error_detail.h"

namespace weir::xds {

void DeltaDialogue::reset() {
  is_first_ = true;
  is_legacy_wildcard_ = false;
  added_.clear();
  removed_.clear();
  again_.clear();
  acknowledgements_.clear();
}

void DeltaDialogue::on_subscribed(const std::string& name) {
  removed_.erase(name);
  again_.erase(name);
  added_.insert(name);
}

void DeltaDialogue::on_unsubscribed(const std::string& name) {
  added_.erase(name);
  again_.erase(name);
  removed_.insert(name);
}

// Not every server sends once more what it is only asked for once more: one request gives the name
// up, and the next asks for it.
void DeltaDialogue::on_refreshed(const std::string& name) {
  if (added_.contains(name)) return;
  removed_.insert(name);
  again_.insert(name);
}

void DeltaDialogue::acknowledge(const std::string& nonce, std::string error) {
  acknowledgements_.push_back({nonce, std::move(error)});
}

bool DeltaDialogue::has_request() const {
  if (is_first_) return table_.is_subscribed();
  return !added_.empty() || !removed_.empty();
}

// A new stream knows nothing: all of it is new, and nothing has to be taken back.
void DeltaDialogue::collect_all() {
  const std::vector<std::string> names = table_.names();
  added_ = {names.begin(), names.end()};
  removed_.clear();
  again_.clear();
  is_legacy_wildcard_ = table_.wildcard() && names.empty();
  if (table_.wildcard() && !names.empty()) added_.emplace(kWildcard);
}

void DeltaDialogue::collect_change() {
  if (!is_legacy_wildcard_ || added_.empty()) return;
  if (table_.wildcard()) added_.emplace(kWildcard);
  is_legacy_wildcard_ = false;
}

std::string DeltaDialogue::next(const envoy::config::core::v3::Node* node) {
  envoy::service::discovery::v3::DeltaDiscoveryRequest request;
  request.set_type_url(std::string(type_url(table_.type())));
  if (node != nullptr) *request.mutable_node() = *node;
  if (is_first_ && table_.is_subscribed()) {
    is_first_ = false;
    collect_all();
    for (const auto& [name, version] : table_.versions()) {
      (*request.mutable_initial_resource_versions())[name] = version;
    }
  } else {
    collect_change();
  }
  for (const std::string& name : added_) request.add_resource_names_subscribe(name);
  for (const std::string& name : removed_) request.add_resource_names_unsubscribe(name);
  added_ = std::exchange(again_, {});
  removed_.clear();
  if (!acknowledgements_.empty()) {
    request.set_response_nonce(acknowledgements_.front().nonce);
    const std::string& error = acknowledgements_.front().error;
    if (!error.empty()) fill_error_detail(error, *request.mutable_error_detail());
    acknowledgements_.pop_front();
  }
  return request.SerializeAsString();
}

}  // namespace weir::xds
