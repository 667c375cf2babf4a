#include "xds/report_stream.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>

#include "proxy/base/duration.h"

namespace weir::xds {

ReportStream::~ReportStream() = default;

void ReportStream::open() {
  open_at_ms_.reset();
  StreamEvents& events = *this;
  stream_ = wire_.open(service_, method_, events);
  stream_->send(reporter_.first_message());
}

void ReportStream::on_message(std::string_view bytes) {
  const std::string error = reporter_.on_message(bytes);
  if (!error.empty()) return on_closed(error);
  back_off_.reset();
}

void ReportStream::on_closed(const std::string& reason) {
  stream_.reset();
  report_at_ms_.reset();
  open_at_ms_ = wire_.now_ms() + back_off_.next_ms(wire_.random());
  reporter_.on_lost(reason);
  wire_.wake_at(*open_at_ms_);
}

void ReportStream::tick() {
  const int64_t now_ms = wire_.now_ms();
  if (open_at_ms_ && now_ms >= *open_at_ms_) open();
  if (report_at_ms_ && now_ms >= *report_at_ms_) {
    report_at_ms_.reset();
    reporter_.on_due();
  }
  if (open_at_ms_ || report_at_ms_) wire_.wake_at(open_at_ms_ ? *open_at_ms_ : *report_at_ms_);
}

void ReportStream::report_in(int64_t ms) {
  report_at_ms_ = wire_.now_ms() + ms;
  wire_.wake_at(*report_at_ms_);
}

int64_t ReportStream::interval_ms(google::protobuf::Duration interval) {
  constexpr int64_t kMostS = 365L * 24 * 3600;
  interval.set_seconds(std::clamp<int64_t>(interval.seconds(), 0, kMostS));
  return std::max(to_ms(interval), kMinIntervalMs);
}

}  // namespace weir::xds
