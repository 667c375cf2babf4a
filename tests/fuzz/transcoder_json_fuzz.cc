// JSON to a message and back: what was written is read and written as the same text. A stream that
// is cut anywhere has the same elements.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "filters/grpc_json_transcoder/json_reader.h"
#include "filters/grpc_json_transcoder/json_splitter.h"
#include "filters/grpc_json_transcoder/json_writer.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"

namespace {

using namespace weir::filters::transcoder;

void require(bool holds) {
  if (!holds) std::abort();
}

const Types& types() {
  static const std::unique_ptr<const Types> kTypes = Types::load(bookstore_set()).take();
  return *kTypes;
}

// The text of what `json` says; false when that is no book.
bool through_message(std::string_view json, std::string& out) {
  const std::unique_ptr<google::protobuf::Message> book(types().find("bookstore.Book")->New());
  if (const auto violation = read_json(json, *book, {.types = types()})) {
    require(!violation->description.empty());
    return false;
  }
  write_json(*book, types(), {}, out);
  return true;
}

void check_round_trip(std::string_view json) {
  std::string first;
  std::string second;
  if (!through_message(json, first)) return;
  const bool readable = through_message(first, second);
  // Bytes that are nothing of their Any's type are written as they are, which no reader takes.
  if (first.find("@type") != std::string::npos) return;
  require(readable);
  require(first == second);
}

std::string elements(std::string_view text, size_t cut) {
  JsonSplitter splitter(1 << 20);
  std::string out;
  std::string_view element;
  auto step = JsonSplitter::Step::kNeedMore;
  const auto drain = [&] {
    while ((step = splitter.next(element)) == JsonSplitter::Step::kElement)
      out.append(element).append("\n");
    return step == JsonSplitter::Step::kNeedMore;
  };
  splitter.feed(text.substr(0, cut));
  if (drain()) {
    splitter.feed(text.substr(cut));
    if (drain()) {
      splitter.finish();
      if (drain() && splitter.complete()) out += "complete";
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  check_round_trip(text);
  const size_t cut = data[0] % (text.size() + 1);
  require(elements(text, cut) == elements(text, text.size()));
  return 0;
}
