#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "xds/serving/delta_session.h"
#include "xds/serving/sotw_session.h"

namespace weir::xds::testing {

inline constexpr ResourceType kCds = ResourceType::kCluster;
inline constexpr ResourceType kEds = ResourceType::kEndpoint;
inline constexpr ResourceType kLds = ResourceType::kListener;
inline constexpr ResourceType kRds = ResourceType::kRoute;

// "a=1": a resource's name, and what stands for its content. `endpoints`: it is a cluster that has
// endpoints of its own name.
struct Entry {
  ResourceType type;
  std::string text;
  bool endpoints = false;
};

std::shared_ptr<const Catalogue> make_catalogue(const std::vector<Entry>& entries);

// A client of one session, with a clock of its own that begins at 10 s.
template <class SessionType, class Request, class Response>
class SessionClient {
 public:
  explicit SessionClient(const std::vector<Entry>& entries,
                         std::optional<ResourceType> only = std::nullopt)
      : session(make_catalogue(entries), only) {}

  void change(const std::vector<Entry>& entries) {
    session.set_catalogue(make_catalogue(entries), now_ms);
  }

  Result<std::optional<Verdict>> send(const Request& request) {
    return session.on_request(request.SerializeAsString(), now_ms);
  }

  // The next response in short, e.g. "CDS a=1 b=1 -c"; "" for none.
  std::string next() {
    const std::optional<Push> push = session.next(now_ms);
    if (!push) return "";
    EXPECT_TRUE(response.ParseFromString(push->bytes));
    last[response.type_url()] = response.nonce();
    return told(response);
  }

  std::optional<Verdict> answer(ResourceType type, Request request, const std::string& error) {
    const std::string url(type_url(type));
    request.set_type_url(url);
    request.set_response_nonce(last[url]);
    if (!error.empty()) request.mutable_error_detail()->set_message(error);
    const auto result = send(request);
    EXPECT_TRUE(result.ok());
    return result.ok() ? *result : std::nullopt;
  }

  static std::string told(const envoy::service::discovery::v3::DiscoveryResponse& response) {
    std::string out(short_name(*type_of_url(response.type_url())));
    for (const auto& resource : response.resources()) out += " " + resource.value();
    return out;
  }
  static std::string told(const envoy::service::discovery::v3::DeltaDiscoveryResponse& response) {
    std::string out(short_name(*type_of_url(response.type_url())));
    for (const auto& resource : response.resources()) out += " " + resource.resource().value();
    for (const std::string& name : response.removed_resources()) out += " -" + name;
    return out;
  }

  SessionType session;
  Response response;                        // the last one
  std::map<std::string, std::string> last;  // nonces by type URL
  int64_t now_ms = 10'000;
};

}  // namespace weir::xds::testing
