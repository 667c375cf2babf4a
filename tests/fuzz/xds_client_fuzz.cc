// Anything a control plane may send, in any order with what the proxy does: subscriptions, pauses,
// time, broken streams. The first byte chooses the variant; each further one is a step, which takes
// the bytes that it needs. Holds: requests keep their distance, every answer is acknowledged once,
// and a handler hears of nothing that it did not ask for and of no end of what it never had.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/client.h"
#include "xds/testing/fake_wire.h"

namespace {

using namespace weir::xds;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using Wrapper = envoy::service::discovery::v3::Resource;

constexpr int64_t kDistanceMs = 100;
constexpr ResourceType kTypes[] = {ResourceType::kCluster, ResourceType::kEndpoint,
                                   ResourceType::kListener};
constexpr const char* kNames[] = {"a", "b", "c", "*", "", "d\n\x01", "e", "f"};

void require(bool holds) {
  if (!holds) std::abort();
}

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), end_(data + size) {}
  bool empty() const { return data_ == end_; }
  uint8_t next() { return empty() ? 0 : *data_++; }
  std::string take(size_t count) {
    std::string bytes;
    while (count-- > 0 && !empty()) bytes += static_cast<char>(next());
    return bytes;
  }

 private:
  const uint8_t* data_;
  const uint8_t* end_;
};

// One type's handler and what the test knows of it.
class Handler : public ResourceHandler {
 public:
  std::vector<Rejection> apply(const Update& update) override {
    require(!update.added.empty() || !update.removed.empty());
    std::set<std::string> seen;
    for (const std::string& name : update.removed) {
      require(seen.insert(name).second);
      require(in_force.erase(name) == 1 || given_up.contains(name));
    }
    std::vector<Rejection> rejections;
    for (const Resource& resource : update.added) {
      require(seen.insert(resource.name).second && resource.content != nullptr);
      require(subscribed.contains(resource.name) || subscribed.contains("*"));
      if (resource.content->value().size() % 7 == 3) {
        rejections.push_back({resource.name, "odd\xff"});
      } else {
        in_force.insert(resource.name);
      }
    }
    return rejections;
  }
  void on_absent(ResourceType, const std::string& name) override {
    require(subscribed.contains(name));
    require(!in_force.contains(name) || refreshed.contains(name));
    refreshed.erase(name);
  }
  void on_unchanged(ResourceType, const std::vector<std::string>& names) override {
    require(!names.empty());
    for (const std::string& name : names) {
      require(subscribed.contains(name) || subscribed.contains("*"));
      require(in_force.contains(name) || given_up.contains(name));
      refreshed.erase(name);
    }
  }

  std::map<std::string, int> subscribed;
  std::set<std::string> in_force;
  std::set<std::string> refreshed;  // and nothing was told since
  std::set<std::string> given_up;   // unsubscribed at some time: the client may have forgotten it
  bool was_subscribed = false;
  std::deque<std::string> unanswered;  // nonces over the present stream
  std::set<std::string> delivered;     // nonces of the present stream
  std::set<std::string> refused;       // nonces with error_detail
};

class Run {
 public:
  Run(Bytes bytes, bool delta) : bytes_(bytes), delta_(delta), client_(wire_, options(delta)) {
    for (const ResourceType type : kTypes) client_.set_handler(type, handlers_[type]);
    client_.start();
  }
  void run() {
    while (!bytes_.empty()) {
      step(bytes_.next());
      look_at_requests();
    }
    for (const ResourceType type : kTypes) {
      for (int i = 0; i < 300; ++i) client_.resume(type);
    }
    wire_.pass(1'000'000, [this] { client_.tick(); });
    look_at_requests();
    for (const auto& [type, handler] : handlers_) require(handler.unanswered.empty());
    require(client_.status().size() < 100);
  }

