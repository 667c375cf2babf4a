#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/yaml/parse_yaml.h"
#include "config/yaml/yaml_input.h"
#include "config/yaml/yaml_node.h"

namespace weir::config {

// Makes a YamlTree of what yaml-cpp reports, and checks what yaml-cpp does not. Internal to
// parse_yaml.
//
// Duplicate keys are reported and left out. Any other error ends the input; whatever yaml-cpp
// reports afterwards is ignored.
class TreeBuilder final : public YAML::EventHandler {
 public:
  // All of these must outlive the builder.
  TreeBuilder(std::string_view text, const YamlLimits& limits, YamlInput& input, YamlTree& tree,
              std::vector<YamlError>& errors);

  void fail(YamlError error);
  void fail_too_deep(std::size_t offset);
  void fail_too_large(std::size_t offset);
  bool failed() const { return failed_; }
  // The checks for which the end of the text must have been reached.
  void finish();

  // Where the last value that was reported begins, in bytes from the beginning of the text.
  std::size_t last_value() const { return last_value_; }
  std::optional<std::size_t> open_bracket() const;

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override;
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override;

 private:
  // A list or mapping that is not complete.
  struct Open {
    bool is_mapping = false;
    bool is_flow = false;
    YAML::Mark key;          // of the last key of a mapping
    std::size_t offset = 0;  // where it begins
    std::size_t base = 0;    // its first item, key or value in nodes_
    YAML::anchor_t anchor = YAML::NullAnchor;
  };
  struct Anchor {
    YamlNode node;
    bool is_complete = false;
  };

  // tree_builder.cc: events
  bool begin_value(const YAML::Mark& mark);
  void open(const YAML::Mark& mark, std::string_view tag, Open collection);
  void add(const YamlNode& node, YAML::anchor_t anchor);
  bool check_null(const YAML::Mark& mark);
  bool check_indentation(const YAML::Mark& mark);
  bool check_tag(std::string_view tag);
  bool check_quoted(std::size_t open);
  bool count(std::size_t offset, std::uint64_t values);
  bool expects_key() const;
  bool is_written_null(std::size_t offset) const;
  bool find_text(std::size_t offset, std::string_view value, std::string_view& out);
  void syntax_error(std::size_t offset, std::string message, std::string hint);

  // tree_mapping.cc: complete mappings
  std::span<const YamlEntry> take_entries(std::size_t base);
  std::size_t remove_duplicates(std::span<YamlEntry> entries);
  std::span<const YamlEntry> merge(std::span<const YamlEntry> entries, std::size_t merge_at);
  bool merge_from(const YamlNode& from, std::vector<YamlEntry>& entries);
  bool count_aliased(std::size_t offset, const YamlNode& node);

  const std::string_view text_;
  const YamlLimits& limits_;
  YamlInput& input_;
  YamlTree& tree_;
  std::vector<YamlError>& errors_;
  bool failed_ = false;
  int documents_ = 0;
  std::size_t document_offset_ = 0;
  std::size_t last_value_ = 0;
  std::uint64_t values_ = 0;
  std::uint64_t aliased_ = 0;
  std::vector<Open> open_;
  std::vector<YamlNode> nodes_;  // what belongs to the collections that are open
  std::vector<Anchor> anchors_;  // by yaml-cpp's number
  std::unordered_set<std::string_view> keys_;
};

}  // namespace weir::config
