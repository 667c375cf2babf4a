#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::filters::transcoder {

// Writes the punctuation of JSON: commas, and line breaks where they are wanted.
class JsonText {
 public:
  JsonText(std::string& out, bool with_whitespace) : out_(out), spaced_(with_whitespace) {}

  void start(char bracket);  // '{' or '['
  void end(char bracket);    // '}' or ']'
  void key(std::string_view name);
  // Before each element of an array.
  void element() { next(); }
  // A value whose text is ready: a number, true, false, null.
  void raw(std::string_view text) { out_ += text; }
  void string(std::string_view text);
  void base64(std::string_view bytes);
  // The whole text is written.
  void finish();

 private:
  void next();
  void new_line();

  std::string& out_;
  bool spaced_;
  bool first_ = true;  // nothing stands behind the bracket that was opened last
  size_t depth_ = 0;
};

}  // namespace weir::filters::transcoder
