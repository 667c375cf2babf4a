#include "filters/grpc_json_transcoder/http_template.h"

#include <utility>

namespace weir::filters::transcoder {
namespace {

// One pass over the text. Each step says whether it went well; the error says why not.
class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<HttpTemplate> run() {
    if (!take('/')) {
      fail("a path begins with '/'");
    } else if (at_ < text_.size()) {
      const bool segments = peek() == ':' || parse_segments(/*in_variable=*/false);
      if (segments && take(':') && parse_literal(out_.verb, "a verb")) end();
      if (segments && error_.empty()) end();
    }
    if (!error_.empty()) return Error{"invalid-template", error_};
    return std::move(out_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  bool fail(std::string_view what) {
    if (!error_.empty()) return false;
    error_ = "at character " + std::to_string(at_ + 1) + ": " + std::string(what);
    return false;
  }
  void end() {
    if (at_ < text_.size()) fail("'" + std::string(1, peek()) + "' has no meaning here");
  }

  bool parse_segments(bool in_variable) {
    do {
      if (!parse_segment(in_variable)) return false;
    } while (take('/'));
    return true;
  }

  bool parse_segment(bool in_variable) {
    if (peek() == '{') return parse_variable(in_variable);
    PathSegment segment;
    if (take('*')) {
      segment.kind = take('*') ? PathSegment::Kind::kMany : PathSegment::Kind::kOne;
    } else if (!parse_literal(segment.text, "a segment")) {
      return false;
    }
    return add(std::move(segment));
  }

  bool add(PathSegment segment) {
    if (segment.kind != PathSegment::Kind::kLiteral && out_.many_at != HttpTemplate::kNone)
      return fail("only literals may follow '**'");
    if (segment.kind == PathSegment::Kind::kMany) out_.many_at = out_.segments.size();
    out_.segments.push_back(std::move(segment));
    return true;
  }

  bool parse_variable(bool in_variable) {
    if (in_variable) return fail("a variable cannot stand in another one");
    take('{');
    PathVariable variable;
    variable.first = out_.segments.size();
    do {
      if (!parse_literal(variable.field.emplace_back(), "a field's name")) return false;
    } while (take('.'));
    const bool parsed =
        take('=') ? parse_segments(/*in_variable=*/true) : add({.kind = PathSegment::Kind::kOne});
    if (!parsed) return false;
    if (!take('}')) return fail("a '}' is missing");
    variable.count = out_.segments.size() - variable.first;
    out_.variables.push_back(std::move(variable));
    return true;
  }

  bool parse_literal(std::string& out, std::string_view what) {
    const bool is_field = what == "a field's name";
    const std::string_view ends = is_field ? "/{}*=:." : "/{}*=:";
    const size_t length = std::min(text_.find_first_of(ends, at_), text_.size()) - at_;
    out = text_.substr(at_, length);
    at_ += length;
    return length > 0 || fail(std::string(what) + " is missing");
  }

  std::string_view text_;
  size_t at_ = 0;
  HttpTemplate out_;
  std::string error_;
};

}  // namespace

bool HttpTemplate::takes_several(const PathVariable& variable) const {
  const bool has_many =
      many_at != kNone && many_at >= variable.first && many_at < variable.first + variable.count;
  return has_many || variable.count > 1;
}

Result<HttpTemplate> parse_http_template(std::string_view text) {
  return TemplateParser(text).run();
}

}  // namespace weir::filters::transcoder
