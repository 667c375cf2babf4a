#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/message.h"
#include "proxy/http/request_match.h"
#include "proxy/http/stream_info.h"

namespace google::protobuf {
template <class Element>
class RepeatedPtrField;
}
namespace envoy::config::route::v3 {
class RateLimit;
}

// What of a request its rate is limited by: lists of keys and values, made by the actions of
// config.route.v3.RateLimit, for local and global limits alike.
namespace weir::http {

struct Route;

struct DescriptorEntry {
  std::string_view key;
  std::string_view value;
};
using Descriptor = std::span<const DescriptorEntry>;

struct RateLimitInput {
  const RequestHead& request;
  const StreamInfo& info;
  const Route* route = nullptr;
  std::string_view service_cluster;
  Arena& arena;
};

// One action: appends an entry to the descriptor. Immutable.
struct RateLimitAction {
  enum class Kind : uint8_t {
    kSourceCluster,
    kDestinationCluster,
    kRequestHeader,
    kRemoteAddress,
    kGenericKey,
    kHeadersMatch,
    kQueryMatch,
  };
  Kind kind = Kind::kGenericKey;
  std::string key;
  std::string value;            // of kGenericKey and the matches
  std::string header;           // lower case
  bool skip_if_absent = false;  // without the header: go on without an entry, else no descriptor
  bool expect_match = true;
  std::vector<HeaderMatch> headers;
  std::vector<QueryMatch> query;
  // Bits of a remote address that count; negative: the address as it is.
  int v4_prefix_bits = -1;
  int v6_prefix_bits = -1;
};

// One config.route.v3.RateLimit. Immutable, any thread.
struct RateLimit {
  uint32_t stage = 0;
  std::string disable_key;  // of the runtime; may be empty
  std::vector<RateLimitAction> actions;

  // The request's descriptor, in the arena; empty when an action finds nothing to tell.
  Descriptor descriptor(const RateLimitInput& input) const;
};
using RateLimits = std::vector<RateLimit>;

// Field `field` of the message at `parent`. Errors are in `diagnostics` afterwards.
RateLimits compile_rate_limits(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RateLimit>& config,
    std::string_view field, const config::FieldPath& parent, config::Diagnostics& diagnostics);

}  // namespace weir::http
