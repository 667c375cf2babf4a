#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/field_path.h"

namespace weir::config {

enum class Severity { kError, kWarning };

// What kind of problem a diagnostic reports. The names that `code_name` gives are printed in
// brackets and in the JSON output; tools match on them, so they never change.
enum class Code {
  kIo,                // io: a file cannot be read
  kSyntax,            // syntax: not YAML or JSON
  kEncoding,          // encoding: not UTF-8
  kLimit,             // limit: too deep, too large, too many aliases
  kDuplicateKey,      // duplicate-key: a key is given twice
  kUnknownField,      // unknown-field: the message has no such field
  kWrongType,         // wrong-type: e.g. a mapping where a number belongs
  kInvalidValue,      // invalid-value: right type, but not a value of it
  kOutOfRange,        // out-of-range: a number that its field cannot hold
  kUnknownValue,      // unknown-value: no such enum value
  kOneofConflict,     // oneof-conflict: two fields of which only one may be set
  kConstraint,        // constraint: a rule of the API's own validation is broken
  kUnknownExtension,  // unknown-extension: no extension has this type URL
  kNotSupported,      // not-supported: Envoy has it, Weir does not yet
  kReference,         // reference: a name that refers to nothing
  kSemantic,          // semantic: each part is valid, together they make no sense
};

std::string_view code_name(Code code);

// One problem in a configuration. Lines and columns count from 1, columns in bytes; 0 is unknown.
struct Diagnostic {
  Severity severity = Severity::kError;
  Code code = Code::kSemantic;
  std::string message;
  std::string field_path;
  std::string hint;
  std::string file;
  int line = 0;
  int column = 0;
  std::string source_line;  // of a very long line, the part around the column
  std::size_t caret = 0;    // bytes of `source_line` before the column
};

// A text that was loaded: kept with its diagnostics, so that positions can be found when needed.
struct Source {
  std::string file;  // as shown to people
  std::string text;
};

// Collects every problem of one load, up to a bound. Not thread-safe: one load, one collector.
//
// Whoever reads a text adds it as a source. Checks that know only a proto field path report that;
// `resolve_positions` (config/position.h) finds the line and column later, and only if there is
// something to report.
class Diagnostics {
 public:
  static constexpr std::size_t kMaxKept = 200;

  // `hint` is a whole remark, e.g. "did you mean 'prefix'?"; it may be empty.
  void error(Code code, std::string path, std::string message, std::string hint = {});
  void error(Code code, const FieldPath& path, std::string message, std::string hint = {});
  void warning(Code code, std::string path, std::string message, std::string hint = {});
  void warning(Code code, const FieldPath& path, std::string message, std::string hint = {});
  void add(Diagnostic diagnostic);
  // Whether one more of this severity would be kept; else it need not be placed or explained.
  bool keeps(Severity severity) const;

  // The source stays where it is for as long as this object lives.
  const Source& add_source(std::string file, std::string text);
  const std::deque<Source>& sources() const { return sources_; }

  // Notes the bytes of a file that is part of what is compiled: where they are others, so is the
  // outcome, although the message that names the file is the same.
  void note_content(std::string_view bytes);
  // A hash of what was noted since the last call.
  std::uint64_t take_content_hash() { return std::exchange(content_hash_, 0); }

  bool has_errors() const { return error_count_ != 0; }
  std::size_t error_count() const { return error_count_; }
  std::size_t warning_count() const { return warning_count_; }
  // Whether something at `path` or below it could not be loaded. Checks of what was loaded use this
  // to stay silent about what merely follows from that.
  bool has_load_error_under(std::string_view path) const;
  // Whether the field's absence from the message at `owner` follows from an error: it could not be
  // loaded, or an unknown field beside it was likely meant to be it.
  bool explains_absence(std::string_view owner, std::string_view field) const;

  std::span<const Diagnostic> items() const { return items_; }
  std::span<Diagnostic> mutable_items() { return items_; }
  void sort_by_position();
  // Of problems that were found once for each alias of one text, the first stays. Their positions
  // are known.
  void drop_repeats();

 private:
  void report(Severity severity, Code code, std::string path, std::string message,
              std::string hint);
  std::vector<Diagnostic>::reverse_iterator last_warning();

  std::vector<Diagnostic> items_;
  std::deque<Source> sources_;
  std::size_t error_count_ = 0;
  std::size_t warning_count_ = 0;
  std::uint64_t content_hash_ = 0;
};

}  // namespace weir::config
