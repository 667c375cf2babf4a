// Any way a client may ask, answer and hesitate while resources change: the control plane never has
// two responses of a type under way, and once the client answers everything it has what it asks for
// in its newest version, and nothing that is gone. The first byte chooses the protocol.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/serving/delta_session.h"
#include "xds/serving/sotw_session.h"

namespace weir {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using xds::ResourceType;

constexpr ResourceType kTypes[] = {ResourceType::kCluster, ResourceType::kEndpoint,
                                   ResourceType::kListener, ResourceType::kRoute};
constexpr const char* kNames[] = {"a", "b", "c"};
constexpr uint8_t kWildcardBit = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  uint8_t byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  std::string text(size_t bytes) {
    bytes = std::min(bytes, size_);
    const std::string out(reinterpret_cast<const char*>(data_), bytes);
    data_ += bytes;
    size_ -= bytes;
    return out;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

// Of each type and name: absent, or one of three contents.
std::shared_ptr<const xds::Catalogue> catalogue_of(Input& input) {
  xds::Catalogue::ByType resources;
  for (const ResourceType type : kTypes) {
    uint8_t choice = input.byte();
    for (const std::string name : kNames) {
      const int content = choice & 3;
      choice >>= 2;
      if (content == 0) continue;
      auto any = std::make_shared<google::protobuf::Any>();
      any->set_value(name + std::to_string(content));
      xds::ServedResource served{
          .resource = {name, xds::content_version(any->value()), std::move(any)}};
      if (type == ResourceType::kCluster) served.needs = {{ResourceType::kEndpoint, name}};
      resources[static_cast<size_t>(type)][name] = std::move(served);
    }
  }
  return std::make_shared<const xds::Catalogue>(std::move(resources), std::vector<std::string>{});
}

// What a client knows of one type.
struct Known {
  bool requested = false;
  bool wildcard = false;
  bool ever_named = false;
  bool waiting = false;  // the server, for an answer
  bool refused = false;
  std::string nonce;
  std::set<std::string> names;
  std::map<std::string, std::string> has;  // versions

  bool wants(const std::string& name) const { return wildcard || names.contains(name); }
  void forget() {
    std::erase_if(has, [&](const auto& entry) { return !wants(entry.first); });
  }
};

class Client {
 public:
  virtual ~Client() = default;

  void run(Input& input) {
    session_ = make_session(catalogue_ = catalogue_of(input));
    while (!input.empty() && !over_) step(input);
    if (!over_) settle();
  }

 protected:
  virtual std::unique_ptr<xds::Session> make_session(
      std::shared_ptr<const xds::Catalogue> catalogue) = 0;
  virtual void ask(ResourceType type, Input& input) = 0;
  virtual void answer(ResourceType type, bool accept) = 0;
  virtual void take(const xds::Push& push) = 0;

  Known& known(ResourceType type) { return known_[type]; }
  const xds::Catalogue& catalogue() const { return *catalogue_; }

  void send(const google::protobuf::Message& request) {
    require(session_->on_request(request.SerializeAsString(), now_ms_).ok());
  }

 private:
  void step(Input& input) {
    const uint8_t choice = input.byte();
    const ResourceType type = kTypes[choice >> 3 & 3];
    switch (choice & 7) {
      case 0:
        return ask(type, input);
      case 1:
      case 2:
        receive();
        return;
      case 3:
      case 4:
        return reply(type, true);
      case 5:
        return reply(type, false);
      case 6:
        session_->set_catalogue(catalogue_ = catalogue_of(input), now_ms_);
        return;
      default:
        if (choice == 0xff) return anything(input);
        now_ms_ += 400;
    }
  }

  // What such bytes mean is not followed, so that is the end.
  void anything(Input& input) {
    const std::string bytes = input.text(input.byte());
    (void)session_->on_request(bytes, now_ms_);
    while (session_->next(now_ms_)) continue;
    (void)session_->report();
    over_ = true;
  }

  bool receive() {
    const std::optional<xds::Push> push = session_->next(now_ms_);
    if (!push) return false;
    Known& of = known(push->type);
    require(of.requested && !of.waiting);
    of.waiting = true;
    take(*push);
    return true;
  }

  void reply(ResourceType type, bool accept) {
    Known& of = known(type);
    if (!of.waiting) return;
    of.waiting = false;
    of.refused = !accept;
    answer(type, accept);
  }

  void settle() {
    for (int quiet = 0, turns = 0; quiet < 3; ++turns) {
      require(turns < 1000);
      bool moved = false;
      while (receive()) moved = true;
      for (const ResourceType type : kTypes) reply(type, true);
      quiet = moved ? 0 : quiet + 1;
      now_ms_ += xds::Session::kGraceMs;
    }
    require(session_->wake_at_ms() == 0);
    const bool refuses =
        known(ResourceType::kListener).refused || known(ResourceType::kRoute).refused;
    for (const ResourceType type : kTypes) check(type, refuses);
  }

  void check(ResourceType type, bool removals_held) {
    const Known& of = known(type);
    if (!of.requested) return;
    for (const auto& [name, served] : catalogue().of(type)) {
      if (!of.wants(name)) continue;
      require(of.has.contains(name) && of.has.at(name) == served.resource.version);
    }
    if (!tells_removals(type) || (removals_held && type != ResourceType::kListener)) return;
    for (const auto& [name, version] : of.has)
      require(of.wants(name) && catalogue().find(type, name) != nullptr);
  }
  virtual bool tells_removals(ResourceType type) const = 0;

  std::shared_ptr<const xds::Catalogue> catalogue_;
  std::unique_ptr<xds::Session> session_;
  std::map<ResourceType, Known> known_;
  int64_t now_ms_ = 10'000;
  bool over_ = false;
};

class SotwClient final : public Client {
  std::unique_ptr<xds::Session> make_session(
      std::shared_ptr<const xds::Catalogue> catalogue) override {
    return std::make_unique<xds::SotwSession>(std::move(catalogue), std::nullopt);
  }
  bool tells_removals(ResourceType type) const override { return xds::absence_removes(type); }

  void ask(ResourceType type, Input& input) override {
    Known& of = known(type);
    // While a response is under way, the answer to it says what is wanted.
    if (of.waiting) return;
    const uint8_t mask = input.byte();
    of.requested = true;
    of.names.clear();
    for (int i = 0; i < 3; ++i)
      if ((mask >> i & 1) != 0) of.names.insert(kNames[i]);
    const bool star = (mask & kWildcardBit) != 0;
    of.ever_named = of.ever_named || star || !of.names.empty();
    of.wildcard = star || (xds::absence_removes(type) && !of.ever_named);
    of.forget();
    send(request(type));
  }

  void answer(ResourceType type, bool accept) override {
    DiscoveryRequest message = request(type);
    if (!accept) message.mutable_error_detail()->set_message("no");
    send(message);
  }

  DiscoveryRequest request(ResourceType type) {
    const Known& of = known(type);
    DiscoveryRequest message;
    message.set_type_url(std::string(xds::type_url(type)));
    message.set_response_nonce(of.nonce);
    for (const std::string& name : of.names) message.add_resource_names(name);
    if (of.wildcard && of.ever_named) message.add_resource_names("*");
    return message;
  }

  void take(const xds::Push& push) override {
    DiscoveryResponse response;
    require(response.ParseFromString(push.bytes));
    Known& of = known(push.type);
    of.nonce = response.nonce();
    if (xds::absence_removes(push.type)) of.has.clear();
    for (const auto& any : response.resources()) {
      const std::string name = any.value().substr(0, 1);
      require(of.wants(name));
      of.has[name] = xds::content_version(any.value());
    }
  }
};

class DeltaClient final : public Client {
  std::unique_ptr<xds::Session> make_session(
      std::shared_ptr<const xds::Catalogue> catalogue) override {
    return std::make_unique<xds::DeltaSession>(std::move(catalogue), std::nullopt);
  }
  bool tells_removals(ResourceType /*type*/) const override { return true; }

  void ask(ResourceType type, Input& input) override {
    Known& of = known(type);
    const uint8_t more = input.byte();
    const uint8_t fewer = of.requested ? input.byte() : 0;
    DeltaDiscoveryRequest message;
    message.set_type_url(std::string(xds::type_url(type)));
    if (!of.requested && (more & 16) != 0) remember(of, input.byte(), message);
    if (!of.requested && (more & 15) == 0) of.wildcard = xds::absence_removes(type);
    of.requested = true;
    for (int i = 0; i < 3; ++i) {
      if ((more >> i & 1) == 0) continue;
      message.add_resource_names_subscribe(kNames[i]);
      of.names.insert(kNames[i]);
    }
    if ((more & kWildcardBit) != 0) message.add_resource_names_subscribe("*");
    of.wildcard = of.wildcard || (more & kWildcardBit) != 0;
    for (int i = 0; i < 3; ++i) {
      if ((fewer >> i & 1) == 0) continue;
      message.add_resource_names_unsubscribe(kNames[i]);
      of.names.erase(kNames[i]);
    }
    if ((fewer & kWildcardBit) != 0) message.add_resource_names_unsubscribe("*");
    of.wildcard = of.wildcard && (fewer & kWildcardBit) == 0;
    of.forget();
    send(message);
  }

  // What it had on an earlier stream.
  static void remember(Known& of, uint8_t mask, DeltaDiscoveryRequest& message) {
    for (const std::string name : kNames) {
      if ((mask & 3) != 0) {
        const std::string version = xds::content_version(name + std::to_string(mask & 3));
        (*message.mutable_initial_resource_versions())[name] = version;
        of.has[name] = version;
      }
      mask >>= 2;
    }
  }

  void answer(ResourceType type, bool accept) override {
    DeltaDiscoveryRequest message;
    message.set_type_url(std::string(xds::type_url(type)));
    message.set_response_nonce(known(type).nonce);
    if (!accept) message.mutable_error_detail()->set_message("no");
    send(message);
  }

  void take(const xds::Push& push) override {
    DeltaDiscoveryResponse response;
    require(response.ParseFromString(push.bytes));
    Known& of = known(push.type);
    of.nonce = response.nonce();
    std::set<std::string> told;
    for (const auto& resource : response.resources()) {
      require(told.insert(resource.name()).second && of.wants(resource.name()));
      of.has[resource.name()] = resource.version();
    }
    for (const std::string& name : response.removed_resources()) {
      require(told.insert(name).second);
      of.has.erase(name);
    }
  }
};

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::Input input(data, size);
  if ((input.byte() & 1) != 0) {
    weir::DeltaClient().run(input);
  } else {
    weir::SotwClient().run(input);
  }
  return 0;
}
