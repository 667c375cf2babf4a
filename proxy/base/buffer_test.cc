#include "proxy/base/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

constexpr size_t kBlock = sizeof(BlockPool::Block::bytes);

std::string text_of(const Buffer& buffer) {
  std::string text;
  buffer.for_each([&](std::string_view run) { text += run; });
  return text;
}

std::string numbered(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  text.resize(bytes);
  return text;
}

TEST(BlockPoolTest, RecyclesBlocks) {
  BlockPool pool(1);
  BlockPool::Block* a = pool.take();
  BlockPool::Block* b = pool.take();
  EXPECT_NE(a, b);
  EXPECT_EQ(pool.blocks_in_use(), 2u);
  a->end = 7;
  pool.give(a);
  pool.give(b);  // one more than is kept
  EXPECT_EQ(pool.blocks_in_use(), 0u);
  BlockPool::Block* again = pool.take();
  EXPECT_EQ(again, a);
  EXPECT_EQ(again->end, 0u) << "as new";
  EXPECT_EQ(again->next, nullptr);
  pool.give(again);
}

TEST(BufferTest, EmptyItOwnsNothing) {
  BlockPool pool;
  Buffer buffer(pool);
  buffer.append("");
  buffer.consume(0);
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.front(), "");
  iovec out[1];
  EXPECT_EQ(buffer.iovecs(out, 1), 0);
  EXPECT_EQ(pool.blocks_in_use(), 0u);
  buffer.append("x");
  EXPECT_EQ(pool.blocks_in_use(), 1u);
  buffer.consume(1);
  EXPECT_EQ(pool.blocks_in_use(), 0u);
}

TEST(BufferTest, AppendAndConsumeAcrossBlocks) {
  BlockPool pool;
  const std::string text = numbered(3 * kBlock + 5);
  Buffer buffer(pool);
  buffer.append(text);
  EXPECT_EQ(buffer.size(), text.size());
  EXPECT_EQ(pool.blocks_in_use(), 4u);
  EXPECT_EQ(text_of(buffer), text);
  for (const size_t n : {size_t{1}, kBlock - 1, kBlock, kBlock / 2}) {
    const size_t done = text.size() - buffer.size();
    buffer.consume(n);
    EXPECT_EQ(text_of(buffer), text.substr(done + n));
  }
  buffer.append("more");
  EXPECT_TRUE(text_of(buffer).ends_with("more"));
  buffer.clear();
  EXPECT_EQ(pool.blocks_in_use(), 0u);
}

TEST(BufferTest, AppendOfABuffer) {
  BlockPool pool;
  Buffer a(pool);
  Buffer b(pool);
  a.append(std::move(b));
  EXPECT_TRUE(a.empty());
  a.append("one ");
  b.append("two ");
  a.append(std::move(b));
  b.append("three");  // a moved buffer may be used again
  a.append(std::move(b));
  EXPECT_EQ(text_of(a), "one two three");
  EXPECT_EQ(a.size(), 13u);
  EXPECT_TRUE(b.empty());
  Buffer c(std::move(a));
  EXPECT_EQ(text_of(c), "one two three");
  EXPECT_TRUE(a.empty());
}

TEST(BufferTest, Take) {
  BlockPool pool;
  const std::string text = numbered(kBlock + 100);
  Buffer buffer(pool);
  buffer.append(text);
  std::string to(2 * kBlock, '\0');
  EXPECT_EQ(buffer.take(to.data(), 10), 10u);
  EXPECT_EQ(to.substr(0, 10), text.substr(0, 10));
  EXPECT_EQ(buffer.take(to.data(), kBlock), kBlock);
  EXPECT_EQ(to.substr(0, kBlock), text.substr(10, kBlock));
  EXPECT_EQ(buffer.take(to.data(), to.size()), 90u);
  EXPECT_EQ(buffer.take(to.data(), to.size()), 0u);
}

TEST(BufferTest, IovecsGiveTheFront) {
  BlockPool pool;
  const std::string text = numbered(2 * kBlock + 1);
  Buffer buffer(pool);
  buffer.append(text);
  buffer.consume(3);
  iovec out[8];
  EXPECT_EQ(buffer.iovecs(out, 2), 2);
  ASSERT_EQ(buffer.iovecs(out, 8), 3);
  std::string all;
  for (int i = 0; i < 3; ++i) all.append(static_cast<char*>(out[i].iov_base), out[i].iov_len);
  EXPECT_EQ(all, text.substr(3));
  EXPECT_EQ(buffer.front(), text.substr(3, kBlock - 3));
}

// Against a deque, with all operations in a fixed random order.
TEST(BufferTest, BehavesLikeAQueue) {
  BlockPool pool;
  Buffer buffer(pool);
  std::deque<char> model;
  uint64_t random = 7;
  for (int i = 0; i < 5000; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const size_t n = (random >> 33) % (i % 10 == 0 ? 2 * kBlock : 300);
    if (random >> 63 == 0) {
      const std::string text(n, static_cast<char>('a' + i % 26));
      buffer.append(text);
      model.insert(model.end(), text.begin(), text.end());
    } else {
      std::string out(n, '\0');
      const size_t got = buffer.take(out.data(), n);
      ASSERT_EQ(got, std::min(n, model.size()));
      ASSERT_TRUE(
          std::equal(model.begin(), model.begin() + static_cast<ptrdiff_t>(got), out.begin()));
      model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(got));
    }
    ASSERT_EQ(buffer.size(), model.size());
  }
  EXPECT_EQ(text_of(buffer), std::string(model.begin(), model.end()));
}

}  // namespace
}  // namespace weir
