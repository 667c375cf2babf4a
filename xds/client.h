#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xds/source.h"
#include "xds/status.h"
#include "xds/types.h"
#include "xds/wire.h"

namespace envoy::config::core::v3 {
class Node;
}

namespace weir::xds {

struct ClientOptions {
  std::shared_ptr<const envoy::config::core::v3::Node> node;
  bool delta = false;
  bool aggregated =
      true;  // else one service per type: "envoy.service.cluster.v3...", one type only
  bool node_on_first_message_only = false;
  int64_t back_off_base_ms = 500;
  int64_t back_off_max_ms = 30'000;
  // rate_limit_settings; requests are counted, ACKs and NACKs too.
  uint32_t max_tokens = 100;
  double tokens_per_s = 10;
  // For counters; may be empty.
  std::function<void(ResourceType, Event)> on_event;
  // What of an answer was refused, a line for each error. May be empty.
  std::function<void(ResourceType, const std::string& errors)> on_rejected;
  std::function<void(bool connected)> on_connected;
  // Once for each time that there is no stream to be had, from the start on: why.
  std::function<void(const std::string& reason)> on_away;
};

// One control plane over one gRPC stream: state of the world or delta, of all types (ADS) or of
// one. Keeps the subscriptions, connects again when the stream breaks off, and holds no more than
// it must: of each resource its name, version and a hash. Follows the xDS protocol of
// envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol. Main thread.
class Client : public Source {
 public:
  // What is passed in outlives the client.
  Client(Wire& wire, ClientOptions options);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Before the first subscription of the type.
  void set_handler(ResourceType type, ResourceHandler& handler) override;

  // Opens the stream, with what is subscribed to by then.
  void start();

  // Name "*": all there are. A name may be subscribed to by several; each has to unsubscribe. The
  // handler is told on_absent when nothing came within the time; 0: it may take for ever. What has
  // come already does not come again: the handler keeps it.
  void subscribe(ResourceType type, const std::string& name,
                 int64_t initial_fetch_timeout_ms) override;
  void unsubscribe(ResourceType type, const std::string& name) override;
  void refresh(ResourceType type, const std::string& name, int64_t timeout_ms) override;

  // While paused no request of the type is sent, ACKs included. Nests. Requests that became due are
  // sent on the last resume, gathered into one.
  void pause(ResourceType type) override;
  void resume(ResourceType type) override;

  // The wire's wake_at.
  void tick();

  bool connected() const;  // a message has come over the present stream
  std::vector<ResourceStatus> status() const override;
  // The version of the last answer of that type that was taken over; empty: none.
  std::string version(ResourceType type) const;
  // What the control plane calls itself (control_plane.identifier).
  const std::string& control_plane() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::xds
