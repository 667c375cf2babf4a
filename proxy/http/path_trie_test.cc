#include "proxy/http/path_trie.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::http {
namespace {

using Found = std::vector<std::pair<uint32_t, size_t>>;

Found walk(const PathTrie& trie, std::string_view path) {
  Found found;
  trie.walk(path, [&](std::span<const uint32_t> routes, size_t size) {
    for (const uint32_t route : routes) found.emplace_back(route, size);
  });
  return found;
}

TEST(PathTrieTest, FindsEveryTextThatAPathBeginsWith) {
  const PathTrie trie({{"/api", 4}, {"/", 1}, {"/api/v1", 0}, {"/apple", 2}, {"/api", 3}, {"", 5}},
                      false);
  EXPECT_EQ(walk(trie, "/api/v1/x"), (Found{{5, 0}, {1, 1}, {3, 4}, {4, 4}, {0, 7}}));
  EXPECT_EQ(walk(trie, "/api"), (Found{{5, 0}, {1, 1}, {3, 4}, {4, 4}}));
  EXPECT_EQ(walk(trie, "/apple"), (Found{{5, 0}, {1, 1}, {2, 6}}));
  EXPECT_EQ(walk(trie, "/ap"), (Found{{5, 0}, {1, 1}}));
  EXPECT_EQ(walk(trie, "x"), (Found{{5, 0}}));
  EXPECT_EQ(walk(trie, ""), (Found{{5, 0}}));
}

TEST(PathTrieTest, IsEmptyWithoutEntries) {
  const PathTrie trie({}, false);
  EXPECT_TRUE(walk(trie, "").empty());
  EXPECT_TRUE(walk(trie, "/a").empty());
}

TEST(PathTrieTest, IgnoresCaseWhenAsked) {
  const PathTrie trie({{"/Api/", 0}, {"/aPP", 1}}, true);
  EXPECT_EQ(walk(trie, "/API/x"), (Found{{0, 5}}));
  EXPECT_EQ(walk(trie, "/appX"), (Found{{1, 4}}));
  EXPECT_TRUE(walk(PathTrie({{"/Api/", 0}}, false), "/api/").empty());
}

TEST(PathTrieTest, CopesWithTextsNestedThousandsDeep) {
  constexpr uint32_t kDepth = 5000;
  const std::string longest(kDepth, 'a');
  std::vector<PathTrie::Entry> entries;
  for (uint32_t i = 0; i < kDepth; ++i)
    entries.push_back({std::string_view(longest).substr(0, i + 1), i});
  const Found found = walk(PathTrie(std::move(entries), false), longest);
  ASSERT_EQ(found.size(), kDepth);
  EXPECT_EQ(found.back(), (std::pair<uint32_t, size_t>{kDepth - 1, kDepth}));
}

TEST(PathTrieTest, AgreesWithTryingEachText) {
  std::mt19937 random(7);
  const auto text = [&] {
    std::string out;
    for (size_t i = random() % 7; i > 0; --i) out += "ab/"[random() % 3];
    return out;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 30; ++i) texts.push_back(text());
    std::vector<PathTrie::Entry> entries;
    for (uint32_t i = 0; i < texts.size(); ++i) entries.push_back({texts[i], i});
    const PathTrie trie(entries, false);
    for (int probe = 0; probe < 50; ++probe) {
      const std::string path = text() + text();
      Found expected;
      for (size_t size = 0; size <= path.size(); ++size)
        for (uint32_t i = 0; i < texts.size(); ++i)
          if (texts[i] == path.substr(0, size)) expected.emplace_back(i, size);
      ASSERT_EQ(walk(trie, path), expected) << path;
    }
  }
}

}  // namespace
}  // namespace weir::http
