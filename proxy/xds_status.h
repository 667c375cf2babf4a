#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "proxy/http/h1_server.h"
#include "proxy/net/loop.h"
#include "proxy/xds_service.h"
#include "xds/serving/catalogue.h"

namespace weir {

// What the status page shows.
struct XdsStatus {
  std::string directory;
  const xds::Catalogue* catalogue = nullptr;
  int64_t catalogue_since_ms = 0;  // of the loop's clock, as all times
  uint64_t pushes = 0;
  // Why the files as they are now are not served; empty when they are.
  std::vector<config::Diagnostic> problems;
  std::vector<XdsStreamReport> streams;
};

// As JSON. `now_ms` of the loop's clock and `wall_us` are the same moment.
std::string xds_status_json(const XdsStatus& status, int64_t now_ms, int64_t wall_us);

// Answers GET / with a page over HTTP/1.1. One loop.
class XdsStatusPage : public http::ServerConnectionOwner, private net::Watch::Owner {
 public:
  // Owns `listening`, a bound and listening socket. `page` makes the JSON.
  XdsStatusPage(net::Loop& loop, int listening, std::function<std::string()> page);
  ~XdsStatusPage() override;

  // ServerConnectionOwner
  http::ServerStreamEvents& begin_stream(http::ServerConnection& connection,
                                         http::ServerStream& stream) override;
  void abandon_stream(http::ServerStreamEvents& events) override;
  http::Draining draining() const override { return http::Draining::kNo; }
  void on_closed(http::ServerConnection& connection) override { connections_.retire(connection); }
  std::string_view date() override { return {}; }

 private:
  class Stream;
  static constexpr size_t kMaxConnections = 64;

  void on_ready(uint8_t ready) override;

  net::Loop& loop_;
  std::function<std::string()> page_;
  http::H1ServerOptions options_;
  net::Watch watch_;
  int listening_;
  uint64_t ids_ = 0;
  http::ServerConnections connections_;
};

}  // namespace weir
