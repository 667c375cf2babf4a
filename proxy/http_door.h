#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/hcm_config.h"
#include "proxy/http/h1_server.h"

namespace weir {

class Worker;

// Where HTTP connections of one filter chain come in on one worker. Outlives its connections.
class HttpDoor : public http::ServerConnectionOwner {
 public:
  // `local` is the address that every connection comes in on, where there is only one.
  HttpDoor(Worker& worker, std::shared_ptr<const HcmConfig> hcm, std::optional<net::Address> local)
      : worker_(worker), hcm_(std::move(hcm)), local_(std::move(local)) {}
  ~HttpDoor() override;

  // Takes the socket over.
  void accept(int fd, const net::Address& peer, size_t buffer_limit);
  // Connections end with their next response; idle ones after the grace.
  void drain(int64_t grace_ms);
  void close_all() { connections_.close_all(); }
  size_t connections() const { return connections_.size(); }

  // ServerConnectionOwner
  http::ServerStreamEvents& begin_stream(http::ServerConnection& connection,
                                         http::ServerStream& stream) override;
  void abandon_stream(http::ServerStreamEvents& events) override;
  bool draining() const override;
  void on_closed(http::ServerConnection& connection) override;
  std::string_view date() override;

 private:
  Worker& worker_;
  std::shared_ptr<const HcmConfig> hcm_;
  std::optional<net::Address> local_;
  http::ServerConnections connections_;
  bool draining_ = false;
};

}  // namespace weir
