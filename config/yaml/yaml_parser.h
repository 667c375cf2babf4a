#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/yaml/parse_yaml.h"
#include "config/yaml/yaml_node.h"

namespace weir::config {

// A recursive-descent parser of one YAML document. Internal to parse_yaml; use that.
//
// Every parsing function leaves the cursor behind what it consumed and returns false after an
// error, which is then reported. The first syntax error ends the parse; duplicate keys do not.
//
// After a value, the cursor is either right behind it on its line, or at the next token, which is
// the first on a later line: `fresh_` tells the two apart.
class YamlParser {
 public:
  YamlParser(std::string_view text, const YamlLimits& limits, YamlTree& tree,
             std::vector<YamlError>& errors);

  // Parses the document into the tree.
  bool parse();

 private:
  // An anchor and a tag in front of a node.
  struct Properties {
    std::string_view anchor;
    std::string_view tag;
    const char* begin = nullptr;  // null when there are none
  };

  struct Anchor {
    const char* begin = nullptr;
    YamlNode node;
  };

  // What encloses a block node: decides where it may begin and end.
  struct BlockContext {
    int indent = -1;            // column of the enclosing collection
    bool is_map_value = false;  // a list may then stand at the same column as its key
    bool is_text = false;       // tagged as a string: a plain `null` is text
  };

  // yaml_parser.cc: the document and block collections
  bool document();
  bool directives();
  bool document_end();
  bool block_node(BlockContext context, YamlNode& out);
  bool block_node_inner(BlockContext context, YamlNode& out);
  bool properties_of_block(BlockContext context, Properties& outer, Properties& inner,
                           bool& same_line, bool& absent);
  bool block_content(BlockContext context, const Properties& inner, bool same_line, YamlNode& out);
  bool block_scalar_or_mapping(BlockContext context, const Properties& inner, bool same_line,
                               YamlNode& out);
  bool mapping(int column, const char* begin, YamlNode key, YamlNode& out);
  bool mapping_entry(int column, const YamlNode& key);
  bool mapping_key(YamlNode& key);
  bool sequence(int column, YamlNode& out);
  bool next_entry(int column, bool& more);
  bool belongs(BlockContext context) const;
  bool begins_list_item() const;

  // yaml_flow.cc: flow collections
  bool flow_node(YamlNode& out);
  bool flow_node_inner(YamlNode& out);
  bool flow_sequence(YamlNode& out);
  bool flow_sequence_item(YamlNode& out);
  bool flow_mapping(YamlNode& out);
  bool flow_mapping_entry();
  bool flow_value(YamlNode& out);
  bool flow_separator(char close, bool& more);
  bool skip_flow_space();

  // yaml_scalar.cc: scalars
  bool plain_starts(bool in_flow) const;
  bool fail_to_start();
  std::string_view plain_line(bool in_flow);
  YamlNode plain_node(const char* begin, std::string_view text, bool is_text) const;
  bool plain_block(BlockContext context, const char* begin, std::string_view first, YamlNode& out);
  bool plain_flow(const Properties& properties, YamlNode& out);
  std::size_t next_plain_line(int indent);
  std::size_t next_plain_line_in_flow();
  std::size_t skip_line_breaks();
  bool quoted(YamlNode& out);
  bool quoted_on_one_line(char quote, YamlNode& out);
  bool quoted_escape(std::string& out);
  bool quoted_fold(std::string& out, std::size_t keep, std::size_t newlines_to_drop);
  bool unicode_escape(int digits, std::string& out);
  bool hex_digits(int digits, std::uint32_t& out);

  // yaml_block_scalar.cc: | and >
  enum class Chomp { kClip, kStrip, kKeep };
  struct BlockScalarHeader {
    bool is_folded = false;
    Chomp chomp = Chomp::kClip;
    int indent = 0;  // 0: that of the first line
  };
  bool block_scalar(int parent_indent, YamlNode& out);
  bool block_scalar_header(BlockScalarHeader& header);
  bool block_scalar_indent(int parent_indent, int& indent);
  std::string block_scalar_text(const BlockScalarHeader& header, int indent);

  // yaml_compose.cc: finished nodes
  bool properties(Properties& out);
  static bool is_text_tag(const Properties& properties);
  bool finish(const Properties& properties, YamlNode& node);
  bool alias(YamlNode& out);
  bool count_aliased(const char* at, const YamlNode& node);
  void close_sequence(std::size_t base, const char* begin, YamlNode& out);
  bool close_mapping(std::size_t base, const char* begin, YamlNode& out);
  bool apply_merge_keys(std::size_t base);
  bool merge_into(const YamlNode& from);
  void report_duplicates(std::size_t base);
  std::string_view copy(std::string_view text);

  // yaml_parser.cc: the cursor
  std::size_t offset(const char* at) const { return static_cast<std::size_t>(at - begin_); }
  int column() const { return static_cast<int>(p_ - line_); }
  char peek(std::size_t ahead = 0) const {
    return static_cast<std::size_t>(end_ - p_) > ahead ? p_[ahead] : '\0';
  }
  bool at_end() const { return p_ == end_; }
  bool at_line_end() const { return p_ == end_ || *p_ == '\n'; }
  bool at_comment() const;
  bool at_document_mark() const;
  bool blank_follows(std::size_t ahead) const;
  void skip_blanks();
  void skip_line();
  void skip_newline();
  bool to_next_token();
  bool end_of_node();
  bool fail(const char* at, std::string message, std::string hint = {},
            YamlError::Kind kind = YamlError::Kind::kSyntax);

  const YamlLimits& limits_;
  YamlTree& tree_;
  std::vector<YamlError>& errors_;
  const char* const begin_;
  const char* const end_;
  const char* p_;
  const char* line_;                 // beginning of the line that p_ is on
  const char* fresh_ = nullptr;      // the token that to_next_token found, first on its line
  const char* flow_open_ = nullptr;  // the innermost open bracket
  bool done_ = false;                // the document is over
  int depth_ = 0;
  std::uint64_t aliased_nodes_ = 0;
  std::vector<YamlNode> nodes_;     // items of the sequences that are open
  std::vector<YamlEntry> entries_;  // entries of the mappings that are open
  std::unordered_map<std::string_view, Anchor> anchors_;
  std::unordered_set<std::string_view> keys_;
};

}  // namespace weir::config
