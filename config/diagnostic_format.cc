#include "config/diagnostic_format.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "config/utf8.h"

namespace weir::config {
namespace {

struct Colours {
  std::string_view bold, error, warning, caret, reset;
};

constexpr Colours kPlain{};
constexpr Colours kAnsi{"\x1b[1m", "\x1b[1;31m", "\x1b[1;35m", "\x1b[1;32m", "\x1b[0m"};

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

// Control characters as \xNN, and no byte that is not UTF-8.
std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_sequence_length(text.substr(i));
    if (length == 0 || (length == 1 && is_control(text[i]))) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(text[i]));
      out += escaped;
      ++i;
      continue;
    }
    out += text.substr(i, length);
    i += length;
  }
  return out;
}

void append_location(std::string& out, const Diagnostic& item) {
  if (item.file.empty()) return;
  out += printable(item.file);
  if (item.line > 0) out += ':' + std::to_string(item.line);
  if (item.line > 0 && item.column > 0) out += ':' + std::to_string(item.column);
  out += ": ";
}

// The source line and a caret below the column.
void append_excerpt(std::string& out, const Diagnostic& item, const Colours& colours) {
  if (item.line <= 0 || item.source_line.empty()) return;
  std::string line = item.source_line;
  std::replace(line.begin(), line.end(), '\t', ' ');  // so that the caret stands below its column
  const std::size_t caret = std::min(item.caret, line.size());
  const std::string before = printable(line.substr(0, caret));
  out += "    " + before + printable(line.substr(caret)) + "\n    ";
  out.append(utf8_code_points(before), ' ');
  out += colours.caret;
  out += '^';
  out += colours.reset;
  out += '\n';
}

void append_text(std::string& out, const Diagnostic& item, const Colours& colours) {
  const bool is_error = item.severity == Severity::kError;
  out += colours.bold;
  append_location(out, item);
  out += colours.reset;
  out += is_error ? colours.error : colours.warning;
  out += is_error ? "error: " : "warning: ";
  out += colours.reset;
  if (item.line <= 0 && !item.field_path.empty()) out += printable(item.field_path) + ": ";
  out += printable(item.message);
  out += " [" + std::string(code_name(item.code)) + "]\n";
  append_excerpt(out, item, colours);
  if (!item.hint.empty()) out += "hint: " + printable(item.hint) + '\n';
}

std::size_t omitted_count(const Diagnostics& diagnostics) {
  return diagnostics.error_count() + diagnostics.warning_count() - diagnostics.items().size();
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_sequence_length(text.substr(i));
    const char c = text[i];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (length == 1 && is_control(c)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
      out += escaped;
    } else {
      out += text.substr(i, length);
    }
    i += std::max<std::size_t>(length, 1);
  }
  out += '"';
}

void append_json_member(std::string& out, std::string_view name, std::string_view value) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

void append_json(std::string& out, const Diagnostic& item) {
  out += '{';
  append_json_member(out, "severity", item.severity == Severity::kError ? "error" : "warning");
  out += ',';
  append_json_member(out, "code", code_name(item.code));
  out += ',';
  append_json_member(out, "message", item.message);
  out += ',';
  append_json_member(out, "path", item.field_path);
  out += ',';
  append_json_member(out, "hint", item.hint);
  out += ',';
  append_json_member(out, "file", item.file);
  out += ",\"line\":" + std::to_string(item.line);
  out += ",\"column\":" + std::to_string(item.column) + ',';
  append_json_member(out, "source_line", item.source_line);
  out += '}';
}

}  // namespace

std::string format_text(const Diagnostics& diagnostics, bool colour) {
  std::string out;
  for (const Diagnostic& item : diagnostics.items()) {
    append_text(out, item, colour ? kAnsi : kPlain);
  }
  if (const std::size_t omitted = omitted_count(diagnostics); omitted > 0) {
    out += "and " + std::to_string(omitted) + " more\n";
  }
  return out;
}

std::string format_json(const Diagnostics& diagnostics) {
  std::string out = "{\"errors\":" + std::to_string(diagnostics.error_count());
  out += ",\"warnings\":" + std::to_string(diagnostics.warning_count());
  out += ",\"omitted\":" + std::to_string(omitted_count(diagnostics)) + ",\"diagnostics\":[";
  bool first = true;
  for (const Diagnostic& item : diagnostics.items()) {
    if (!first) out += ',';
    first = false;
    append_json(out, item);
  }
  out += "]}\n";
  return out;
}

}  // namespace weir::config
