#include "xds/testing/client_driver.h"

#include <google/protobuf/duration.pb.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"

namespace weir::xds::testing {

google::protobuf::Any any_of(const google::protobuf::Message& message) {
  google::protobuf::Any any;
  any.PackFrom(message);
  return any;
}

google::protobuf::Any cluster(const std::string& name, const std::string& mark) {
  envoy::config::cluster::v3::Cluster message;
  message.set_name(name);
  message.set_alt_stat_name(mark);
  return any_of(message);
}

google::protobuf::Any endpoints(const std::string& name, int mark) {
  envoy::config::endpoint::v3::ClusterLoadAssignment message;
  message.set_cluster_name(name);
  if (mark != 0) message.add_endpoints()->set_priority(mark);
  return any_of(message);
}

google::protobuf::Any listener(const std::string& name) {
  envoy::config::listener::v3::Listener message;
  message.set_name(name);
  return any_of(message);
}

Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s) {
  Wrapper wrapper;
  wrapper.set_name(name);
  wrapper.set_version(version);
  if (ttl_s > 0) wrapper.mutable_ttl()->set_seconds(ttl_s);
  return wrapper;
}

Wrapper wrapped(const std::string& name, const std::string& version, int ttl_s,
                const google::protobuf::Any& content) {
  Wrapper wrapper = wrapped(name, version, ttl_s);
  *wrapper.mutable_resource() = content;
  return wrapper;
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

Client& ClientDriver::client() {
  if (client_ != nullptr) return *client_;
  options.on_event = [this](ResourceType type, Event event) { ++events[{type, event}]; };
  options.on_rejected = [this](ResourceType, const std::string& errors) {
    rejections.push_back(errors);
  };
  options.on_connected = [this](bool connected) { connections.push_back(connected); };
  options.on_away = [this](const std::string& reason) { outages.push_back(reason); };
  client_ = std::make_unique<Client>(wire, options);
  for (size_t i = 0; i < kResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    if (options.aggregated || type == only_type) client_->set_handler(type, handlers[type]);
  }
  return *client_;
}

void ClientDriver::deliver(const google::protobuf::Message& response) {
  ASSERT_TRUE(wire.is_open());
  wire.deliver(response.SerializeAsString());
}

void ClientDriver::answer(ResourceType type, const std::string& version, const std::string& nonce,
                          const std::vector<google::protobuf::Any>& resources) {
  DiscoveryResponse response;
  response.set_type_url(std::string(type_url(type)));
  response.set_version_info(version);
  response.set_nonce(nonce);
  for (const google::protobuf::Any& resource : resources) *response.add_resources() = resource;
  deliver(response);
}

void ClientDriver::give(ResourceType type, const std::string& nonce,
                        const std::vector<Wrapper>& resources) {
  if (!options.delta) {
    std::vector<google::protobuf::Any> packed;
    for (const Wrapper& resource : resources) packed.push_back(any_of(resource));
    return answer(type, "v-" + nonce, nonce, packed);
  }
  DeltaDiscoveryResponse response;
  response.set_type_url(std::string(type_url(type)));
  response.set_nonce(nonce);
  response.set_system_version_info("v-" + nonce);
  for (const Wrapper& resource : resources) *response.add_resources() = resource;
  deliver(response);
}

void ClientDriver::pass(int64_t ms) {
  wire.pass(ms, [this] { client().tick(); });
}

void ClientDriver::reconnect() {
  wire.break_off();
  pass(1);
  ASSERT_TRUE(wire.is_open());
}

ResourceStatus ClientDriver::status_of(const std::string& name) {
  for (const ResourceStatus& status : client().status()) {
    if (status.name == name) return status;
  }
  ADD_FAILURE() << "no status of " << name;
  return {};
}

std::vector<VariantTest::Request> VariantTest::requests() {
  std::vector<Request> all;
  const auto note = [&](const auto& one) {
    all.push_back({one.type_url(), one.response_nonce(), one.error_detail().message()});
  };
  if (GetParam()) {
    for (const auto& one : take_requests<DeltaDiscoveryRequest>()) note(one);
  } else {
    for (const auto& one : take_requests<DiscoveryRequest>()) note(one);
  }
  return all;
}

VariantTest::Request VariantTest::request() {
  std::vector<Request> all = requests();
  EXPECT_EQ(all.size(), 1u);
  return all.empty() ? Request() : all.front();
}

}  // namespace weir::xds::testing