 private:
  static ClientOptions options(bool delta) {
    ClientOptions options;
    options.delta = delta;
    options.max_tokens = 1;
    options.tokens_per_s = 1000.0 / kDistanceMs;
    return options;
  }
  ResourceType type() { return kTypes[bytes_.next() % std::size(kTypes)]; }
  std::string name() { return kNames[bytes_.next() % std::size(kNames)]; }

  void step(uint8_t what) {
    switch (what % 8) {
      case 0:
      case 1:
        return deliver();
      case 2:
        return subscribe();
      case 3:
        return unsubscribe();
      case 4:
        return wire_.pass(bytes_.next() * 100, [this] { client_.tick(); });
      case 5:
        wire_.random_value = bytes_.next();
        if (wire_.is_open()) wire_.break_off();
        return;
      case 6:
        return pause();
      default:
        return deliver_raw();
    }
  }
  void subscribe() {
    const ResourceType of = type();
    const std::string to = name();
    if (to.empty()) return;
    Handler& handler = handlers_[of];
    handler.was_subscribed = true;
    ++handler.subscribed[to];
    client_.subscribe(of, to, bytes_.next() * 10);
  }
  void unsubscribe() {
    const ResourceType of = type();
    const std::string from = name();
    Handler& handler = handlers_[of];
    const auto found = handler.subscribed.find(from);
    if (found == handler.subscribed.end()) return;
    if (--found->second == 0) {
      handler.subscribed.erase(found);
      if (from == "*") handler.given_up.insert(handler.in_force.begin(), handler.in_force.end());
      handler.given_up.insert(from);
      forget(handler, from);
    }
    client_.unsubscribe(of, from);
  }
  // A handler lets go of what it gives up, unless "*" still holds it.
  static void forget(Handler& handler, const std::string& name) {
    if (name == "*") {
      std::erase_if(handler.in_force,
                    [&](const std::string& one) { return !handler.subscribed.contains(one); });
    } else if (!handler.subscribed.contains("*")) {
      handler.in_force.erase(name);
    }
  }
  void pause() {
    const ResourceType of = type();
    const uint8_t how = bytes_.next();
    if (how >= 0xe0) return refresh(of, how % 32 * 10);
    (how % 2 == 0) ? client_.pause(of) : client_.resume(of);
  }
  void refresh(ResourceType of, int64_t timeout_ms) {
    const std::string again = name();
    if (handlers_[of].subscribed.contains(again)) handlers_[of].refreshed.insert(again);
    client_.refresh(of, again, timeout_ms);
  }

