#include "proxy/base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
namespace {

TEST(ArenaTest, RespectsAlignment) {
  Arena arena;
  for (const size_t align : {1u, 2u, 4u, 8u, 16u, 64u}) {
    arena.text(1);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.allocate(10, align)) % align, 0u) << align;
  }
  // Also in a block of its own.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.allocate(100'000, 64)) % 64, 0u);
}

TEST(ArenaTest, PiecesDoNotOverlap) {
  Arena arena;
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < 3000; ++i)
    pieces.push_back(arena.copy(std::string(1 + i % 40, static_cast<char>('a' + i % 26))));
  for (size_t i = 0; i < pieces.size(); ++i)
    ASSERT_EQ(pieces[i], std::string(1 + i % 40, static_cast<char>('a' + i % 26)));
  EXPECT_GT(arena.overflow_bytes(), 0u);
}

TEST(ArenaTest, TheFirstBlockIsUsedToItsEnd) {
  Arena arena;
  arena.text(Arena::kFirstBlockBytes);
  EXPECT_EQ(arena.overflow_bytes(), 0u);
  arena.text(1);
  EXPECT_GT(arena.overflow_bytes(), 0u);
}

TEST(ArenaTest, OneLargePiece) {
  Arena arena;
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(arena.copy(large), large);
  EXPECT_EQ(arena.copy("after"), "after");
}

TEST(ArenaTest, CopyAndConcat) {
  Arena arena;
  std::string text = "volatile";
  const std::string_view copy = arena.copy(text);
  text = "changed!";
  EXPECT_EQ(copy, "volatile");
  EXPECT_EQ(arena.copy("").size(), 0u);
  EXPECT_EQ(arena.concat({"a", "", "bc", copy}), "abcvolatile");
  EXPECT_EQ(arena.concat({}), "");
  EXPECT_EQ(arena.concat({std::string_view()}), "");
}

TEST(ArenaTest, MakeAndArray) {
  struct Point {
    int x, y;
  };
  Arena arena;
  const Point* point = arena.make<Point>(1, 2);
  EXPECT_EQ(point->x + point->y, 3);
  auto* numbers = arena.array<uint64_t>(1000);
  for (uint64_t i = 0; i < 1000; ++i) numbers[i] = i;
  EXPECT_EQ(numbers[999], 999u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers) % alignof(uint64_t), 0u);
}

TEST(ArenaTest, ResetStartsAnew) {
  Arena arena;
  const char* first = arena.text(10);
  arena.text(50'000);
  arena.reset();
  EXPECT_EQ(arena.overflow_bytes(), 0u);
  EXPECT_EQ(arena.text(10), first);
}

}  // namespace
}  // namespace weir
