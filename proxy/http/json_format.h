#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/formatter.h"

namespace google::protobuf {
class Struct;
}

namespace weir::http {

// A JSON object whose texts are substitution formats, compiled from a google.protobuf.Struct.
// Keys are written in alphabetical order. A text that is exactly one command keeps its type: a
// number stays a number and a missing value is null. Immutable: any thread.
class JsonFormat {
 public:
  // With `omit_empty` a member whose value is missing is left out, and within a longer text a
  // missing value is written as nothing instead of "-". Nothing on an error, which is then in
  // `diagnostics`.
  static std::optional<JsonFormat> compile(const google::protobuf::Struct& object, bool omit_empty,
                                           const config::FieldPath& path,
                                           config::Diagnostics& diagnostics);

  JsonFormat(JsonFormat&&) noexcept;
  JsonFormat& operator=(JsonFormat&&) noexcept;
  ~JsonFormat();

  // Appends the object on one line, without a line break after it. Whatever the values hold, it is
  // valid JSON in valid UTF-8.
  void append(const FormatInput& input, std::string& out) const;

 private:
  struct Node;  // json_format.cc
  class Compiler;
  class Writer;

  JsonFormat(std::unique_ptr<const Node> root, bool omit_empty);

  std::unique_ptr<const Node> root_;
  bool omit_empty_;
};

// Reports an error of Format::compile.
void report_format_error(const Error& error, const config::FieldPath& path,
                         config::Diagnostics& diagnostics);

}  // namespace weir::http
