#pragma once

#include <google/protobuf/any.pb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xds/types.h"

namespace weir::xds {

// One resource of an answer, as far as it can be told without knowing what it is for.
struct Item {
  std::string name;
  std::vector<std::string> aliases;
  std::string version;
  std::optional<int64_t> ttl_ms;
  // Null: a heartbeat, which only says that what is there goes on to be valid.
  std::shared_ptr<const google::protobuf::Any> content;
  bool is_wrapped = false;  // in an envoy.service.discovery.v3.Resource
  std::string error;        // why it cannot be used, and with it the whole answer
};

// What a control plane says of one type: a DiscoveryResponse or a DeltaDiscoveryResponse.
struct Answer {
  std::string type_url;
  std::string version;
  std::string nonce;
  std::string control_plane;
  bool is_delta = false;
  std::vector<Item> items;
  std::vector<std::string> removed;
  // Those of items too. One without a name goes by its place, as "resources[3]".
  std::vector<Rejection> errors;
};

// From the bytes of a message; none if they are no such message. Checks what must hold of any
// answer: every resource is of the answer's type, can be read and has a name, and no name is there
// twice, or both added and removed. The type has to be one of ours, else there are no items.
std::optional<Answer> parse_sotw(std::string_view bytes);
std::optional<Answer> parse_delta(std::string_view bytes);

// The name that a resource gives itself; none if the content is no message of that type.
std::optional<std::string> name_of(ResourceType type, const google::protobuf::Any& content);

}  // namespace weir::xds
