#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/client.h"
#include "xds/testing/fake_wire.h"
#include "xds/testing/recording_handler.h"

namespace weir::xds::testing {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

inline google::protobuf::Any any_of(const google::protobuf::Message& message) {
  google::protobuf::Any any;
  any.PackFrom(message);
  return any;
}
// `mark` makes the bytes differ.
inline google::protobuf::Any cluster(const std::string& name, const std::string& mark = "") {
  envoy::config::cluster::v3::Cluster message;
  message.set_name(name);
  message.set_alt_stat_name(mark);
  return any_of(message);
}
inline google::protobuf::Any endpoints(const std::string& name, int mark = 0) {
  envoy::config::endpoint::v3::ClusterLoadAssignment message;
  message.set_cluster_name(name);
  if (mark != 0) message.add_endpoints()->set_priority(mark);
  return any_of(message);
}
inline google::protobuf::Any listener(const std::string& name) {
  envoy::config::listener::v3::Listener message;
  message.set_name(name);
  return any_of(message);
}
inline std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// A client with a fake wire and a recording handler for each type.
class ClientDriver {
 public:
  explicit ClientDriver(bool delta) { options.delta = delta; }

  // With the options as they are then.
  Client& client() {
    if (client_ != nullptr) return *client_;
    options.on_event = [this](ResourceType type, Event event) { ++events[{type, event}]; };
    options.on_connected = [this](bool connected) { connections.push_back(connected); };
    client_ = std::make_unique<Client>(wire, options);
    for (size_t i = 0; i < kResourceTypes; ++i) {
      const auto type = static_cast<ResourceType>(i);
      if (options.aggregated || type == only_type) client_->set_handler(type, handlers[type]);
    }
    return *client_;
  }

  template <class Request>
  std::vector<Request> take_requests() {
    std::vector<Request> requests;
    for (const FakeWire::Sent& sent : wire.sent) {
      EXPECT_TRUE(requests.emplace_back().ParseFromString(sent.message));
    }
    wire.sent.clear();
    return requests;
  }
  // The one request that was sent since.
  template <class Request>
  Request take_request() {
    std::vector<Request> requests = take_requests<Request>();
    EXPECT_EQ(requests.size(), 1u);
    return requests.empty() ? Request() : requests.front();
  }

  void answer(ResourceType type, const std::string& version, const std::string& nonce,
              const std::vector<google::protobuf::Any>& resources) {
    DiscoveryResponse response;
    response.set_type_url(std::string(type_url(type)));
    response.set_version_info(version);
    response.set_nonce(nonce);
    for (const google::protobuf::Any& resource : resources) *response.add_resources() = resource;
    deliver(response);
  }
  void deliver(const google::protobuf::Message& response) {
    ASSERT_TRUE(wire.is_open());
    wire.deliver(response.SerializeAsString());
  }
  void pass(int64_t ms) {
    wire.pass(ms, [this] { client().tick(); });
  }
  // The stream breaks off, and the next one is there.
  void reconnect() {
    wire.break_off();
    pass(1);
    ASSERT_TRUE(wire.is_open());
  }
  ResourceStatus status_of(const std::string& name) {
    for (const ResourceStatus& status : client().status()) {
      if (status.name == name) return status;
    }
    ADD_FAILURE() << "no status of " << name;
    return {};
  }

  FakeWire wire;
  ClientOptions options;
  ResourceType only_type = ResourceType::kCluster;
  std::map<ResourceType, RecordingHandler> handlers;
  std::map<std::pair<ResourceType, Event>, int> events;
  std::vector<bool> connections;

 private:
  std::unique_ptr<Client> client_;
};

}  // namespace weir::xds::testing
