#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "proxy/net/loop.h"
#include "proxy/upstream/outlier_config.h"

namespace weir::upstream {

// How workers reach those who judge a cluster's endpoints, on the main thread, for as long as they
// are there.
class FeedbackBox : public std::enable_shared_from_this<FeedbackBox> {
 public:
  enum class Note : uint8_t {
    kImmediateFailure,  // a response had x-envoy-immediate-health-check-fail
    k5xx,               // so many in a row as outlier detection allows
    kGatewayFailure,
    kLocalOriginFailure,
  };
  using Taken = std::function<void(const std::string& key, Note note)>;

  // `main` outlives every worker.
  FeedbackBox(net::Loop& main, Taken taken) : main_(main), taken_(std::move(taken)) {}

  // Main thread: nothing is taken any more.
  void close() { taken_ = nullptr; }
  // Any thread.
  void post(const std::string& key, Note note) {
    main_.post([self = shared_from_this(), key, note] {
      if (self->taken_) self->taken_(key, note);
    });
  }

 private:
  net::Loop& main_;
  Taken taken_;  // main thread
};

// What all workers tell of one endpoint. They count together, so that it does not matter which of
// them a response came to. Any thread, unless it says otherwise.
class HostFeedback {
 public:
  // `outlier` is null without outlier detection.
  HostFeedback(std::shared_ptr<FeedbackBox> box, std::string key,
               std::shared_ptr<const OutlierConfig> outlier)
      : box_(std::move(box)), key_(std::move(key)), outlier_(std::move(outlier)) {}

  void on_immediate_failure() { box_->post(key_, FeedbackBox::Note::kImmediateFailure); }
  // A response; of a gRPC call the HTTP status that stands for its outcome, if the head tells it.
  void on_response(uint16_t status);
  // A connection stands, and a request goes over it.
  void on_connected();
  // A connection stands, and nothing else will be known of what goes over it.
  void on_relay();
  // No connection could be made, or it broke off.
  void on_broken();
  void on_timeout();

  // Of whom the failures are: the server's, or our own in reaching it.
  enum class Origin : uint8_t { kExternal, kLocal };
  struct Window {
    uint32_t total = 0;
    uint32_t successes = 0;
  };
  // What was counted since the last call. Main thread.
  Window take_window(Origin origin);
  // Failures in a row begin anew.
  void forget(Ejection kind);
  void forget_all();

 private:
  struct Counts {
    std::atomic<uint32_t> total{0};
    std::atomic<uint32_t> successes{0};
  };

  void count(Origin origin, bool success);
  void on_local_failure();
  void add(std::atomic<uint32_t>& in_a_row, uint32_t limit, FeedbackBox::Note note);

  const std::shared_ptr<FeedbackBox> box_;
  const std::string key_;
  const std::shared_ptr<const OutlierConfig> outlier_;
  std::atomic<uint32_t> in_a_row_5xx_{0};
  std::atomic<uint32_t> in_a_row_gateway_{0};
  std::atomic<uint32_t> in_a_row_local_{0};
  Counts external_;
  Counts local_;
};

}  // namespace weir::upstream
