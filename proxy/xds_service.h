#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/grpc_responder.h"
#include "proxy/http/h2_server.h"
#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"
#include "xds/serving/session.h"

namespace weir {

// What is known of one open stream, for people. Times are of the loop's clock, in milliseconds.
struct XdsStreamReport {
  xds::NodeInfo node;
  std::string peer;
  std::string protocol;  // "sotw" or "delta"
  int64_t since_ms = 0;
  std::string unknown_type;  // that was asked for and is not served
  std::vector<xds::TypeReport> types;
};

// xDS over gRPC: ADS and the services of single types, each as state of the world and as delta, in
// HTTP/2 with prior knowledge. Each stream has a session (xds/serving/session.h); this class moves
// its messages, and bounds what a client may cost. Beside them CSDS, which tells of these clients
// (xds_client_status.h). One loop.
class XdsService : public http::ServerConnectionOwner {
 public:
  static constexpr size_t kMaxConnections = 1024;
  static constexpr size_t kMaxStreams = 4096;
  static constexpr size_t kMaxRequestBytes = 4 << 20;
  static constexpr uint32_t kRequestsPerSecond = 1000;  // per stream; more wait

  XdsService(net::Loop& loop, Logger& log, std::shared_ptr<const xds::Catalogue> catalogue);
  ~XdsService() override;

  // Takes the socket over.
  void accept(int fd, const net::Address& peer);
  // Tells every client, as soon as it can take it.
  void set_catalogue(std::shared_ptr<const xds::Catalogue> catalogue);
  // Ends the streams with UNAVAILABLE, and the connections.
  void shut_down();
  size_t connections() const { return connections_.size(); }

  std::vector<XdsStreamReport> report() const;
  uint64_t pushes() const { return pushes_; }

  // ServerConnectionOwner
  http::ServerStreamEvents& begin_stream(http::ServerConnection& connection,
                                         http::ServerStream& stream) override;
  void abandon_stream(http::ServerStreamEvents& events) override;
  http::Draining draining() const override {
    return draining_ ? http::Draining::kDrain : http::Draining::kNo;
  }
  void on_closed(http::ServerConnection& connection) override { connections_.retire(connection); }
  std::string_view date() override { return {}; }

 private:
  class Stream;

  // Null: there is no such method.
  std::unique_ptr<xds::Session> make_session(std::string_view path) const;
  void remove(Stream& stream);

  net::Loop& loop_;
  Logger& log_;
  std::shared_ptr<const xds::Catalogue> catalogue_;
  stats::Registry stats_;
  http::H2Options options_;
  std::vector<Stream*> streams_;  // each owns itself until it is removed
  uint64_t ids_ = 0;
  uint64_t pushes_ = 0;
  bool draining_ = false;
  http::ServerConnections connections_;
};

}  // namespace weir
