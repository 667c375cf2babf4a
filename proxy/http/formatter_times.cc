// Commands whose values are moments and durations.

#include <array>
#include <chrono>
#include <ctime>

#include "proxy/http/formatter_part.h"

namespace weir::http {
namespace {

template <TimeFormat::Zone kZone>
Result<void> parse_time(std::string_view parameter, Format::Part& part) {
  Result<TimeFormat> format = TimeFormat::compile(parameter, kZone);
  if (!format) return format.error();
  part.time = format.take();
  return {};
}

// Only for a duration or a time of writing that is asked for while the request lasts.
template <class Clock>
int64_t clock_ns() {
  const auto since = Clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

// The end of the request, or the present while it lasts (a header asks for it then).
int64_t end_or_now_ns(const StreamInfo& info) {
  return info.end_ns != 0 ? info.end_ns : clock_ns<std::chrono::steady_clock>();
}

FormatValue format_time(const Format::Part& part, int64_t wall_us, FormatScratch& scratch) {
  return FormatValue::of({scratch.bytes, part.time->write(wall_us, scratch.bytes)});
}

FormatValue read_start_time(const Format::Part& part, const FormatInput& in,
                            FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  return format_time(part, in.info->start_wall_us, scratch);
}

FormatValue read_emit_time(const Format::Part& part, const FormatInput& in,
                           FormatScratch& scratch) {
  if (in.info == nullptr || in.info->end_ns == 0)
    return format_time(part, clock_ns<std::chrono::system_clock>() / 1000, scratch);
  const StreamInfo& info = *in.info;
  return format_time(part, info.start_wall_us + (info.end_ns - info.start_ns) / 1000, scratch);
}

constexpr int64_t kNsPerMs = 1'000'000;

FormatValue milliseconds(int64_t from_ns, int64_t to_ns, FormatScratch& scratch) {
  if (from_ns == 0 || to_ns == 0) return FormatValue::missing();
  return scratch.number((to_ns - from_ns) / kNsPerMs);
}

FormatValue read_duration(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  return milliseconds(in.info->start_ns, end_or_now_ns(*in.info), scratch);
}

template <int64_t StreamInfo::*kFrom, int64_t StreamInfo::*kTo>
FormatValue read_span(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  return milliseconds(in.info->*kFrom, in.info->*kTo, scratch);
}

// %COMMON_DURATION(START:END:PRECISION)%
struct TimePoint {
  std::string_view name;
  int64_t StreamInfo::*member;
};
constexpr std::array<TimePoint, 8> kTimePoints = {{
    {"DS_RX_BEG", &StreamInfo::start_ns},
    {"DS_RX_END", &StreamInfo::last_downstream_rx_ns},
    {"US_TX_BEG", &StreamInfo::first_upstream_tx_ns},
    {"US_TX_END", &StreamInfo::last_upstream_tx_ns},
    {"US_RX_BEG", &StreamInfo::first_upstream_rx_ns},
    {"US_RX_END", &StreamInfo::last_upstream_rx_ns},
    {"DS_TX_BEG", &StreamInfo::first_downstream_tx_ns},
    {"DS_TX_END", &StreamInfo::last_downstream_tx_ns},
}};
struct Precision {
  std::string_view name;
  int64_t ns;
};
constexpr std::array<Precision, 3> kPrecisions = {{{"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}}};

template <class Table>
bool find_option(const Table& table, std::string_view name, uint8_t& out) {
  for (size_t i = 0; i < table.size(); ++i)
    if (table[i].name == name) {
      out = static_cast<uint8_t>(i);
      return true;
    }
  return false;
}

Result<void> parse_common_duration(std::string_view parameter, Format::Part& part) {
  const size_t first = parameter.find(':');
  const size_t second =
      first == std::string_view::npos ? std::string_view::npos : parameter.find(':', first + 1);
  if (second == std::string_view::npos)
    return Error{"bad-format", "the parameter is START:END:PRECISION"};
  const std::string_view start = parameter.substr(0, first);
  const std::string_view end = parameter.substr(first + 1, second - first - 1);
  if (!find_option(kTimePoints, start, part.options[0]) ||
      !find_option(kTimePoints, end, part.options[1]))
    return Error{"bad-format",
                 "'" + std::string(start) + ":" + std::string(end) +
                     "' is not two of the time points DS_RX_BEG, DS_RX_END, US_TX_BEG, "
                     "US_TX_END, US_RX_BEG, US_RX_END, DS_TX_BEG, DS_TX_END"};
  if (!find_option(kPrecisions, parameter.substr(second + 1), part.options[2]))
    return Error{"bad-format", "the precision is ms, us or ns"};
  return {};
}

FormatValue read_common_duration(const Format::Part& part, const FormatInput& in,
                                 FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  const int64_t from = in.info->*kTimePoints[part.options[0]].member;
  const int64_t to = in.info->*kTimePoints[part.options[1]].member;
  if (from == 0 || to == 0) return FormatValue::missing();
  return scratch.number((to - from) / kPrecisions[part.options[2]].ns);
}

constexpr auto kParameter = CommandSyntax::kParameter;
constexpr auto kOptional = CommandSyntax::kOptionalParameter;
constexpr auto kUtc = TimeFormat::Zone::kUtc;
constexpr auto kLocal = TimeFormat::Zone::kLocal;
using Info = StreamInfo;

constexpr CommandSpec kCommands[] = {
    {"START_TIME", read_start_time, kOptional, false, parse_time<kUtc>},
    {"START_TIME_LOCAL", read_start_time, kOptional, false, parse_time<kLocal>},
    {"EMIT_TIME", read_emit_time, kOptional, false, parse_time<kUtc>},
    {"EMIT_TIME_LOCAL", read_emit_time, kOptional, false, parse_time<kLocal>},
    {"DURATION", read_duration},
    {"REQUEST_DURATION", read_span<&Info::start_ns, &Info::last_downstream_rx_ns>},
    {"REQUEST_TX_DURATION", read_span<&Info::start_ns, &Info::last_upstream_tx_ns>},
    {"RESPONSE_DURATION", read_span<&Info::start_ns, &Info::first_upstream_rx_ns>},
    {"RESPONSE_TX_DURATION", read_span<&Info::first_upstream_rx_ns, &Info::last_downstream_tx_ns>},
    {"DOWNSTREAM_HANDSHAKE_DURATION", read_span<&Info::start_ns, &Info::handshake_end_ns>},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION",
     read_span<&Info::pool_asked_ns, &Info::pool_ready_ns>},
    {"COMMON_DURATION", read_common_duration, kParameter, false, parse_common_duration},
};

}  // namespace

Result<void> parse_utc_time(std::string_view parameter, Format::Part& part) {
  return parse_time<kUtc>(parameter, part);
}

std::span<const CommandSpec> time_commands() {
  return kCommands;
}

}  // namespace weir::http
