#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/diagnostic.h"
#include "xds/clock.h"
#include "xds/resource_table.h"
#include "xds/response_text.h"
#include "xds/status.h"
#include "xds/types.h"

namespace weir::xds {

struct FileSourceOptions {
  // path_config_source.path: a DiscoveryResponse as YAML, as JSON if it ends in .json, or in
  // protobuf's binary form if it ends in .pb.
  std::string path;
  TextOptions text;
  std::function<void(ResourceType, Event)> on_event;  // may be empty
};

// Resources of one type that come from a file, as a state of the world: of listeners and clusters
// what is not there is removed. Reads the file when it is told to; who watches the file and its
// directory is not its business. Main thread.
class FileSource {
 public:
  // What is passed in outlives the source. Of the clock only the times are used.
  FileSource(ResourceType type, FileSourceOptions options, Clock& clock, ResourceHandler& handler);

  // As those of Client, without a timeout: what the next `reload` does not find is absent.
  void subscribe(const std::string& name);
  void unsubscribe(const std::string& name);
  void refresh(const std::string& name);

  // What reading the file came to.
  enum class Reading : uint8_t {
    kTaken,      // all of it is in force; there may be warnings
    kPartly,     // resources were refused, whose last good versions stay; the others are in force
    kRefused,    // all of it was, and the last good versions stay in force
    kUnchanged,  // the same as the last time, and nobody asked since: no event is reported
  };
  // Reads the file; errors are in `diagnostics`. Whoever still waits for a name is told on_absent
  // in any case.
  Reading reload(config::Diagnostics& diagnostics);

  const std::string& path() const { return options_.path; }
  const std::string& version() const { return table_.version(); }
  std::vector<ResourceStatus> status() const;

 private:
  struct Taken {
    Reading reading = Reading::kRefused;
    Event event = Event::kRejected;
    uint64_t content_hash = 0;
  };
  Taken take_file(config::Diagnostics& diagnostics);
  void report(Event event) const;

  FileSourceOptions options_;
  Clock& clock_;
  ResourceHandler& handler_;
  ResourceTable table_;
  bool is_asked_ = false;            // since the last reload
  std::optional<uint64_t> outcome_;  // a hash of the file, and of what was wrong with it
};

}  // namespace weir::xds
