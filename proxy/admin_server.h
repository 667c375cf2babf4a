#pragma once

#include <memory>
#include <vector>

#include "proxy/admin/admin.h"
#include "proxy/http/h1_server.h"
#include "proxy/http/h2_server.h"
#include "proxy/net/loop.h"

namespace weir {

// Serves the admin endpoints on the main thread's loop, over HTTP/1.1 and, with prior knowledge,
// HTTP/2; and over HTTP/2 the gRPC service that tells what control planes sent (CSDS).
class AdminServer : public http::ServerConnectionOwner, private net::Watch::Owner {
 public:
  // Owns `listening`, a bound and listening socket.
  AdminServer(net::Loop& loop, int listening, admin::AdminHooks hooks);
  ~AdminServer() override;

  int socket() const { return listening_; }

  // ServerConnectionOwner
  http::ServerStreamEvents& begin_stream(http::ServerConnection& connection,
                                         http::ServerStream& stream) override;
  void abandon_stream(http::ServerStreamEvents& events) override;
  http::Draining draining() const override { return http::Draining::kNo; }
  void on_closed(http::ServerConnection& connection) override;
  std::string_view date() override { return {}; }
  void on_http2_preface(http::ServerConnection& connection, std::string_view bytes) override;

 private:
  class Stream;
  static constexpr size_t kMaxConnections = 256;

  void on_ready(uint8_t ready) override;
  void finish(Stream& stream);

  net::Loop& loop_;
  admin::Admin admin_;
  http::H1ServerOptions options_;
  http::H2Options h2_options_;
  stats::Registry h2_stats_;  // counts what nobody asks for
  net::Watch watch_;
  int listening_;
  uint64_t ids_ = 0;
  http::ServerConnections connections_;
};

}  // namespace weir
