#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/upstream/grpc_service.h"
#include "proxy/upstream/worker_cluster.h"
#include "xds/wire.h"

namespace weir {

// What an xDS client needs of the process: streams over one cluster, and the main loop's time.
class GrpcWire : public xds::Wire, private net::Timer::Owner {
 public:
  // Finds the service's cluster each time a stream is opened; null: there is none at present.
  using FindCluster = std::function<upstream::WorkerCluster*(const std::string& name)>;

  GrpcWire(net::Loop& loop, FindCluster find, upstream::GrpcServiceConfig service)
      : loop_(loop), find_(std::move(find)), service_(std::move(service)), timer_(*this) {}

  // What wake_at() calls. Before the first one.
  void set_tick(std::function<void()> tick) { tick_ = std::move(tick); }

  std::unique_ptr<xds::Stream> open(std::string_view service, std::string_view method,
                                    xds::StreamEvents& events) override;
  int64_t now_ms() override { return loop_.now_ms(); }
  int64_t wall_ms() override { return loop_.wall_us() / 1000; }
  uint64_t random() override { return loop_.random(); }
  void wake_at(int64_t when_ms) override { timer_.set(loop_.timers(), when_ms); }

 private:
  class OpenStream;

  void on_timer(net::Timer& /*timer*/) override { tick_(); }

  net::Loop& loop_;
  FindCluster find_;
  upstream::GrpcServiceConfig service_;
  net::Timer timer_;
  std::function<void()> tick_;
};

}  // namespace weir
