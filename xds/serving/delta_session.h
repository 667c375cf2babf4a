#pragma once

#include "xds/serving/session.h"

namespace envoy::service::discovery::v3 {
class DeltaDiscoveryRequest;
class DeltaDiscoveryResponse;
}  // namespace envoy::service::discovery::v3

namespace weir::xds {

// Incremental xDS: a response holds what has changed since the last one, and the names of what is
// gone. A client that comes back says which versions it has. One thread.
class DeltaSession final : public Session {
 public:
  // A response is closed when it holds so many bytes; the next one has the rest.
  static constexpr size_t kResponseBytes = 1 << 20;

  using Session::Session;

  Result<std::optional<Verdict>> on_request(std::string_view bytes, int64_t now_ms) override;
  std::string_view protocol() const override { return "delta"; }

 private:
  using Request = envoy::service::discovery::v3::DeltaDiscoveryRequest;
  using Response = envoy::service::discovery::v3::DeltaDiscoveryResponse;

  std::optional<Push> build(ResourceType type, TypeState& of, bool removing) override;
  Result<void> check_names(const Request& request) const;
  void begin(ResourceType type, TypeState& of, const Request& request);
  void subscribe(TypeState& of, const std::string& name, bool first);
  void unsubscribe(TypeState& of, const std::string& name);
  void add_changed(ResourceType type, TypeState& of, Response& response);
  void add_removed(ResourceType type, TypeState& of, bool removing, Response& response);
};

}  // namespace weir::xds
