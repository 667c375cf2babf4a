#include "tests/harness/case_expectation.h"

#include <algorithm>
#include <regex>

#include "tests/harness/escape.h"

namespace weir::test {
namespace {

constexpr std::string_view kTrailer = "trailer ";

std::string quoted(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) {
    if (!out.empty()) out += ", ";
    out += '"' + readable(value) + '"';
  }
  return out.empty() ? "nothing" : out;
}

std::vector<std::string> values_in(const Message& message, bool trailer, std::string_view name) {
  if (!trailer) return message.values(name);
  Message trailers;
  trailers.headers = message.trailers;
  return trailers.values(name);
}

std::string first_line_of(const Message& message) {
  if (!message.method.empty()) return message.method + ' ' + message.target + ' ' + message.version;
  return message.version + ' ' + std::to_string(message.status) + ' ' + message.reason;
}

// Whether a status line begins as `wanted` says: "HTTP/1.1 403" or "HTTP/1.1 403|404".
bool is_one_of(const std::string& status_line, const std::string& wanted) {
  if (status_line.compare(0, 9, wanted, 0, 9) != 0) return false;
  for (size_t at = 9; at + 3 <= wanted.size(); at += 4) {
    if (at > 9 && wanted[at - 1] != '|') return false;
    if (wanted.compare(at, 3, status_line, 9, 3) == 0)
      return at + 3 == wanted.size() || wanted[at + 3] == '|';
  }
  return false;
}

bool matches(const std::string& value, const std::string& pattern) {
  return std::regex_match(value, std::regex(pattern));
}

}  // namespace

Expectation Expectation::parse(const std::vector<std::string>& block, bool exact,
                               std::string& error) {
  Expectation expectation;
  expectation.exact_ = exact;
  bool in_body = false;
  for (const std::string& line : block) {
    if (in_body) {
      expectation.any_body_ = line == "...";
      if (!expectation.any_body_) expectation.body_ += unescape(line, error);
    } else if (line.empty()) {
      in_body = true;
    } else if (expectation.first_line_.empty()) {
      expectation.first_line_ = unescape(line, error);
    } else if (error.empty()) {
      error = expectation.parse_line(line);
    }
  }
  if (expectation.first_line_.empty()) error = "the block must begin with a first line";
  return expectation;
}

std::string Expectation::parse_line(std::string text) {
  Line line{Kind::kEquals, "", "", text.compare(0, kTrailer.size(), kTrailer) == 0};
  if (line.trailer) text.erase(0, kTrailer.size());
  const size_t tilde = text.find(" ~ ");
  const size_t end = std::min(tilde, text.find(':'));
  if (text[0] == '!') {
    line.kind = Kind::kAbsent;
    line.name = text.substr(1);
  } else if (end != std::string::npos && end == tilde) {
    line = {Kind::kMatches, text.substr(0, end), text.substr(end + 3), line.trailer};
  } else if (end != std::string::npos) {
    std::string error;
    const size_t value = text.find_first_not_of(' ', end + 1);
    line.name = text.substr(0, end);
    line.value = value == std::string::npos ? "" : unescape(text.substr(value), error);
    if (!error.empty()) return error;
    if (line.value == "*") line.kind = Kind::kPresent;
  } else {
    return '"' + text + "\": write `name: value`, `name ~ regex`, `name: *` or `!name`";
  }
  lines_.push_back(line);
  return "";
}

std::vector<std::string> Expectation::compare(const Message& message, bool with_body) const {
  std::vector<std::string> differences;
  compare_first_line(message, differences);
  compare_lines(message, differences);
  if (exact_) compare_extra(message, differences);
  if (with_body && !any_body_ && message.body != body_)
    differences.push_back("body: expected \"" + readable(body_) + "\", got \"" +
                          readable(message.body) + '"');
  return differences;
}

void Expectation::compare_first_line(const Message& message,
                                     std::vector<std::string>& differences) const {
  const std::string got = first_line_of(message);
  if (got == first_line_ || (message.method.empty() && is_one_of(got, first_line_))) return;
  differences.push_back("first line: expected \"" + first_line_ + "\", got \"" + readable(got) +
                        '"');
}

void Expectation::compare_lines(const Message& message,
                                std::vector<std::string>& differences) const {
  for (const Line& line : lines_) {
    const auto got = values_in(message, line.trailer, line.name);
    std::vector<std::string> wanted;
    for (const Line& other : lines_)
      if (other.kind == Kind::kEquals && other.name == line.name && other.trailer == line.trailer)
        wanted.push_back(other.value);
    const std::string is = line.name + " is " + quoted(got);
    if (line.kind == Kind::kEquals && got != wanted)
      differences.push_back(is + ", expected " + quoted(wanted));
    if (line.kind == Kind::kAbsent && !got.empty()) differences.push_back(is + ", expected none");
    if (line.kind == Kind::kPresent && got.empty())
      differences.push_back(is + ", expected some value");
    if (line.kind == Kind::kMatches && (got.size() != 1 || !matches(got[0], line.value)))
      differences.push_back(is + ", expected one that matches " + line.value);
  }
}

void Expectation::compare_extra(const Message& message,
                                std::vector<std::string>& differences) const {
  for (const auto& [name, value] : message.headers) {
    const bool listed = std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
      return !line.trailer && same_ignoring_case(line.name, name);
    });
    if (!listed) differences.push_back("unexpected header " + name + ": " + readable(value));
  }
}

}  // namespace weir::test
