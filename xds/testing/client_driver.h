#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/client.h"
#include "xds/testing/fake_wire.h"
#include "xds/testing/recording_handler.h"

namespace weir::xds::testing {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using Wrapper = envoy::service::discovery::v3::Resource;

google::protobuf::Any any_of(const google::protobuf::Message& message);
// `mark` makes the bytes differ.
google::protobuf::Any cluster(const std::string& name, const std::string& mark = "");
google::protobuf::Any endpoints(const std::string& name, int mark = 0);
google::protobuf::Any listener(const std::string& name);
// A resource with what a control plane says about it; a heartbeat if it has no content.
Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s = 0);
Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s,
                const google::protobuf::Any& content);
// "a b"
std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names);

// A client with a fake wire and a recording handler for each type.
class ClientDriver {
 public:
  explicit ClientDriver(bool delta) { options.delta = delta; }

  // Made by the first call, with the options as they are then.
  Client& client();

  // What was sent since the last call.
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

  void deliver(const google::protobuf::Message& response);
  // A DiscoveryResponse.
  void answer(ResourceType type, const std::string& version, const std::string& nonce,
              const std::vector<google::protobuf::Any>& resources);
  // An answer of the client's variant.
  void give(ResourceType type, const std::string& nonce, const std::vector<Wrapper>& resources);
  void pass(int64_t ms);
  // The stream breaks off, and the next one is there.
  void reconnect();
  ResourceStatus status_of(const std::string& name);

  FakeWire wire;
  ClientOptions options;
  ResourceType only_type = ResourceType::kCluster;  // unless aggregated
  std::map<ResourceType, RecordingHandler> handlers;
  std::map<std::pair<ResourceType, Event>, int> events;
  std::vector<bool> connections;
  std::vector<std::string> rejections;  // the errors
  std::vector<std::string> outages;     // why

 private:
  std::unique_ptr<Client> client_;
};

// Both variants are driven in the same way; requests as far as they are alike.
class VariantTest : public ::testing::TestWithParam<bool>, public ClientDriver {
 protected:
  struct Request {
    std::string type_url, nonce, error;
  };

  VariantTest() : ClientDriver(/*delta=*/GetParam()) {}
  std::vector<Request> requests();
  Request request();
};

}  // namespace weir::xds::testing
