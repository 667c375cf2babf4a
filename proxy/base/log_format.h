#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace weir {

// What a line of the log is made of.
struct LogLine {
  std::string_view level;
  std::string_view component;
  std::string_view message;
};

// How lines of the log look: a pattern with the flags that --log-format has in Envoy.
//   %v the message, %_ the same, %j the same for a JSON string; control characters are escaped
//   %l level, %L its first letter, %n component, %t thread, %P process
//   %Y %m %d %H %M %S and %T (HH:MM:SS), in local time; %z its offset; %E seconds since 1970
//   %e milliseconds, %f microseconds, %F nanoseconds, within the second; %% a percent sign
// A line knows no place in the source: %@ %g %s %# %! are empty. Immutable: any thread.
class LogFormat {
 public:
  static constexpr std::string_view kDefault = "[%Y-%m-%d %T.%e][%t][%l][%n] %v";

  // Errors name the flag.
  static Result<LogFormat> parse(std::string_view pattern);

  // The line at this moment, from this thread, with its end.
  std::string write(const LogLine& line) const;

 private:
  struct Piece {
    char flag = 0;     // 0: text
    std::string text;  // before the flag
  };
  std::vector<Piece> pieces_;
};

}  // namespace weir
