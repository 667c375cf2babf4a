#include "config/diagnostic.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "proxy/base/hash.h"

namespace weir::config {
namespace {

// Not what a check found in a message that was loaded.
bool is_load_error(const Diagnostic& item) {
  return item.severity == Severity::kError && item.code != Code::kConstraint &&
         item.code != Code::kNotSupported;
}

// `clusters[0].name` and `clusters[1].name`: the same field, of what may be one text.
std::string_view last_field(std::string_view path) {
  while (path.ends_with(']') && path.find('[') != std::string_view::npos)
    path = path.substr(0, path.rfind('['));
  return path.substr(path.rfind('.') + 1);
}

bool same_problem(const Diagnostic& a, const Diagnostic& b) {
  const auto place = [](const Diagnostic& item) {
    return std::tie(item.severity, item.code, item.line, item.column, item.file, item.message);
  };
  return place(a) == place(b) && last_field(a.field_path) == last_field(b.field_path);
}

}  // namespace

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kIo:
      return "io";
    case Code::kSyntax:
      return "syntax";
    case Code::kEncoding:
      return "encoding";
    case Code::kLimit:
      return "limit";
    case Code::kDuplicateKey:
      return "duplicate-key";
    case Code::kUnknownField:
      return "unknown-field";
    case Code::kWrongType:
      return "wrong-type";
    case Code::kInvalidValue:
      return "invalid-value";
    case Code::kOutOfRange:
      return "out-of-range";
    case Code::kUnknownValue:
      return "unknown-value";
    case Code::kOneofConflict:
      return "oneof-conflict";
    case Code::kConstraint:
      return "constraint";
    case Code::kUnknownExtension:
      return "unknown-extension";
    case Code::kNotSupported:
      return "not-supported";
    case Code::kReference:
      return "reference";
    case Code::kSemantic:
      return "semantic";
  }
  return "semantic";
}

void Diagnostics::error(Code code, std::string path, std::string message, std::string hint) {
  report(Severity::kError, code, std::move(path), std::move(message), std::move(hint));
}

void Diagnostics::error(Code code, const FieldPath& path, std::string message, std::string hint) {
  report(Severity::kError, code, path.str(), std::move(message), std::move(hint));
}

void Diagnostics::warning(Code code, std::string path, std::string message, std::string hint) {
  report(Severity::kWarning, code, std::move(path), std::move(message), std::move(hint));
}

void Diagnostics::warning(Code code, const FieldPath& path, std::string message, std::string hint) {
  report(Severity::kWarning, code, path.str(), std::move(message), std::move(hint));
}

void Diagnostics::report(Severity severity, Code code, std::string path, std::string message,
                         std::string hint) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.code = code;
  diagnostic.message = std::move(message);
  diagnostic.field_path = std::move(path);
  diagnostic.hint = std::move(hint);
  add(std::move(diagnostic));
}

void Diagnostics::add(Diagnostic diagnostic) {
  ++(diagnostic.severity == Severity::kError ? error_count_ : warning_count_);
  if (items_.size() < kMaxKept) {
    items_.push_back(std::move(diagnostic));
  } else if (diagnostic.severity == Severity::kError) {
    const auto warning = last_warning();
    if (warning == items_.rend()) return;
    items_.erase(std::next(warning).base());
    items_.push_back(std::move(diagnostic));
  }
}

bool Diagnostics::keeps(Severity severity) const {
  if (items_.size() < kMaxKept) return true;
  return severity == Severity::kError && error_count_ < kMaxKept;
}

// Of those that are kept.
std::vector<Diagnostic>::reverse_iterator Diagnostics::last_warning() {
  return std::find_if(items_.rbegin(), items_.rend(),
                      [](const Diagnostic& item) { return item.severity == Severity::kWarning; });
}

const Source& Diagnostics::add_source(std::string file, std::string text) {
  return sources_.emplace_back(Source{std::move(file), std::move(text)});
}

void Diagnostics::note_content(std::string_view bytes) {
  content_hash_ = xxhash64(bytes, content_hash_);
}

bool Diagnostics::has_load_error_under(std::string_view path) const {
  return std::any_of(items_.begin(), items_.end(), [path](const Diagnostic& item) {
    const std::string_view at = item.field_path;
    if (!is_load_error(item) || !at.starts_with(path)) return false;
    return path.empty() || at.size() == path.size() || at[path.size()] == '.' ||
           at[path.size()] == '[';
  });
}

bool Diagnostics::explains_absence(std::string_view owner, std::string_view field) const {
  const std::string prefix = owner.empty() ? std::string() : std::string(owner) + '.';
  if (has_load_error_under(prefix + std::string(field))) return true;
  const std::string quoted = "'" + std::string(field) + "'";
  return std::any_of(items_.begin(), items_.end(), [&](const Diagnostic& item) {
    return item.code == Code::kUnknownField && item.field_path.starts_with(prefix) &&
           item.field_path.find('.', prefix.size()) == std::string::npos &&
           item.hint.find(quoted) != std::string::npos;
  });
}

void Diagnostics::drop_repeats() {
  std::vector<Diagnostic> kept;
  for (Diagnostic& item : items_) {
    const bool repeats = item.line != 0 && std::any_of(kept.begin(), kept.end(), [&](auto& other) {
                           return same_problem(item, other);
                         });
    if (repeats)
      --(item.severity == Severity::kError ? error_count_ : warning_count_);
    else
      kept.push_back(std::move(item));
  }
  items_ = std::move(kept);
}

void Diagnostics::sort_by_position() {
  std::stable_sort(items_.begin(), items_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
}

}  // namespace weir::config
