#include "xds/sotw.h"

#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/error_detail.h"

namespace weir::xds {

void SotwDialogue::reset() {
  nonce_.clear();
  error_.clear();
  has_acknowledgement_ = false;
  is_due_ = true;
  told_ = Told::kNothing;
  dropped_.clear();
  again_.clear();
}

void SotwDialogue::on_subscribed(const std::string& name) {
  is_due_ = true;
  if (dropped_.erase(name) > 0) again_.insert(name);
}

void SotwDialogue::on_unsubscribed(const std::string& name) {
  is_due_ = true;
  again_.erase(name);
  dropped_.insert(name);
}

void SotwDialogue::on_refreshed(const std::string& name) {
  on_unsubscribed(name);
  on_subscribed(name);
}

void SotwDialogue::acknowledge(const std::string& nonce, std::string error) {
  nonce_ = nonce;
  error_ = std::move(error);
  has_acknowledgement_ = true;
}

// A server that is told the same names again sees no change and sends nothing: a name that was
// dropped and is wanted again is left out of one request.
std::vector<std::string> SotwDialogue::wanted() const {
  std::vector<std::string> names = table_.names();
  if (table_.wildcard()) names.emplace(names.begin(), kWildcard);
  if (told_ != Told::kNothing)
    std::erase_if(names, [this](const std::string& name) { return again_.contains(name); });
  return names;
}

std::vector<std::string> SotwDialogue::next_names() {
  std::vector<std::string> names = wanted();
  const bool is_wildcard = names.size() == 1 && names[0] == kWildcard;
  // To a server that takes an empty list for "*", none says "nothing any more": first comes a list
  // with the name, then an empty one.
  const bool names_wildcard = names.empty() && told_ == Told::kAllByEmptyList;
  is_due_ = names_wildcard || (told_ != Told::kNothing && !again_.empty());
  if (names_wildcard) {
    told_ = Told::kNames;
    return {std::string(kWildcard)};
  }
  dropped_.clear();
  again_.clear();
  if (is_wildcard && told_ != Told::kNames) {
    told_ = Told::kAllByEmptyList;
    return {};
  }
  if (!names.empty()) told_ = Told::kNames;
  return names;
}

std::string SotwDialogue::next(const envoy::config::core::v3::Node* node) {
  envoy::service::discovery::v3::DiscoveryRequest request;
  request.set_type_url(std::string(type_url(table_.type())));
  request.set_version_info(table_.version());
  request.set_response_nonce(nonce_);
  if (node != nullptr) *request.mutable_node() = *node;
  for (std::string& name : next_names()) request.add_resource_names(std::move(name));
  if (!error_.empty()) fill_error_detail(error_, *request.mutable_error_detail());
  error_.clear();
  has_acknowledgement_ = false;
  return request.SerializeAsString();
}

}  // namespace weir::xds
