// Compares the parser with yaml-cpp, an independent one, on texts that are put together at random.
#include <gtest/gtest.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "config/yaml/parse_yaml.h"

namespace weir::config {
namespace {

void append_scalar(std::string& out, bool is_plain, std::string_view text) {
  out += is_plain ? 'p' : 'q';
  out += std::to_string(text.size()) + ':' + std::string(text) + '\n';
}

// Writes the events of yaml-cpp as text, with aliases followed.
class EventText : public YAML::EventHandler {
 public:
  std::string out;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override {
    begin(anchor);
    out += "~\n";
    end();
  }
  void OnAlias(const YAML::Mark&, YAML::anchor_t anchor) override {
    const auto [from, to] = anchors_[anchor];
    out += out.substr(from, to - from);
  }
  void OnScalar(const YAML::Mark&, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    begin(anchor);
    append_scalar(out, tag == "?" || tag.empty(), value);
    end();
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(anchor);
    out += "[\n";
  }
  void OnSequenceEnd() override {
    out += "]\n";
    end();
  }
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(anchor);
    out += "{\n";
  }
  void OnMapEnd() override {
    out += "}\n";
    end();
  }

 private:
  void begin(YAML::anchor_t anchor) { open_.emplace_back(anchor, out.size()); }
  void end() {
    const auto [anchor, from] = open_.back();
    open_.pop_back();
    anchors_[anchor] = {from, out.size()};
  }

  std::vector<std::pair<YAML::anchor_t, std::size_t>> open_;
  std::map<YAML::anchor_t, std::pair<std::size_t, std::size_t>> anchors_;
};

// Empty if yaml-cpp refuses the text.
std::string oracle(const std::string& text) {
  EventText events;
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(events)) return "~\n";
    const std::string first = events.out;
    if (parser.HandleNextDocument(events)) return {};
    return first;
  } catch (const YAML::Exception&) {
    return {};
  }
}

void append(std::string& out, const YamlNode& node) {
  switch (node.kind()) {
    case YamlNode::Kind::kNull:
      out += "~\n";
      return;
    case YamlNode::Kind::kScalar:
      return append_scalar(out, node.is_plain(), node.text());
    case YamlNode::Kind::kSequence:
      out += "[\n";
      for (const YamlNode& item : node.items()) append(out, item);
      out += "]\n";
      return;
    case YamlNode::Kind::kMapping:
      out += "{\n";
      for (const YamlEntry& entry : node.entries()) {
        append(out, entry.key);
        append(out, entry.value);
      }
      out += "}\n";
  }
}

// Empty if our parser refuses the text.
std::string ours(const std::string& text) {
  std::vector<YamlError> errors;
  const auto tree = parse_yaml(text, {}, errors);
  if (tree == nullptr || !errors.empty()) return {};
  std::string out;
  append(out, tree->root());
  return out;
}

const std::vector<std::string> kSeeds = {
    "a: 1\nb: [x, y, {c: d}]\n",
    "a:\n  - b: 1\n    c: 2\n  -\n    - x\n  - - p\n    - q\nd: |\n  l\n    m\n\n  n\ng: 'it''s'\n",
    "e: >-\n  folded\n  text\n\n  para\n    more\n  end\nf: \"dq \\n \\u00e9 \\\n   cont\"\n",
    "- &a {x: 1, y: 2}\n- *a\n- k: &b\n    z: 1\n  m: *b\n",
    "# comment\nkey: value # trailing\nurl: http://foo:80/bar#frag\n\"q k\": v\nempty:\nnul: ~\n",
    "{\"json\": [1, 2.5, true, null, \"s\\\"x\"], \"o\": {\"k\":\"v\",\"e\":{},\"l\":[]}}\n",
    "---\ntop: !!str 12\nx: ! y\n...\n",
    "a: plain text\n  continued\n\n  here\nb: [plain\n  multi, \"q\n  q\"]\n",
    "k: |+\n  keep\n\nj: |-\n  strip\n\nl: |2\n   two\nm: >\n  a\n  b\n\n\n  c\n   d\n  f\n",
    "- a\n-\n- b:\n  c:\n   - x\n  d: [ ]\n- [a: b, c]\n- {a, b: c, \"d\":e}\n",
    "x: -1\ny: -a\nz: :b\nw: a:b\nv: [-1, -a, a:b, \"c\":d]\n",
};

const std::vector<std::string> kTokens = {
    " ", "  ", "\n",  "\n  ", "- ", ": ",  ":", "#",    " #",  "'",      "\"",    "[", "]", "{",
    "}", ", ", "|\n", "> ",   "a",  "b c", "~", "null", "\\n", "!!str ", "---\n", "1", "\t"};

std::string mutate(std::mt19937& random) {
  const auto below = [&random](std::size_t n) { return random() % std::max<std::size_t>(n, 1); };
  std::string text = kSeeds[below(kSeeds.size())];
  for (std::size_t i = 1 + below(3); i > 0; --i) {
    const std::size_t at = below(text.size());
    switch (below(3)) {
      case 0:
        text.insert(at, kTokens[below(kTokens.size())]);
        break;
      case 1:
        text.erase(at, 1 + below(3));
        break;
      default: {
        const std::string& other = kSeeds[below(kSeeds.size())];
        text = text.substr(0, at) + other.substr(below(other.size()));
      }
    }
  }
  return text;
}

// yaml-cpp 0.7 strays from YAML 1.2 in these: the last of several line breaks before a closing
// quote is lost, a comment may end an empty block scalar of the root, a key may be null.
bool is_known_difference(const std::string& text) {
  return text.find('"') != std::string::npos || text.find('\'') != std::string::npos ||
         text.starts_with('|') || text.starts_with('>') || text.find('~') != std::string::npos ||
         text.find("null") != std::string::npos;
}

TEST(YamlOracle, AgreesOnTheSeeds) {
  for (const std::string& seed : kSeeds) {
    const std::string expected = oracle(seed);
    EXPECT_FALSE(expected.empty()) << seed;
    EXPECT_EQ(ours(seed), expected) << seed;
  }
}

TEST(YamlOracle, AgreesOnRandomTextsThatBothAccept) {
  std::mt19937 random(20260101);
  int compared = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutate(random);
    const std::string expected = oracle(text);
    const std::string actual = ours(text);
    if (expected.empty() || actual.empty()) continue;
    ++compared;
    if (expected != actual && is_known_difference(text)) continue;
    ASSERT_EQ(actual, expected) << "of this text:\n" << text;
  }
  EXPECT_GT(compared, 3'000);
}

}  // namespace
}  // namespace weir::config
