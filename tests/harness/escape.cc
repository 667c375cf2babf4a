#include "tests/harness/escape.h"

#include <charconv>
#include <cstdint>

namespace weir::test {
namespace {

// Reads escapes one by one from a text.
class Unescaper {
 public:
  Unescaper(std::string_view text, std::string& error) : rest_(text), error_(error) {}

  std::string run() {
    std::string out;
    while (!rest_.empty() && error_.empty()) {
      if (rest_.front() != '\\') {
        out += rest_.front();
        rest_.remove_prefix(1);
      } else {
        rest_.remove_prefix(1);
        append_escape(out);
      }
    }
    return out;
  }

 private:
  void append_escape(std::string& out) {
    const char kind = rest_.empty() ? '\0' : rest_.front();
    if (!rest_.empty()) rest_.remove_prefix(1);
    switch (kind) {
      case 'r':
        out += '\r';
        return;
      case 'n':
        out += '\n';
        return;
      case 't':
        out += '\t';
        return;
      case '0':
        out += '\0';
        return;
      case '\\':
        out += '\\';
        return;
      case 'x':
        append_byte(out);
        return;
      case '(':
        append_repetition(out);
        return;
      default:
        error_ = "unknown escape: use \\r \\n \\t \\0 \\\\ \\xNN or \\(TEXT*COUNT)";
    }
  }

  void append_byte(std::string& out) {
    uint8_t byte = 0;
    const char* digits = rest_.data();
    const size_t count = rest_.size() < 2 ? rest_.size() : 2;
    if (std::from_chars(digits, digits + count, byte, 16).ptr != digits + 2) {
      error_ = "\\x wants two hexadecimal digits";
      return;
    }
    out += static_cast<char>(byte);
    rest_.remove_prefix(2);
  }

  void append_repetition(std::string& out) {
    const size_t star = rest_.find('*');
    const size_t end = rest_.find(')', star == std::string_view::npos ? 0 : star);
    size_t count = 0;
    if (star == std::string_view::npos || end == std::string_view::npos ||
        std::from_chars(rest_.data() + star + 1, rest_.data() + end, count).ptr !=
            rest_.data() + end) {
      error_ = "a repetition is written \\(TEXT*COUNT)";
      return;
    }
    const std::string text = Unescaper(rest_.substr(0, star), error_).run();
    for (size_t i = 0; i < count; ++i) {
      std::string piece = text;  // '#' counts the repetitions, for headers that differ
      if (const size_t at = piece.find('#'); at != std::string::npos)
        piece.replace(at, 1, std::to_string(i));
      out += piece;
    }
    rest_.remove_prefix(end + 1);
  }

  std::string_view rest_;
  std::string& error_;
};

}  // namespace

std::string unescape(std::string_view text, std::string& error) {
  return Unescaper(text, error).run();
}

std::string readable(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes.substr(0, 4096)) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out += c;
    }
  }
  if (bytes.size() > 4096) out += "... (" + std::to_string(bytes.size()) + " bytes)";
  return out;
}

}  // namespace weir::test
