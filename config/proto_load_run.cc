#include "config/proto_load_run.h"

#include <utility>

#include "config/position.h"
#include "config/utf8.h"

namespace weir::config {
namespace {

// A value as an error shows it: its text, cut short, or what kind it is.
std::string shown(const YamlNode& node) {
  constexpr std::size_t kMaxShown = 60;
  switch (node.kind()) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a mapping";
    case YamlNode::Kind::kScalar:
      break;
  }
  const std::string_view text = node.text();
  if (text.size() <= kMaxShown) return "'" + std::string(text) + "'";
  std::size_t end = kMaxShown;
  while (utf8_is_continuation(text[end])) --end;
  return "'" + std::string(text.substr(0, end)) + "...'";
}

}  // namespace

bool ProtoLoader::Run::Given::add(int index) {
  const auto at = static_cast<std::size_t>(index);
  if (at / 64 >= bits_.size()) return true;  // no message of the API has that many fields
  const std::uint64_t bit = std::uint64_t{1} << (at % 64);
  const bool is_new = (bits_[at / 64] & bit) == 0;
  bits_[at / 64] |= bit;
  return is_new;
}

void ProtoLoader::Run::error(Code code, const YamlNode& node, const FieldPath& path,
                             std::string message, std::string hint) {
  report(Severity::kError, code, node, path, std::move(message), std::move(hint));
}

void ProtoLoader::Run::report(Severity severity, Code code, const YamlNode& node,
                              const FieldPath& path, std::string message, std::string hint) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.code = code;
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  diagnostic.field_path = path.str();
  if (diagnostics_.keeps(severity)) place(diagnostic, source_, node.offset());
  diagnostics_.add(std::move(diagnostic));
}

void ProtoLoader::Run::wrong_type(const YamlNode& node, const FieldPath& path,
                                  std::string_view expected, std::string hint) {
  error(Code::kWrongType, node, path, "expected " + std::string(expected) + ", got " + shown(node),
        std::move(hint));
}

}  // namespace weir::config
