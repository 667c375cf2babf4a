#include "xds/serving/testing/session_client.h"

namespace weir::xds::testing {

std::shared_ptr<const Catalogue> make_catalogue(const std::vector<Entry>& entries) {
  Catalogue::ByType resources;
  for (const Entry& entry : entries) {
    const std::string name = entry.text.substr(0, entry.text.find('='));
    auto content = std::make_shared<google::protobuf::Any>();
    content->set_type_url(std::string(type_url(entry.type)));
    content->set_value(entry.text);
    ServedResource served{.resource = {name, content_version(entry.text), content}};
    if (entry.endpoints) served.needs.push_back({ResourceType::kEndpoint, name});
    resources[static_cast<size_t>(entry.type)][name] = std::move(served);
  }
  return std::make_shared<const Catalogue>(std::move(resources), std::vector<std::string>{});
}

}  // namespace weir::xds::testing
