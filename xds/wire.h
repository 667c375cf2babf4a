#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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
};

// Main thread.
class Wire {
 public:
  virtual ~Wire() = default;
  // Calls a streaming method, e.g. "StreamAggregatedResources" of
  // "envoy.service.discovery.v3.AggregatedDiscoveryService". Events come in later turns.
  virtual std::unique_ptr<Stream> open(std::string_view service, std::string_view method,
                                       StreamEvents& events) = 0;
  virtual int64_t now_ms() = 0;  // monotonic
  virtual int64_t wall_ms() = 0;
  virtual uint64_t random() = 0;
  // Calls Client::tick() at that time, or a little later; replaces what was asked for before.
  virtual void wake_at(int64_t when_ms) = 0;
};

}  // namespace weir::xds
