#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "xds/back_off.h"
#include "xds/wire.h"

namespace google::protobuf {
class Duration;
}

namespace weir::xds {

// A stream to a server that says what it wants to be told and how often, as those of LRS and HDS
// do. When it breaks off it is opened again after a pause, and what the server said before has no
// interval any more. Main thread.
class ReportStream : private StreamEvents {
 public:
  static constexpr int64_t kMinIntervalMs = 100;

  // What is told. Outlives the stream.
  class Reporter {
   public:
    virtual ~Reporter() = default;
    virtual std::string first_message() = 0;
    // Why it is no message of this protocol, which ends the stream; empty: it is one.
    virtual std::string on_message(std::string_view bytes) = 0;
    virtual void on_lost(const std::string& reason) = 0;
    // What was set by report_in is over, once.
    virtual void on_due() = 0;
  };

  // `service` and `method` as for Wire::open; they are literals.
  ReportStream(Wire& wire, std::string_view service, std::string_view method,
               const BackOff& back_off, Reporter& reporter)
      : wire_(wire), service_(service), method_(method), back_off_(back_off), reporter_(reporter) {}
  ~ReportStream() override;

  void start() { open(); }
  // The wire's wake_at.
  void tick();

  // While the stream stands, as it does within the reporter's calls but for on_lost.
  void report_in(int64_t ms);
  bool due_later() const { return report_at_ms_.has_value(); }
  bool full() const { return stream_->full(); }
  void send(std::string_view message) { stream_->send(message); }

  // What a server may ask for: kMinIntervalMs at least, and what can be added to any time at most.
  static int64_t interval_ms(google::protobuf::Duration interval);

 private:
  void on_message(std::string_view bytes) override;
  void on_closed(const std::string& reason) override;
  void open();

  Wire& wire_;
  std::string_view service_;
  std::string_view method_;
  BackOff back_off_;
  Reporter& reporter_;
  std::unique_ptr<Stream> stream_;
  std::optional<int64_t> open_at_ms_;
  std::optional<int64_t> report_at_ms_;
};

}  // namespace weir::xds
