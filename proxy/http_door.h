#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "proxy/hcm_config.h"
#include "proxy/http/h1_server.h"

namespace weir {

class Entrance;
class Worker;

// Where HTTP connections of one filter chain come in on one worker. Outlives its connections.
class HttpDoor : public http::ServerConnectionOwner {
 public:
  // `chain_name` outlives it.
  HttpDoor(Worker& worker, Entrance& entrance, std::shared_ptr<const HcmConfig> hcm,
           std::string_view chain_name);
  ~HttpDoor() override;

  // Takes the socket over; with TLS, its handshake is done.
  void accept(http::Arrival arrival);
  // Connections end with their next response; idle ones after the grace.
  void drain(int64_t grace_ms);
  // The same for some of them; later ones are not concerned.
  void drain_some(int64_t grace_ms, double share);
  void close_all() { connections_.close_all(); }
  size_t connections() const { return connections_.size(); }

  // ServerConnectionOwner
  http::ServerStreamEvents& begin_stream(http::ServerConnection& connection,
                                         http::ServerStream& stream) override;
  void abandon_stream(http::ServerStreamEvents& events) override;
  http::Draining draining() const override;
  void on_closed(http::ServerConnection& connection) override;
  std::string_view date() override;
  void on_http2_preface(http::ServerConnection& connection, std::string_view bytes) override;

 private:
  bool speaks_http2(const http::Arrival& arrival) const;
  void start_http2(http::Arrival arrival);
  void count(const HcmStats::Connections& which);
  void count_end(const http::ServerConnection& connection);
  void log_end(http::ServerConnection& connection);

  Worker& worker_;
  Entrance& entrance_;
  std::shared_ptr<const HcmConfig> hcm_;
  net::ByteCounts bytes_;
  std::string_view chain_name_;
  http::ServerConnections connections_;
  bool draining_ = false;
};

}  // namespace weir
