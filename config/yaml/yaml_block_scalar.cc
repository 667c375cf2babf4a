// Block scalars: | (literal) and > (folded), YAML 1.2 section 8.1.
#include <algorithm>
#include <string>

#include "config/yaml/yaml_parser.h"

namespace weir::config {

bool YamlParser::block_scalar(int parent_indent, YamlNode& out) {
  const char* const begin = p_;
  BlockScalarHeader header;
  if (!block_scalar_header(header)) return false;
  skip_newline();
  int indent = std::max(parent_indent, 0) + header.indent;
  if (header.indent == 0 && !block_scalar_indent(parent_indent, indent)) return false;
  out = YamlNode::scalar(offset(begin), copy(block_scalar_text(header, indent)), false);
  return to_next_token();
}

// `|` or `>`, then in any order a chomping and an indentation indicator.
bool YamlParser::block_scalar_header(BlockScalarHeader& header) {
  header.is_folded = *p_++ == '>';
  for (int i = 0; i < 2; ++i) {
    const char c = peek();
    if (c == '+' || c == '-') {
      header.chomp = c == '+' ? Chomp::kKeep : Chomp::kStrip;
      ++p_;
    } else if (c >= '1' && c <= '9') {
      header.indent = c - '0';
      ++p_;
    }
  }
  skip_blanks();
  if (at_comment()) skip_line();
  if (at_line_end()) return true;
  return fail(p_, "the text of a block scalar begins on the next line",
              "quote the value if it begins with '|' or '>'");
}

// The indentation of the first line that is not empty. The cursor stays at the first line.
bool YamlParser::block_scalar_indent(int parent_indent, int& indent) {
  int widest_empty = 0;
  for (const char* at = p_; at != end_; ++at) {
    const char* const line = at;
    while (at != end_ && *at == ' ') ++at;
    const int width = static_cast<int>(at - line);
    const bool is_empty = at == end_ || *at == '\n' || *at == '\r';
    if (is_empty) {
      widest_empty = std::max(widest_empty, width);
      while (at != end_ && *at != '\n') ++at;
      if (at == end_) break;
      continue;
    }
    if (width <= parent_indent) break;
    indent = width;
    if (widest_empty <= width) return true;
    return fail(at, "an empty line above is indented more than the text");
  }
  indent = std::max(parent_indent + 1, widest_empty);
  return true;
}

// Consumes the lines that are indented by at least `indent`, and the empty ones among them.
std::string YamlParser::block_scalar_text(const BlockScalarHeader& header, int indent) {
  std::string out;
  std::size_t breaks = 0;  // line breaks that are not written yet
  bool was_indented = false;
  bool any = false;
  while (!at_end() && !at_document_mark()) {
    const char* text = p_;
    while (text != end_ && *text == ' ' && text - p_ < indent) ++text;
    const char* const newline = std::find(text, end_, '\n');
    const char* const text_end = newline != text && newline[-1] == '\r' ? newline - 1 : newline;
    if (text != text_end) {
      if (text - p_ < indent) break;
      const bool is_indented = *text == ' ' || *text == '\t';
      const bool fold = header.is_folded && any && !is_indented && !was_indented;
      if (fold && breaks == 1) {
        out += ' ';
      } else {
        out.append(fold ? breaks - 1 : breaks, '\n');
      }
      out.append(text, text_end);
      breaks = 0;
      was_indented = is_indented;
      any = true;
    }
    p_ = newline;
    if (at_end()) break;
    skip_newline();
    ++breaks;
  }
  if (header.chomp == Chomp::kKeep) out.append(breaks, '\n');
  if (header.chomp == Chomp::kClip && any && breaks > 0) out += '\n';
  return out;
}

}  // namespace weir::config
