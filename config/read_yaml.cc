#include "config/read_yaml.h"

#include <string>
#include <utility>
#include <vector>

#include "config/position.h"
#include "config/utf8.h"

namespace weir::config {
namespace {

bool fail_at(const Source& source, std::size_t offset, Code code, std::string message,
             std::string hint, Diagnostics& diagnostics) {
  Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  if (diagnostics.keeps(diagnostic.severity)) place(diagnostic, source, offset);
  diagnostics.add(std::move(diagnostic));
  return false;
}

Code code_of(YamlError::Kind kind) {
  switch (kind) {
    case YamlError::Kind::kSyntax:
      break;
    case YamlError::Kind::kLimit:
      return Code::kLimit;
    case YamlError::Kind::kDuplicateKey:
      return Code::kDuplicateKey;
  }
  return Code::kSyntax;
}

// YAML 1.2 section 5.1: tab, line feed and carriage return are the only control characters. A
// carriage return counts as a blank here, which is right before a line feed only.
std::size_t find_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != 0x7f) continue;
    if (byte == '\n' || byte == '\t') continue;
    if (byte == '\r' && (i + 1 == text.size() || text[i + 1] == '\n')) continue;
    return i;
  }
  return text.size();
}

bool check_bytes(const Source& source, Diagnostics& diagnostics) {
  const std::string_view text = source.text;
  const std::string_view remedy = "save the file as UTF-8";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return fail_at(source, 0, Code::kEncoding, "the text is UTF-16, not UTF-8", std::string(remedy),
                   diagnostics);
  }
  if (const std::size_t bad = utf8_valid_prefix(text); bad != text.size()) {
    return fail_at(source, bad, Code::kEncoding, "a byte here is not UTF-8", std::string(remedy),
                   diagnostics);
  }
  if (const std::size_t bad = find_control(text); bad != text.size()) {
    return fail_at(source, bad, Code::kEncoding, "a control character is not allowed here",
                   "write it as an escape in a double-quoted string, e.g. \"\\x1b\"", diagnostics);
  }
  return true;
}

}  // namespace

std::unique_ptr<YamlTree> read_yaml(const Source& source, const YamlLimits& limits,
                                    Diagnostics& diagnostics) {
  if (source.text.size() > limits.max_bytes) {
    fail_at(source, 0, Code::kLimit,
            "the text has " + std::to_string(source.text.size()) + " bytes, more than the " +
                std::to_string(limits.max_bytes) + " allowed",
            "", diagnostics);
    return nullptr;
  }
  if (!check_bytes(source, diagnostics)) return nullptr;
  std::vector<YamlError> errors;
  std::unique_ptr<YamlTree> tree = parse_yaml(source.text, limits, errors);
  for (YamlError& error : errors) {
    fail_at(source, error.offset, code_of(error.kind), std::move(error.message),
            std::move(error.hint), diagnostics);
  }
  return tree;
}

}  // namespace weir::config
