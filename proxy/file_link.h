#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy/base/log.h"
#include "proxy/net/file_watch.h"
#include "proxy/net/loop.h"
#include "proxy/net/timer_wheel.h"
#include "xds/clock.h"
#include "xds/file_source.h"
#include "xds/source.h"

namespace weir {

// Resources of one type that come from a file which is watched (path_config_source): it is read
// again when something moves into its directory or the one that is named, so that a file is seen
// whole. Main thread.
class FileLink : public xds::Source, private xds::Clock, private net::Timer::Owner {
 public:
  // `watched_directory`: empty for the file's own.
  FileLink(net::Loop& loop, Logger& log, xds::ResourceType type, xds::FileSourceOptions options,
           std::string watched_directory);

  // Of what the file said last; empty: nothing was read.
  std::string version() const { return source_ == nullptr ? std::string() : source_->version(); }

  // xds::Source
  void set_handler(xds::ResourceType type, xds::ResourceHandler& handler) override;
  void subscribe(xds::ResourceType type, const std::string& name,
                 int64_t initial_fetch_timeout_ms) override;
  void unsubscribe(xds::ResourceType type, const std::string& name) override;
  void refresh(xds::ResourceType type, const std::string& name, int64_t timeout_ms) override;
  void pause(xds::ResourceType /*type*/) override {}
  void resume(xds::ResourceType /*type*/) override {}
  std::vector<xds::ResourceStatus> status() const override;

 private:
  // xds::Clock
  int64_t now_ms() override { return loop_.now_ms(); }
  int64_t wall_ms() override { return loop_.wall_us() / 1000; }
  uint64_t random() override { return loop_.random(); }
  void wake_at(int64_t /*when_ms*/) override {}

  void on_timer(net::Timer& timer) override;
  void read();
  void watch();

  net::Loop& loop_;
  Logger& log_;
  xds::ResourceType type_;
  xds::FileSourceOptions options_;
  std::string directory_;
  net::FileWatch watch_;
  net::Timer soon_;                          // names of one moment are looked up together
  std::unique_ptr<xds::FileSource> source_;  // null before there is a handler
};

}  // namespace weir
