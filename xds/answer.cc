#include "xds/answer.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <limits>
#include <unordered_set>
#include <utility>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "proxy/base/duration.h"

namespace weir::xds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryResponse;
using google::protobuf::Any;
using Wrapper = envoy::service::discovery::v3::Resource;

constexpr std::string_view kWrapperUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource";
constexpr std::string_view kUrlPrefix = "type.googleapis.com/";

template <class Message>
bool parse(std::string_view bytes, Message& out) {
  if (bytes.size() > std::numeric_limits<int>::max()) return false;
  return out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// Of all types it is the first field, `name` or `cluster_name`.
const google::protobuf::FieldDescriptor* name_field(const google::protobuf::Descriptor& type) {
  return type.FindFieldByNumber(1);
}

std::string type_name(ResourceType type) {
  return std::string(type_url(type).substr(kUrlPrefix.size()));
}

// Takes over what is in `any`, and fills the item's name from it if it has none yet.
void set_content(ResourceType type, Any& any, Item& item) {
  if (any.type_url() != type_url(type)) {
    item.error =
        "is of type '" + any.type_url() + "', the answer of '" + std::string(type_url(type)) + "'";
    return;
  }
  const std::optional<std::string> name = name_of(type, any);
  if (!name) {
    item.error = "is no valid " + type_name(type);
    return;
  }
  if (item.name.empty()) item.name = *name;
  if (item.name.empty() || item.name == "*") item.error = "has no name of its own";
  auto content = std::make_shared<Any>();
  content->Swap(&any);
  item.content = std::move(content);
}

// Positive, and no more than the 10,000 years of google/protobuf/duration.proto.
bool in_range(const google::protobuf::Duration& ttl) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;
  if (ttl.nanos() < 0 || ttl.nanos() > 999'999'999) return false;
  return ttl.seconds() >= 0 && ttl.seconds() <= kMaxSeconds && ttl.seconds() + ttl.nanos() > 0;
}

Item unwrap(ResourceType type, Wrapper& wrapper) {
  Item item;
  item.is_wrapped = true;
  item.name = wrapper.name();
  item.aliases.assign(wrapper.aliases().begin(), wrapper.aliases().end());
  item.version = wrapper.version();
  if (wrapper.has_ttl() && !in_range(wrapper.ttl())) {
    item.error = "has a ttl that is not positive, or out of range";
  } else if (wrapper.has_resource()) {
    set_content(type, *wrapper.mutable_resource(), item);
  } else if (item.name.empty()) {
    item.error = "has no name and no resource";
  }
  if (item.error.empty() && wrapper.has_ttl()) item.ttl_ms = to_ms(wrapper.ttl());
  return item;
}

Item item_of(ResourceType type, Any& any) {
  Item item;
  if (any.type_url() != kWrapperUrl) {
    set_content(type, any, item);
    return item;
  }
  Wrapper wrapper;
  if (!parse(any.value(), wrapper)) {
    item.error = "is no valid envoy.service.discovery.v3.Resource";
    return item;
  }
  return unwrap(type, wrapper);
}

void add(Item item, Answer& answer) {
  if (!item.error.empty()) {
    const std::string name =
        item.name.empty() ? "resources[" + std::to_string(answer.items.size()) + "]" : item.name;
    answer.errors.push_back({name, item.error});
  }
  answer.items.push_back(std::move(item));
}

void check_names(Answer& answer) {
  std::unordered_set<std::string_view> names;
  std::unordered_set<std::string_view> reported;
  const auto report = [&](std::string_view name, std::string_view what) {
    if (!reported.insert(name).second) return;
    answer.errors.push_back({std::string(name), std::string(what)});
  };
  for (const Item& item : answer.items) {
    if (item.name.empty()) continue;
    if (!names.insert(item.name).second) report(item.name, "is there more than once");
  }
  for (const std::string& name : answer.removed) {
    if (names.contains(name)) report(name, "is both added and removed");
  }
}

}  // namespace

std::optional<std::string> name_of(ResourceType type, const Any& content) {
  const google::protobuf::Descriptor* const descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type_name(type));
  google::protobuf::Arena arena;
  google::protobuf::Message& message =
      *google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New(&arena);
  if (!parse(content.value(), message)) return std::nullopt;
  return message.GetReflection()->GetString(message, name_field(*descriptor));
}

std::optional<Answer> parse_sotw(std::string_view bytes) {
  DiscoveryResponse response;
  if (!parse(bytes, response)) return std::nullopt;
  Answer answer;
  answer.type_url = response.type_url();
  answer.version = response.version_info();
  answer.nonce = response.nonce();
  answer.control_plane = response.control_plane().identifier();
  const std::optional<ResourceType> type = type_of_url(answer.type_url);
  if (!type) return answer;
  for (Any& any : *response.mutable_resources()) add(item_of(*type, any), answer);
  check_names(answer);
  return answer;
}

std::optional<Answer> parse_delta(std::string_view bytes) {
  DeltaDiscoveryResponse response;
  if (!parse(bytes, response)) return std::nullopt;
  Answer answer;
  answer.is_delta = true;
  answer.type_url = response.type_url();
  answer.version = response.system_version_info();
  answer.nonce = response.nonce();
  answer.control_plane = response.control_plane().identifier();
  const std::optional<ResourceType> type = type_of_url(answer.type_url);
  if (!type) return answer;
  for (Wrapper& wrapper : *response.mutable_resources()) add(unwrap(*type, wrapper), answer);
  answer.removed.assign(response.removed_resources().begin(), response.removed_resources().end());
  check_names(answer);
  return answer;
}

}  // namespace weir::xds
