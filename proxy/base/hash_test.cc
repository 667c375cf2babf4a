#include "proxy/base/hash.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace weir {
namespace {

// 129 bytes without a pattern that a hash could be blind to.
std::string sample() {
  std::string bytes;
  for (int i = 0; i < 129; ++i) bytes.push_back(static_cast<char>((i * 131 + 7) & 255));
  return bytes;
}

// The hashes of every length from 0 to 129, folded into one number.
template <class Hash>
uint64_t fold_lengths(Hash hash) {
  const std::string bytes = sample();
  uint64_t folded = 0;
  for (size_t size = 0; size <= bytes.size(); ++size)
    folded = folded * 31 + hash(std::string_view(bytes).substr(0, size));
  return folded;
}

// Expected values were computed with the reference library, xxHash 0.8.1.
TEST(XxHash64, KnownVectors) {
  EXPECT_EQ(xxhash64(""), 0xef46db3751d8e999u);
  EXPECT_EQ(xxhash64("", 1), 0xd5afba1336a3be4bu);
  EXPECT_EQ(xxhash64("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(xxhash64("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(xxhash64("abc", 1), 0xbea9ca8199328908u);
  EXPECT_EQ(xxhash64("127.0.0.1:80"), 0x20e2606e5305da5bu);
  EXPECT_EQ(xxhash64("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1u);
}

TEST(XxHash64, EveryLengthOfTail) {
  EXPECT_EQ(fold_lengths([](std::string_view bytes) { return xxhash64(bytes); }),
            0x14bd29359a896302u);
  EXPECT_EQ(fold_lengths([](std::string_view bytes) { return xxhash64(bytes, 2654435761u); }),
            0x7f6f77034aa32b09u);
}

TEST(XxHash64, DoesNotNeedAlignment) {
  const std::string padded = "x" + sample();
  EXPECT_EQ(xxhash64(std::string_view(padded).substr(1)), xxhash64(sample()));
}

TEST(MurmurHash2, KnownVectors) {
  EXPECT_EQ(murmurhash2("", 0), 0u);
  EXPECT_NE(murmurhash2("a"), murmurhash2("a", 0));
  EXPECT_NE(murmurhash2("a"), murmurhash2("b"));
}

#ifdef __GLIBCXX__
// libstdc++ hashes strings with this function and this seed on 64-bit machines: an oracle that
// shares no code with ours.
TEST(MurmurHash2, EqualsTheStandardLibrarys) {
  const std::string bytes = sample();
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const std::string_view part = std::string_view(bytes).substr(0, size);
    EXPECT_EQ(murmurhash2(part), std::hash<std::string_view>()(part)) << size;
  }
}
#endif

}  // namespace
}  // namespace weir
