#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace weir::http {

// A moment as text, as Envoy's %START_TIME(...)% takes it: strftime's conversions, and
//   %s            seconds since 1970
//   %f, %1f..%9f  the fraction of the second, of that many digits (9 when none is given)
//   %E#S, %E*S    seconds with that many digits of fraction (E* : 6)
//   %Ez, %E4Y     "+00:00"; the year
// Compiled once; writing UTC takes no lock unless a conversion needs strftime. Immutable.
class TimeFormat {
 public:
  enum class Zone : uint8_t { kUtc, kLocal };

  static constexpr size_t kMaxSpecBytes = 128;
  static constexpr size_t kMaxTextBytes = 2048;
  static constexpr std::string_view kDefault = "%Y-%m-%dT%H:%M:%E3SZ";

  static Result<TimeFormat> compile(std::string_view spec, Zone zone);

  // `wall_us`: microseconds since 1970. Writes at most kMaxTextBytes to `to`; says how many.
  size_t write(int64_t wall_us, char* to) const;

 private:
  enum class Kind : uint8_t {
    kLiteral,
    kYear,
    kMonth,
    kDay,
    kHour,
    kMinute,
    kSecond,    // followed by `digits` of fraction when that is not 0
    kFraction,  // `digits` digits
    kEpochSeconds,
    kOffsetWithColon,  // +hh:mm
    kStrftime,         // `text` is the conversion
  };
  struct Segment {
    Kind kind = Kind::kLiteral;
    uint8_t digits = 0;
    std::string text;
  };
  struct Moment;
  class Writer;

  explicit TimeFormat(Zone zone) : zone_(zone) {}
  Result<size_t> add_conversion(std::string_view rest);
  Result<size_t> add_extended(std::string_view rest);
  void add_literal(std::string_view text);
  void add(Kind kind, int digits = 0, std::string_view text = {});
  static void write_segment(const Segment& segment, const Moment& moment, Writer& writer);

  Zone zone_;
  std::vector<Segment> segments_;
};

}  // namespace weir::http