  google::protobuf::Any content(ResourceType of) {
    google::protobuf::Any any;
    const std::string its_name = name();
    const std::string mark(bytes_.next() % 8, 'x');
    if (of == ResourceType::kCluster) {
      envoy::config::cluster::v3::Cluster message;
      message.set_name(its_name);
      message.set_alt_stat_name(mark);
      any.PackFrom(message);
    } else if (of == ResourceType::kEndpoint) {
      envoy::config::endpoint::v3::ClusterLoadAssignment message;
      message.set_cluster_name(its_name);
      for (size_t i = 0; i < mark.size(); ++i) message.add_endpoints();
      any.PackFrom(message);
    } else {
      envoy::config::listener::v3::Listener message;
      message.set_name(its_name);
      message.set_stat_prefix(mark);
      any.PackFrom(message);
    }
    return any;
  }
  Wrapper wrapper(ResourceType of) {
    const uint8_t shape = bytes_.next();
    Wrapper wrapper;
    if ((shape & 1) != 0) wrapper.set_name(name());
    wrapper.set_version(std::to_string(bytes_.next() % 4));
    if ((shape & 2) != 0) wrapper.mutable_ttl()->set_seconds(bytes_.next() % 16);
    if ((shape & 4) != 0) wrapper.add_aliases(name());
    if ((shape & 8) == 0) *wrapper.mutable_resource() = content((shape & 0x70) == 0 ? type() : of);
    if ((shape & 0xf0) == 0xf0) wrapper.mutable_resource()->set_value("\x0a\xff");
    return wrapper;
  }
  void deliver() {
    const ResourceType of = type();
    const uint8_t count = bytes_.next();
    if (delta_) {
      DeltaDiscoveryResponse response;
      for (int i = 0; i < count % 4; ++i) *response.add_resources() = wrapper(of);
      for (int i = 0; i < count / 4 % 4; ++i) response.add_removed_resources(name());
      return send(of, response);
    }
    DiscoveryResponse response;
    response.set_version_info(std::to_string(bytes_.next() % 4));
    for (int i = 0; i < count % 4; ++i) {
      if ((count & 16) != 0) {
        response.add_resources()->PackFrom(wrapper(of));
      } else {
        *response.add_resources() = content(of);
      }
    }
    send(of, response);
  }
  void deliver_raw() {
    const ResourceType of = type();
    const std::string bytes = bytes_.take(bytes_.next());
    if (delta_) {
      deliver_bytes<DeltaDiscoveryResponse>(of, bytes);
    } else {
      deliver_bytes<DiscoveryResponse>(of, bytes);
    }
  }
  template <class Response>
  void deliver_bytes(ResourceType of, const std::string& bytes) {
    Response response;
    if (response.ParseFromString(bytes)) return send(of, response);
    if (!wire_.is_open()) return;
    wire_.deliver(bytes);
    require(!wire_.is_open());
  }
  template <class Response>
  void send(ResourceType of, Response& response) {
    look_at_requests();
    if (!wire_.is_open()) return;
    Handler& handler = handlers_[of];
    response.set_type_url(std::string(type_url(of)));
    response.set_nonce("n" + std::to_string(++nonces_));
    // Of the state of the world an answer that another one has overtaken needs no answer.
    if (!delta_) handler.unanswered.clear();
    if (handler.was_subscribed) handler.unanswered.push_back(response.nonce());
    handler.delivered.insert(response.nonce());
    wire_.deliver(response.SerializeAsString());
  }

  void look_at_requests() {
    if (wire_.opened.size() != streams_) {
      streams_ = wire_.opened.size();
      for (auto& [type, handler] : handlers_) {
        handler.unanswered.clear();
        handler.delivered.clear();
      }
    }
    for (const auto& sent : wire_.sent) {
      require(sent.at_ms >= last_sent_ms_ + kDistanceMs);
      last_sent_ms_ = sent.at_ms;
      if (delta_) {
        look_at(parsed<DeltaDiscoveryRequest>(sent.message));
      } else {
        look_at(parsed<DiscoveryRequest>(sent.message));
      }
    }
    wire_.sent.clear();
  }
  template <class Request>
  static Request parsed(const std::string& message) {
    Request request;
    require(request.ParseFromString(message));
    return request;
  }
  template <class Request>
  void look_at(const Request& request) {
    Handler& handler = handlers_[*type_of_url(request.type_url())];
    const std::string& nonce = request.response_nonce();
    require(nonce.empty() || handler.delivered.contains(nonce));
    if (request.has_error_detail()) {
      require(!nonce.empty() || !delta_);
      require(handler.refused.insert(nonce).second);
      require(request.error_detail().message().size() <= 8u << 10);
    }
    // What is left over from a stream that broke off meanwhile is not waited for any more.
    if (!handler.unanswered.empty() && handler.unanswered.front() == nonce) {
      handler.unanswered.pop_front();
    } else {
      require(!delta_ || nonce.empty() ||
              std::find(handler.unanswered.begin(), handler.unanswered.end(), nonce) ==
                  handler.unanswered.end());
    }
  }

  Bytes bytes_;
  bool delta_;
  testing::FakeWire wire_;
  std::map<ResourceType, Handler> handlers_;
  Client client_;
  size_t streams_ = 1;
  uint64_t nonces_ = 0;
  int64_t last_sent_ms_ = -kDistanceMs;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  Run(Bytes(data + 1, size - 1), (data[0] & 1) != 0).run();
  return 0;
}
