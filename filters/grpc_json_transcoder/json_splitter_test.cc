#include "filters/grpc_json_transcoder/json_splitter.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::filters::transcoder {
namespace {

using Step = JsonSplitter::Step;

// The elements in `pieces`, each followed by '|', and how it ended.
std::string split(const std::vector<std::string>& pieces, size_t max = 1000) {
  JsonSplitter splitter(max);
  std::string out;
  std::string_view element;
  Step step = Step::kNeedMore;
  const auto drain = [&] {
    while ((step = splitter.next(element)) == Step::kElement) out += std::string(element) + "|";
    return step == Step::kNeedMore;
  };
  bool fine = true;
  for (const std::string& piece : pieces) {
    splitter.feed(piece);
    if (!(fine = drain())) break;
  }
  if (fine) {
    splitter.finish();
    fine = drain();
  }
  if (step == Step::kInvalid) return out + "invalid";
  if (step == Step::kTooLarge) return out + "too large";
  return out + (splitter.complete() ? "complete" : "incomplete");
}

TEST(JsonSplitter, ArraysAndLines) {
  const struct {
    const char* text;
    const char* elements;
  } cases[] = {
      {"[]", "complete"},
      {" [ ] ", "complete"},
      {"", "complete"},
      {"[{}]", "{}|complete"},
      {R"([{"a":[1,{"b":"]}"}]} , {"c":"\"]\\"}])",
       R"({"a":[1,{"b":"]}"}]}|{"c":"\"]\\"}|complete)"},
      {R"([1,"x",true,[2],null])", R"(1|"x"|true|[2]|null|complete)"},
      {"{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}|{\"b\":2}|complete"},
      {"{}{}", "{}|{}|complete"},
      {"1\n2", "1|2|complete"},
      {"{\"a\":1}\r\n\r\n\"x\"", "{\"a\":1}|\"x\"|complete"},
      {"[{}", "{}|incomplete"},
      {"[{},", "{}|incomplete"},
      {"[{", "incomplete"},
      {"{\"a", "incomplete"},
      {"[1", "incomplete"},
      {"[,{}]", "invalid"},
      {"[{},]", "{}|invalid"},
      {"[{}{}]", "{}|invalid"},
      {"[{}]x", "{}|invalid"},
      {"}", "invalid"},
      {"{},{}", "{}|invalid"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(split({c.text}), c.elements) << c.text;
    const std::string text = c.text;
    for (size_t at = 0; at <= text.size(); ++at)
      EXPECT_EQ(split({text.substr(0, at), text.substr(at)}), c.elements) << c.text << " " << at;
    std::vector<std::string> bytes;
    for (const char b : text) bytes.emplace_back(1, b);
    EXPECT_EQ(split(bytes), c.elements) << c.text;
  }
}

TEST(JsonSplitter, RefusesLongElementsEarly) {
  const std::string longer = "{\"a\":\"" + std::string(100, 'x');
  EXPECT_EQ(split({"[{},", longer}, 50), "{}|too large");
  EXPECT_EQ(split({"[{\"a\":\"" + std::string(60, 'x') + "\"}]"}, 50), "too large");
  EXPECT_EQ(split({"[" + std::string(40, '1') + "," + std::string(40, '2') + "]"}, 50),
            std::string(40, '1') + "|" + std::string(40, '2') + "|complete");
}

}  // namespace
}  // namespace weir::filters::transcoder
