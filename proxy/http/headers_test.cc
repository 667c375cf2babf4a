#include "proxy/http/headers.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::http {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

Lines lines_of(const HeaderMap& map) {
  Lines lines;
  map.for_each([&](const Header& line) { lines.emplace_back(line.name, line.value); });
  return lines;
}

TEST(KnownHeaders, EveryNameIsFoundAndNoOther) {
  std::set<std::string_view> names;
  for (int i = 1; i < static_cast<int>(Known::kCount); ++i) {
    const auto known = static_cast<Known>(i);
    const std::string name(known_name(known));
    EXPECT_EQ(known_header(name), known) << name;
    EXPECT_TRUE(names.insert(known_name(known)).second) << name;
    for (size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = other[at] == 'q' ? 'z' : 'q';
      EXPECT_EQ(known_header(other), Known::kNone) << other;
    }
    EXPECT_EQ(known_header(name + "x"), Known::kNone);
  }
  EXPECT_EQ(known_header(""), Known::kNone);
  EXPECT_EQ(known_header("Host"), Known::kNone) << "names are in lower case";
  EXPECT_EQ(known_name(Known::kForwardedFor), "x-forwarded-for");
  EXPECT_EQ(known_name(Known::kEnvoyOverloaded), "x-envoy-overloaded");
}

class HeaderMapTest : public testing::Test {
 protected:
  Arena arena_;
  HeaderMap map_{arena_};
};

TEST_F(HeaderMapTest, AddAndFind) {
  map_.add("x-a", "1");
  map_.add(Known::kCookie, "c=1");
  map_.add("x-a", "2");
  map_.add("empty", "");
  EXPECT_EQ(map_.count(), 4u);
  EXPECT_EQ(map_.get("x-a"), "1");
  EXPECT_EQ(map_.get(Known::kCookie), "c=1");
  EXPECT_EQ(map_.get("cookie"), "c=1");
  EXPECT_TRUE(map_.has("empty"));
  EXPECT_FALSE(map_.has("x-b"));
  EXPECT_EQ(map_.find("x-b"), nullptr);
  EXPECT_EQ(map_.find(Known::kTe), nullptr);
  EXPECT_EQ(map_.find("cookie")->known, Known::kCookie);
}

TEST_F(HeaderMapTest, SetReplacesEveryLine) {
  map_.add("x-a", "1");
  map_.add(Known::kVia, "1");
  map_.add("x-a", "2");
  map_.add(Known::kVia, "2");
  map_.set("x-a", "3");
  map_.set(Known::kVia, "3");
  map_.set("new", "4");
  EXPECT_EQ(lines_of(map_), (Lines{{"x-a", "3"}, {"via", "3"}, {"new", "4"}}));
  EXPECT_EQ(map_.count(), 3u);
}

TEST_F(HeaderMapTest, RemovalLeavesAHole) {
  map_.add("x-a", "1");
  map_.add(Known::kVia, "1");
  map_.add("x-b", "1");
  map_.add(Known::kVia, "2");
  EXPECT_TRUE(map_.remove("via"));
  EXPECT_FALSE(map_.remove(Known::kVia));
  EXPECT_FALSE(map_.remove("x-c"));
  EXPECT_TRUE(map_.remove("x-a"));
  EXPECT_EQ(lines_of(map_), (Lines{{"x-b", "1"}}));
  EXPECT_EQ(map_.count(), 1u);
  EXPECT_EQ(map_.find(""), nullptr) << "a hole is no line without a name";
  map_.add(Known::kVia, "3");
  EXPECT_EQ(map_.get(Known::kVia), "3");
  EXPECT_TRUE(map_.remove("x-b"));
  EXPECT_TRUE(map_.remove("via"));
  EXPECT_TRUE(map_.empty());
}

TEST_F(HeaderMapTest, RemovingTheFirstOfSeveralUncoversTheNext) {
  map_.add(Known::kCookie, "1");
  map_.add(Known::kCookie, "2");
  map_.for_each([&](Header& line) {
    if (line.value == "1") map_.remove(line);
  });
  EXPECT_EQ(map_.get(Known::kCookie), "2");
  EXPECT_EQ(map_.count(), 1u);
}

