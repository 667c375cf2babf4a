#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "xds/clock.h"
#include "xds/resource_table.h"
#include "xds/response_text.h"
#include "xds/status.h"
#include "xds/types.h"

namespace envoy::config::core::v3 {
class Node;
}

namespace weir::xds {

// POST of a JSON body (content-type: application/json) to a control plane.
struct RestRequest {
  std::string path;
  std::string body;
};
struct RestResponse {
  int status = 0;  // 0: there was none
  std::string body;
  std::string error;  // why there was none
};

// A request that is under way. Destroying it gives it up; no response comes then.
class RestExchange {
 public:
  virtual ~RestExchange() = default;
};
// Calls `done` once, in a later turn; from it the exchange may be destroyed.
using RestPost = std::function<std::unique_ptr<RestExchange>(
    const RestRequest& request, std::function<void(const RestResponse&)> done)>;

struct RestSourceOptions {
  std::shared_ptr<const envoy::config::core::v3::Node> node;
  int64_t refresh_delay_ms = 0;  // between polls; up to as much again is added at random
  int64_t request_timeout_ms = 1000;
  TextOptions text;
  // Why a poll failed or was refused; the last good versions stay in force. May be empty.
  std::function<void(const config::Diagnostics&)> on_problem;
  std::function<void(ResourceType, Event)> on_event;  // may be empty
};

// Resources of one type that are polled from a control plane over HTTP: ApiConfigSource's REST.
// Answers are states of the world; status 304 says that nothing changed. Main thread.
class RestSource {
 public:
  // What is passed in outlives the source.
  RestSource(ResourceType type, RestSourceOptions options, Clock& clock, RestPost post,
             ResourceHandler& handler);

  // Polls as soon as there is a subscription, and then again and again.
  void start();

  // As those of Client. A new name, or one that is asked for again, does not wait for the next
  // poll.
  void subscribe(const std::string& name, int64_t initial_fetch_timeout_ms);
  void unsubscribe(const std::string& name);
  void refresh(const std::string& name, int64_t timeout_ms);

  // The clock's wake_at.
  void tick();

  const std::string& version() const { return table_.version(); }
  std::vector<ResourceStatus> status() const;

 private:
  Now now() { return {clock_.now_ms(), clock_.wall_ms()}; }
  void poll_soon();
  void poll();
  std::string request_body();
  void on_response(const RestResponse& response);
  void take(const std::string& body);
  void fail(const std::string& reason);
  void wait();
  void ask_to_be_woken();
  void report(Event event) const;
  void tell_absent(const std::vector<std::string>& names);

  RestSourceOptions options_;
  Clock& clock_;
  RestPost post_;
  ResourceHandler& handler_;
  ResourceTable table_;
  std::unique_ptr<RestExchange> exchange_;
  bool is_started_ = false;
  bool is_changed_ = false;  // there are subscriptions that the exchange under way does not have
  std::optional<int64_t> poll_at_ms_;
  std::optional<int64_t> give_up_at_ms_;
  std::string error_;  // of the last answer, for the next request
};

}  // namespace weir::xds
