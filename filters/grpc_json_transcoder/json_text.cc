#include "filters/grpc_json_transcoder/json_text.h"

#include "filters/common/base64.h"
#include "proxy/http/escape.h"

namespace weir::filters::transcoder {

void JsonText::new_line() {
  if (!spaced_) return;
  out_ += '\n';
  out_.append(depth_, ' ');
}

void JsonText::next() {
  if (!first_) out_ += ',';
  first_ = false;
  new_line();
}

void JsonText::start(char bracket) {
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void JsonText::end(char bracket) {
  --depth_;
  if (!first_) new_line();
  first_ = false;
  out_ += bracket;
}

void JsonText::key(std::string_view name) {
  next();
  http::append_json_string(name, out_);
  out_ += spaced_ ? ": " : ":";
}

void JsonText::string(std::string_view text) {
  http::append_json_string(text, out_);
}

void JsonText::base64(std::string_view bytes) {
  out_ += '"';
  common::append_base64(bytes, out_);
  out_ += '"';
}

void JsonText::finish() {
  if (spaced_) out_ += '\n';
}

}  // namespace weir::filters::transcoder
