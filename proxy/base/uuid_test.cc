#include "proxy/base/uuid.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

std::string uuid(uint64_t high, uint64_t low) {
  std::string out(kUuidBytes + 1, '!');
  write_uuid4(high, low, out.data());
  EXPECT_EQ(out.back(), '!') << "written beyond the end";
  out.pop_back();
  return out;
}

TEST(Uuid, BitsStandInTheirOrder) {
  EXPECT_EQ(uuid(0x0123456789abcdef, 0xbedcba9876543210), "01234567-89ab-4def-bedc-ba9876543210");
}

TEST(Uuid, VersionAndVariantAreSetWhateverTheBits) {
  EXPECT_EQ(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(uuid(UINT64_MAX, UINT64_MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

}  // namespace
}  // namespace weir
