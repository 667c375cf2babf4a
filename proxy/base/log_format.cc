#include "proxy/base/log_format.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <ctime>

namespace weir {
namespace {

constexpr std::string_view kMessageFlags = "v_j";
constexpr std::string_view kTimeFlags = "YmdHMSTz";
constexpr std::string_view kFractionFlags = "efFE";
constexpr std::string_view kPlaceFlags = "@gs#!";  // of the source, which is not known
constexpr std::string_view kOtherFlags = "lLntP%";

bool is_flag(char flag) {
  for (const std::string_view set :
       {kMessageFlags, kTimeFlags, kFractionFlags, kPlaceFlags, kOtherFlags})
    if (set.find(flag) != std::string_view::npos) return true;
  return false;
}

// What came from outside may not end the line or drive the terminal.
void append_message(std::string_view message, bool json, std::string& out) {
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (json && (c == '"' || c == '\\')) out += '\\';
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
      continue;
    }
    char escape[8];
    std::snprintf(escape, sizeof(escape), json ? "\\u%04x" : "\\x%02x", byte);
    out += escape;
  }
}

// A strftime conversion of one letter.
void append_time(char flag, const std::tm& fields, std::string& out) {
  const char format[] = {'%', flag, 0};
  char text[32];
  out.append(text, std::strftime(text, sizeof(text), format, &fields));
}

void append_fraction(char flag, const timespec& now, std::string& out) {
  if (flag == 'E') {
    out += std::to_string(now.tv_sec);
    return;
  }
  char text[16];
  std::snprintf(text, sizeof(text), "%09ld", now.tv_nsec);
  out.append(text, flag == 'e' ? 3 : flag == 'f' ? 6 : 9);
}

void append_other(char flag, const LogLine& line, std::string& out) {
  if (flag == 'l') out += line.level;
  if (flag == 'L')
    out += static_cast<char>(std::toupper(static_cast<unsigned char>(line.level.front())));
  if (flag == 'n') out += line.component;
  if (flag == 't') out += std::to_string(syscall(SYS_gettid));
  if (flag == 'P') out += std::to_string(getpid());
  if (flag == '%') out += '%';
}

}  // namespace

Result<LogFormat> LogFormat::parse(std::string_view pattern) {
  LogFormat out;
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      text += pattern[i];
      continue;
    }
    const char flag = ++i < pattern.size() ? pattern[i] : 0;
    if (flag == 0 || !is_flag(flag))
      return Error{"bad-log-format", "'" + std::string(pattern.substr(i - 1, 2)) +
                                         "' is no flag of a log format; use %v %_ %j %l %L %n %t "
                                         "%P %Y %m %d %H %M %S %T %z %E %e %f %F or %%"};
    out.pieces_.push_back({flag, std::move(text)});
    text.clear();
  }
  out.pieces_.push_back({0, std::move(text)});
  return out;
}

std::string LogFormat::write(const LogLine& line) const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm fields{};
  localtime_r(&now.tv_sec, &fields);
  std::string out;
  for (const Piece& piece : pieces_) {
    out += piece.text;
    if (piece.flag == 0) continue;
    if (kMessageFlags.find(piece.flag) != std::string_view::npos)
      append_message(line.message, piece.flag == 'j', out);
    else if (kTimeFlags.find(piece.flag) != std::string_view::npos)
      append_time(piece.flag, fields, out);
    else if (kFractionFlags.find(piece.flag) != std::string_view::npos)
      append_fraction(piece.flag, now, out);
    else
      append_other(piece.flag, line, out);
  }
  out += '\n';
  return out;
}

}  // namespace weir
