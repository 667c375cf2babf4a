#include "proxy/http/time_format.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

namespace weir::http {
namespace {

constexpr int64_t kDaySeconds = 86'400;
constexpr std::string_view kStrftimeConversions = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int64_t floor_divide(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// The Gregorian date of a day counted from 1970-01-01. Years are counted from March here, so that
// the leap day is the last of its year. gmtime_r is not used because it takes a lock.
void set_date(int64_t days, std::tm& out) {
  const int64_t shifted = days + 719'468;  // days from 0000-03-01
  const int64_t era = floor_divide(shifted, 146'097);
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t month = month_from_march < 10 ? month_from_march + 2 : month_from_march - 10;
  const int64_t year = year_of_era + era * 400 + (month <= 1 ? 1 : 0);
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  out.tm_mday = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  out.tm_mon = static_cast<int>(month);
  out.tm_year = static_cast<int>(year - 1900);
  out.tm_wday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  out.tm_yday =
      static_cast<int>(month >= 2 ? day_of_year + 59 + (leap ? 1 : 0) : day_of_year - 306);
}

std::tm to_utc(int64_t seconds) {
  std::tm out{};
  const int64_t days = floor_divide(seconds, kDaySeconds);
  const auto second_of_day = static_cast<int>(seconds - days * kDaySeconds);
  set_date(days, out);
  out.tm_hour = second_of_day / 3600;
  out.tm_min = second_of_day / 60 % 60;
  out.tm_sec = second_of_day % 60;
  out.tm_zone = "UTC";
  return out;
}

std::tm to_local(int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm out{};
  localtime_r(&time, &out);
  return out;
}

Error bad_time_format(std::string_view what) {
  return Error{"bad-format", "the time format has " + std::string(what) +
                                 "; use strftime's conversions, %s, %3f, %6f, %9f or %E3S"};
}

}  // namespace

struct TimeFormat::Moment {
  std::tm fields;
  int64_t seconds;
  int64_t micros;  // of the second
};

// Writes to a buffer of kMaxTextBytes; what does not fit is left out.
class TimeFormat::Writer {
 public:
  explicit Writer(char* to) : begin_(to), at_(to), end_(to + kMaxTextBytes) {}
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

  void text(std::string_view text) {
    const size_t n = std::min(text.size(), room());
    std::memcpy(at_, text.data(), n);
    at_ += n;
  }
  void number(int64_t value) {
    char digits[24];
    text({digits, static_cast<size_t>(std::to_chars(digits, digits + 24, value).ptr - digits)});
  }
  void padded(int64_t value, int width) {
    char digits[20];
    for (int i = width - 1; i >= 0; --i, value /= 10)
      digits[i] = static_cast<char>('0' + value % 10);
    text({digits, static_cast<size_t>(width)});
  }
  void fraction(int64_t micros, int digits) {
    char text_of[9];
    for (int i = 8; i >= 6; --i) text_of[i] = '0';
    for (int i = 5; i >= 0; --i, micros /= 10) text_of[i] = static_cast<char>('0' + micros % 10);
    text({text_of, static_cast<size_t>(digits)});
  }
  void strftime(const std::string& conversion, const std::tm& fields) {
    at_ += std::strftime(at_, room(), conversion.c_str(), &fields);
  }

 private:
  size_t room() const { return static_cast<size_t>(end_ - at_); }

  char* begin_;
  char* at_;
  char* end_;
};

Result<TimeFormat> TimeFormat::compile(std::string_view spec, Zone zone) {
  if (spec.empty()) spec = kDefault;
  if (spec.size() > kMaxSpecBytes) return bad_time_format("more than 128 bytes");
  TimeFormat out(zone);
  while (!spec.empty()) {
    const size_t literal = std::min(spec.find('%'), spec.size());
    out.add_literal(spec.substr(0, literal));
    spec.remove_prefix(literal);
    if (spec.empty()) break;
    const Result<size_t> used = out.add_conversion(spec.substr(1));
    if (!used) return used.error();
    spec.remove_prefix(1 + *used);
  }
  return out;
}

// `rest` begins after the percent sign; says how many bytes of it the conversion takes.
Result<size_t> TimeFormat::add_conversion(std::string_view rest) {
  if (rest.empty()) return bad_time_format("a '%' at its end");
  if (is_digit(rest[0])) {
    if (rest[0] == '0' || rest.size() < 2 || rest[1] != 'f')
      return bad_time_format("a digit that %1f to %9f do not explain");
    add(Kind::kFraction, rest[0] - '0');
    return size_t{2};
  }
  if (rest[0] == 'E') return add_extended(rest);
  struct Simple {
    char letter;
    Kind kind;
    int digits;
  };
  static constexpr Simple kSimple[] = {
      {'Y', Kind::kYear, 0},     {'m', Kind::kMonth, 0},        {'d', Kind::kDay, 0},
      {'H', Kind::kHour, 0},     {'M', Kind::kMinute, 0},       {'S', Kind::kSecond, 0},
      {'f', Kind::kFraction, 9}, {'s', Kind::kEpochSeconds, 0},
  };
  for (const Simple& simple : kSimple) {
    if (simple.letter != rest[0]) continue;
    add(simple.kind, simple.digits);
    return size_t{1};
  }
  if (kStrftimeConversions.find(rest[0]) == std::string_view::npos)
    return bad_time_format("the unknown conversion '%" + std::string(1, rest[0]) + "'");
  add(Kind::kStrftime, 0, std::string("%") + rest[0]);
  return size_t{1};
}

Result<size_t> TimeFormat::add_extended(std::string_view rest) {
  const std::string_view after = rest.substr(1);
  if (after.starts_with("z")) {
    add(Kind::kOffsetWithColon);
    return size_t{2};
  }
  if (after.starts_with("4Y")) {
    add(Kind::kYear);
    return size_t{3};
  }
  if (after.size() >= 2 && after[1] == 'S' && (is_digit(after[0]) || after[0] == '*')) {
    add(Kind::kSecond, after[0] == '*' ? 6 : after[0] - '0');
    return size_t{3};
  }
  return bad_time_format("an unknown conversion that begins with '%E'");
}

void TimeFormat::add_literal(std::string_view text) {
  if (text.empty()) return;
  if (segments_.empty() || segments_.back().kind != Kind::kLiteral) add(Kind::kLiteral);
  segments_.back().text += text;
}

void TimeFormat::add(Kind kind, int digits, std::string_view text) {
  segments_.push_back({kind, static_cast<uint8_t>(digits), std::string(text)});
}

size_t TimeFormat::write(int64_t wall_us, char* to) const {
  Moment moment{};
  moment.seconds = floor_divide(wall_us, 1'000'000);
  moment.micros = wall_us - moment.seconds * 1'000'000;
  moment.fields = zone_ == Zone::kUtc ? to_utc(moment.seconds) : to_local(moment.seconds);
  Writer writer(to);
  for (const Segment& segment : segments_) write_segment(segment, moment, writer);
  return writer.size();
}

void TimeFormat::write_segment(const Segment& segment, const Moment& moment, Writer& writer) {
  const std::tm& fields = moment.fields;
  switch (segment.kind) {
    case Kind::kLiteral:
      return writer.text(segment.text);
    case Kind::kYear:
      return writer.number(fields.tm_year + 1900);
    case Kind::kMonth:
      return writer.padded(fields.tm_mon + 1, 2);
    case Kind::kDay:
      return writer.padded(fields.tm_mday, 2);
    case Kind::kHour:
      return writer.padded(fields.tm_hour, 2);
    case Kind::kMinute:
      return writer.padded(fields.tm_min, 2);
    case Kind::kSecond:
      writer.padded(fields.tm_sec, 2);
      if (segment.digits == 0) return;
      writer.text(".");
      return writer.fraction(moment.micros, segment.digits);
    case Kind::kFraction:
      return writer.fraction(moment.micros, segment.digits);
    case Kind::kEpochSeconds:
      return writer.number(moment.seconds);
    case Kind::kOffsetWithColon: {
      const int64_t offset_s = fields.tm_gmtoff;
      const int64_t minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
      writer.text(offset_s < 0 ? "-" : "+");
      writer.padded(minutes / 60, 2);
      writer.text(":");
      return writer.padded(minutes % 60, 2);
    }
    case Kind::kStrftime:
      return writer.strftime(segment.text, fields);
  }
}

}  // namespace weir::http
