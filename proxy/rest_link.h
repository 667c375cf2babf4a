#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"
#include "proxy/upstream/worker_cluster.h"
#include "xds/clock.h"
#include "xds/rest_source.h"
#include "xds/source.h"

namespace weir {

// Resources of one type that are polled for over HTTP (ApiConfigSource's REST): one POST at a time
// to a cluster. Main thread.
class RestLink : public xds::Source, private xds::Clock, private net::Timer::Owner {
 public:
  struct Needs {
    net::Loop& loop;
    Logger& log;
    // Finds the cluster at each poll; null: there is none at present.
    std::function<upstream::WorkerCluster*(const std::string& name)> find_cluster;
  };
  // Of the options, what tells of problems is the link's own: it logs them.
  RestLink(Needs needs, xds::ResourceType type, std::string cluster,
           xds::RestSourceOptions options);

  // From now on polls are sent.
  void start();
  // The last poll was answered.
  bool connected() const { return connected_; }
  // Of the last answer that was taken over; empty: there was none.
  std::string version() const { return source_ == nullptr ? std::string() : source_->version(); }

  // xds::Source. A poll is one question and one answer: there is nothing to pause.
  void set_handler(xds::ResourceType type, xds::ResourceHandler& handler) override;
  void subscribe(xds::ResourceType type, const std::string& name,
                 int64_t initial_fetch_timeout_ms) override;
  void unsubscribe(xds::ResourceType type, const std::string& name) override;
  void refresh(xds::ResourceType type, const std::string& name, int64_t timeout_ms) override;
  void pause(xds::ResourceType /*type*/) override {}
  void resume(xds::ResourceType /*type*/) override {}
  std::vector<xds::ResourceStatus> status() const override;

 private:
  class Exchange;
  using Done = std::function<void(const xds::RestResponse&)>;

  // xds::Clock
  int64_t now_ms() override { return needs_.loop.now_ms(); }
  int64_t wall_ms() override { return needs_.loop.wall_us() / 1000; }
  uint64_t random() override { return needs_.loop.random(); }
  void wake_at(int64_t when_ms) override { timer_.set(needs_.loop.timers(), when_ms); }

  void on_timer(net::Timer& /*timer*/) override { source_->tick(); }
  std::unique_ptr<xds::RestExchange> post(const xds::RestRequest& request, Done done);
  void on_problem(const config::Diagnostics& diagnostics);

  Needs needs_;
  xds::ResourceType type_;
  std::string cluster_;
  xds::RestSourceOptions options_;
  net::Timer timer_;
  std::unique_ptr<xds::RestSource> source_;  // null before there is a handler
  bool started_ = false;
  bool connected_ = false;
  bool all_well_ = true;  // with the poll that is looked at
  std::string problem_;   // that was logged last; the same one is not logged again
};

}  // namespace weir
