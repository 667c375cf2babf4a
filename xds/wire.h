#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "xds/clock.h"

// What the xDS client needs of the process, so that it can be driven without one.
namespace weir::xds {

// What a stream tells. From both calls the stream may be destroyed.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  virtual void on_message(std::string_view bytes) = 0;
  // Last: the stream broke off, could not be opened, or was ended by the server.
  virtual void on_closed(const std::string& reason) = 0;
};

// An open stream. Destroying it gives it up; no event follows.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void send(std::string_view message) = 0;
  // More waits to be sent than should.
  virtual bool full() const = 0;
};

// Main thread.
class Wire : public Clock {
 public:
  // Calls a streaming method, e.g. "StreamAggregatedResources" of
  // "envoy.service.discovery.v3.AggregatedDiscoveryService". Events come in later turns.
  virtual std::unique_ptr<Stream> open(std::string_view service, std::string_view method,
                                       StreamEvents& events) = 0;
};

}  // namespace weir::xds
