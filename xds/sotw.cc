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
  has_named_ = false;
}

void SotwDialogue::acknowledge(const std::string& nonce, std::string error) {
  nonce_ = nonce;
  error_ = std::move(error);
  has_acknowledgement_ = true;
}

std::string SotwDialogue::next(const envoy::config::core::v3::Node* node) {
  envoy::service::discovery::v3::DiscoveryRequest request;
  request.set_type_url(std::string(type_url(table_.type())));
  request.set_version_info(table_.version());
  request.set_response_nonce(nonce_);
  if (node != nullptr) *request.mutable_node() = *node;
  const std::vector<std::string> names = table_.names();
  if (table_.wildcard() && (has_named_ || !names.empty())) {
    request.add_resource_names(std::string(kWildcard));
  }
  for (const std::string& name : names) request.add_resource_names(name);
  if (request.resource_names_size() > 0) has_named_ = true;
  if (!error_.empty()) fill_error_detail(error_, *request.mutable_error_detail());
  error_.clear();
  has_acknowledgement_ = false;
  is_due_ = false;
  return request.SerializeAsString();
}

}  // namespace weir::xds
