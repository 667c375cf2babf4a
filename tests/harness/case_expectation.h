#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/harness/strict_http.h"

namespace weir::test {

// What a message must look like, as the block of a `gets` step writes it:
//   GET /path HTTP/1.1     the first line; of a status line the reason may be left out, and the
//                          status may be one of several: HTTP/1.1 403|404
//   name: value            the lines of that name are exactly these, in this order
//   name ~ regex           one line of that name, whose value matches as a whole
//   name: *                there is such a line
//   !name                  there is none
//   trailer name: value    the same of the trailers
//                          an empty line, then the body: escapes, its lines joined without breaks
//   ...                    as the body: any body
class Expectation {
 public:
  static Expectation parse(const std::vector<std::string>& block, bool exact, std::string& error);

  // What differs, one sentence each.
  std::vector<std::string> compare(const Message& message, bool with_body) const;

 private:
  enum class Kind { kEquals, kMatches, kPresent, kAbsent };
  struct Line {
    Kind kind;
    std::string name;
    std::string value;
    bool trailer = false;
  };

  std::string parse_line(std::string text);
  void compare_first_line(const Message& message, std::vector<std::string>& differences) const;
  void compare_lines(const Message& message, std::vector<std::string>& differences) const;
  void compare_extra(const Message& message, std::vector<std::string>& differences) const;

  std::string first_line_;
  std::vector<Line> lines_;
  std::string body_;
  bool any_body_ = false;
  bool exact_ = false;
};

}  // namespace weir::test
