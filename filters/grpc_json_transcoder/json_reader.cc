#include "filters/grpc_json_transcoder/json_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "filters/grpc_json_transcoder/message_filler.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Kind = Scalar::Kind;

// Hands the parser's events on.
class SaxBridge : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit SaxBridge(MessageFiller& to) : to_(to) {}

  bool null() override { return to_.on_scalar({}); }
  bool boolean(bool value) override {
    return to_.on_scalar({.kind = Kind::kBool, .boolean = value});
  }
  bool number_integer(number_integer_t value) override {
    return to_.on_scalar({.kind = Kind::kInt, .integer = value});
  }
  bool number_unsigned(number_unsigned_t value) override {
    return to_.on_scalar({.kind = Kind::kUint, .natural = value});
  }
  bool number_float(number_float_t value, const string_t&) override {
    return to_.on_scalar({.kind = Kind::kDouble, .number = value});
  }
  bool string(string_t& value) override {
    return to_.on_scalar({.kind = Kind::kString, .text = value});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return to_.on_start(true); }
  bool key(string_t& value) override { return to_.on_key(value); }
  bool end_object() override { return to_.on_end(true); }
  bool start_array(size_t) override { return to_.on_start(false); }
  bool end_array() override { return to_.on_end(false); }
  bool parse_error(size_t /*position*/, const std::string&,
                   const nlohmann::json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error ..."
    std::string_view text = error.what();
    text.remove_prefix(std::min(text.size(), text.find("] ") + 2));
    constexpr std::string_view kWhat = "parse error";
    if (!text.starts_with(kWhat)) return to_.fail("not valid JSON: " + std::string(text));
    return to_.fail("not valid JSON" + std::string(text.substr(kWhat.size())));
  }

 private:
  MessageFiller& to_;
};

std::optional<Violation> run(std::string_view text, MessageFiller& filler) {
  SaxBridge bridge(filler);
  const bool fine = nlohmann::json::sax_parse(text.begin(), text.end(), &bridge);
  if (!fine && !filler.failed()) filler.fail("not valid JSON");
  if (filler.failed()) return filler.violation();
  return {};
}

}  // namespace

std::optional<Violation> read_json(std::string_view text, Message& message,
                                   const JsonReadOptions& options) {
  MessageFiller filler(message, {}, options);
  return run(text, filler);
}

std::optional<Violation> read_json_field(std::string_view text, Message& message,
                                         const FieldChain& chain, const JsonReadOptions& options) {
  Message* owner = &message;
  std::string path;
  for (size_t i = 0; i < chain.size(); ++i) {
    path += (i > 0 ? "." : "") + chain[i]->name();
    if (i + 1 < chain.size()) owner = owner->GetReflection()->MutableMessage(owner, chain[i]);
  }
  MessageFiller filler(*owner, *chain.back(), std::move(path), options);
  return run(text, filler);
}

}  // namespace weir::filters::transcoder
