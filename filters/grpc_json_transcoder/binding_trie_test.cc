#include "filters/grpc_json_transcoder/binding_trie.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace weir::filters::transcoder {
namespace {

class BindingTrieTest : public ::testing::Test {
 protected:
  // "GET /a/{b}:verb"; the rule's number is its place in the list.
  uint32_t add(std::string_view rule) {
    const size_t space = rule.find(' ');
    const auto path = parse_http_template(rule.substr(space + 1));
    EXPECT_TRUE(path.ok()) << rule;
    return trie_.add(*path, rule.substr(0, space), next_++);
  }
  int find(std::string_view method, const std::vector<std::string_view>& segments,
           std::string_view verb = {}) const {
    return static_cast<int>(trie_.find(method, segments, verb));
  }

  BindingTrie trie_;
  uint32_t next_ = 0;
};

TEST_F(BindingTrieTest, TheMoreSpecificRuleWins) {
  for (const char* rule : {"GET /a/**", "GET /a/*", "GET /a/b", "GET /a/*/c", "* /a/b",
                           "GET /a/*:stop", "GET /a/**/end", "GET /"})
    EXPECT_EQ(add(rule), BindingTrie::kNone) << rule;
  EXPECT_EQ(find("GET", {"a", "b"}), 2);
  EXPECT_EQ(find("GET", {"a", "x"}), 1);
  EXPECT_EQ(find("GET", {"a", "b", "c"}), 3);
  EXPECT_EQ(find("GET", {"a", "b", "x"}), 0);
  EXPECT_EQ(find("GET", {"a"}), 0);
  EXPECT_EQ(find("PUT", {"a", "b"}), 4);
  EXPECT_EQ(find("PUT", {"a", "x"}), -1);
  EXPECT_EQ(find("GET", {"a", "b"}, "stop"), 5);
  EXPECT_EQ(find("GET", {"a", "b"}, "go"), -1);
  EXPECT_EQ(find("GET", {"a", "1", "2", "end"}), 6);
  EXPECT_EQ(find("GET", {"a", "end", "2"}), 0);
  EXPECT_EQ(find("GET", {}), 7);
  EXPECT_EQ(find("GET", {"b"}), -1);
}

TEST_F(BindingTrieTest, AStarTakesNoEmptySegment) {
  add("GET /a/*/b");
  EXPECT_EQ(find("GET", {"a", "", "b"}), -1);
}

TEST_F(BindingTrieTest, TellsWhatIsThereAlready) {
  EXPECT_EQ(add("GET /a/{x}"), BindingTrie::kNone);
  EXPECT_EQ(add("GET /a/{y}"), 0u);
  EXPECT_EQ(add("PUT /a/{y}"), BindingTrie::kNone);
  EXPECT_EQ(add("GET /a/{y}:go"), BindingTrie::kNone);
}

// Look-ups do not get slower with the number of rules, nor with what a path repeats.
TEST_F(BindingTrieTest, ManyRulesAndHostilePaths) {
  for (int i = 0; i < 5000; ++i) add("GET /v1/things" + std::to_string(i) + "/{id}");
  add("GET /v1/**/a/b/c");
  std::vector<std::string_view> path = {"v1"};
  for (int i = 0; i < 20'000; ++i) path.push_back(i % 2 == 0 ? "a" : "b");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(find("GET", path), -1);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(find("GET", {"v1", "things4711", "x"}), 4711);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace weir::filters::transcoder
