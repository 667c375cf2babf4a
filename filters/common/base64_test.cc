#include "filters/common/base64.h"

#include <gtest/gtest.h>

namespace weir::filters::common {
namespace {

std::string encoded(std::string_view bytes) {
  std::string out;
  append_base64(bytes, out);
  return out;
}

TEST(Base64, EncodesWithPadding) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xfb\xff\xfe"), "+//+");
}

TEST(Base64, DecodesAtEverySplit) {
  // Padded groups follow each other.
  const std::string text = encoded("f") + encoded("foobar") + encoded("fo") + encoded("\xfb\xff");
  for (size_t at = 0; at <= text.size(); ++at) {
    Base64Decoder decoder;
    std::string out;
    EXPECT_TRUE(decoder.feed(text.substr(0, at), out));
    EXPECT_EQ(decoder.at_boundary(), at % 4 == 0);
    EXPECT_TRUE(decoder.feed(text.substr(at), out));
    EXPECT_EQ(out, "ffoobarfo\xfb\xff");
    EXPECT_TRUE(decoder.at_boundary());
  }
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Zg=v", "=", "Z===", "Zm9v!", "Zm 9v", "_-_-"}) {
    Base64Decoder decoder;
    std::string out;
    EXPECT_FALSE(decoder.feed(text, out)) << text;
  }
}

}  // namespace
}  // namespace weir::filters::common
