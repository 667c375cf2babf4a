#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xds/wire.h"

namespace weir::xds::testing {

// A wire without a network, and a clock that moves when it is told to.
class FakeWire : public Wire {
 public:
  struct Opened {
    std::string service;
    std::string method;
  };

  std::unique_ptr<Stream> open(std::string_view service, std::string_view method,
                               StreamEvents& events) override {
    opened.push_back({std::string(service), std::string(method)});
    events_ = &events;
    return std::make_unique<FakeStream>(*this);
  }
  int64_t now_ms() override { return now_ms_; }
  int64_t wall_ms() override { return now_ms_ + 1'700'000'000'000; }
  uint64_t random() override { return random_value; }
  void wake_at(int64_t when_ms) override { wake_at_ms = when_ms; }

  bool is_open() const { return events_ != nullptr; }
  void deliver(std::string_view bytes) { events_->on_message(bytes); }
  void break_off(const std::string& reason = "reset") {
    StreamEvents* const events = events_;
    events->on_closed(reason);
  }
  // Lets time pass; `tick` is called whenever it was asked for.
  void pass(int64_t ms, const std::function<void()>& tick) {
    const int64_t end_ms = now_ms_ + ms;
    while (wake_at_ms && *wake_at_ms <= end_ms) {
      if (*wake_at_ms > now_ms_) now_ms_ = *wake_at_ms;
      wake_at_ms.reset();
      tick();
    }
    now_ms_ = end_ms;
  }

  struct Sent {
    int64_t at_ms;
    std::string message;
  };
  std::vector<Opened> opened;
  std::vector<Sent> sent;  // over all streams
  std::optional<int64_t> wake_at_ms;
  uint64_t random_value = 0;
  bool full = false;  // what the streams say

 private:
  class FakeStream : public Stream {
   public:
    explicit FakeStream(FakeWire& wire) : wire_(wire) {}
    ~FakeStream() override { wire_.events_ = nullptr; }
    void send(std::string_view message) override {
      wire_.sent.push_back({wire_.now_ms_, std::string(message)});
    }
    bool full() const override { return wire_.full; }

   private:
    FakeWire& wire_;
  };

  StreamEvents* events_ = nullptr;
  int64_t now_ms_ = 1'000;
};

}  // namespace weir::xds::testing