TEST_F(HeaderMapTest, Joined) {
  bool present = true;
  EXPECT_EQ(map_.joined("x-role", present), "");
  EXPECT_FALSE(present);
  map_.add("x-role", "user");
  EXPECT_EQ(map_.joined("x-role", present), "user");
  map_.add("other", "x");
  map_.add("x-role", "");
  map_.add("x-role", "admin");
  EXPECT_EQ(map_.joined("x-role", present), "user, , admin");
  EXPECT_TRUE(present);
  map_.add("empty", "");
  EXPECT_EQ(map_.joined("empty", present), "");
  EXPECT_TRUE(present);
}

// Positions of known names are kept in a byte: beyond it they are searched for.
TEST_F(HeaderMapTest, ManyLines) {
  for (int i = 0; i < 300; ++i) {
    const std::string text = std::to_string(i);
    if (i == 253) map_.add(Known::kVia, "at 253");
    if (i == 254) map_.add(Known::kServer, "at 255");
    if (i == 280) map_.add(Known::kCookie, "first");
    if (i == 290) map_.add(Known::kCookie, "second");
    map_.add(arena_.copy("x-" + text), arena_.copy(text));
  }
  EXPECT_EQ(map_.count(), 304u);
  EXPECT_EQ(map_.get(Known::kVia), "at 253");
  EXPECT_EQ(map_.get(Known::kServer), "at 255");
  EXPECT_EQ(map_.get(Known::kCookie), "first");
  for (int i = 0; i < 300; ++i) ASSERT_EQ(map_.get("x-" + std::to_string(i)), std::to_string(i));
  EXPECT_TRUE(map_.remove(Known::kCookie));
  EXPECT_FALSE(map_.has(Known::kCookie));
  map_.set(Known::kServer, "again");
  EXPECT_EQ(map_.get(Known::kServer), "again");
  EXPECT_EQ(map_.count(), 302u);
}

TEST_F(HeaderMapTest, ClearKeepsNothing) {
  map_.add(Known::kVia, "1");
  map_.add("x", "1");
  map_.clear();
  EXPECT_TRUE(map_.empty());
  EXPECT_FALSE(map_.has(Known::kVia));
  EXPECT_FALSE(map_.has("x"));
  map_.add("x", "2");
  EXPECT_EQ(lines_of(map_), (Lines{{"x", "2"}}));
}

TEST_F(HeaderMapTest, Relocate) {
  std::string old_text = "name: value";
  map_.add(std::string_view(old_text).substr(0, 4), std::string_view(old_text).substr(6));
  std::string new_text = old_text;
  map_.relocate(new_text.data() - old_text.data());
  old_text = "###########";
  EXPECT_EQ(lines_of(map_), (Lines{{"name", "value"}}));
}

TEST(HeaderText, Trim) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim("ab"), "ab");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\n a"), "\n a") << "only spaces and tabs are white space here";
}

TEST(HeaderText, EqualsIgnoreCase) {
  EXPECT_TRUE(equals_ignore_case("Keep-Alive", "keep-alive"));
  EXPECT_TRUE(equals_ignore_case("", ""));
  EXPECT_FALSE(equals_ignore_case("a", "ab"));
  EXPECT_FALSE(equals_ignore_case("@", "`")) << "32 apart, but no letters";
  EXPECT_FALSE(equals_ignore_case("\xc4", "\xe4")) << "ASCII alone";
}

TEST(HeaderText, ListHasToken) {
  EXPECT_TRUE(list_has_token("close", "close"));
  EXPECT_TRUE(list_has_token(" , a ,\tCLOSE ", "close"));
  EXPECT_FALSE(list_has_token("closed, not close", "close"));
  EXPECT_FALSE(list_has_token("", "close"));
  EXPECT_FALSE(list_has_token(",,", "close"));
}

}  // namespace
}  // namespace weir::http
