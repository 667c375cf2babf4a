#include "filters/grpc_json_transcoder/response_text.h"

#include <google/protobuf/arena.h>

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;
using Step = http::GrpcFrameReader::Step;

Error wrong(std::string message) {
  return {"invalid-message", std::move(message), Side::kUpstream};
}

}  // namespace

ResponseText::ResponseText(const Binding& binding, const Settings& settings, size_t max_bytes)
    : binding_(binding), settings_(settings), frames_(max_bytes) {
  const bool events = is_stream() && settings.stream == Settings::Stream::kEvents;
  if (!binding.gives_http_body) content_type_ = events ? "text/event-stream" : "application/json";
}

Result<void> ResponseText::feed(std::string_view piece, std::string& out) {
  frames_.feed(piece);
  std::string_view message;
  uint8_t flags = 0;
  for (;;) {
    switch (frames_.next(message, flags)) {
      case Step::kNeedMore:
        return {};
      case Step::kTooLarge:
        return Error{"message-too-large", "a message of the response is larger than the limit",
                     Side::kUpstream};
      case Step::kMessage:
        if (Result<void> added = add(message, flags, out); !added) return added;
    }
  }
}

Result<void> ResponseText::add(std::string_view bytes, uint8_t flags, std::string& out) {
  if (flags != 0) return wrong("a message of the response is compressed or of an unknown kind");
  if (messages_ > 0 && !is_stream()) return wrong("the response has more than one message");
  google::protobuf::Arena arena;
  Message& message = *binding_.method->response->New(&arena);
  if (!message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return wrong("a message of the response is no " + message.GetDescriptor()->full_name());
  if (binding_.gives_http_body) {
    add_http_body(message, out);
  } else {
    add_json(message, out);
  }
  ++messages_;
  return {};
}

void ResponseText::add_json(const Message& message, std::string& out) {
  if (is_stream() && settings_.stream == Settings::Stream::kArray) out += messages_ > 0 ? ',' : '[';
  if (is_stream() && settings_.stream == Settings::Stream::kEvents) out += "data: ";
  if (binding_.response_field.empty()) {
    write_json(message, *settings_.types, settings_.write, out);
  } else {
    write_json_field(message, binding_.response_field, *settings_.types, settings_.write, out);
  }
  if (is_stream() && settings_.stream == Settings::Stream::kLines) out += '\n';
  if (is_stream() && settings_.stream == Settings::Stream::kEvents) out += "\n\n";
}

void ResponseText::add_http_body(const Message& message, std::string& out) {
  const Message* body = &message;
  for (const auto* field : binding_.response_field)
    body = &body->GetReflection()->GetMessage(*body, field);
  const Descriptor& type = *body->GetDescriptor();
  const auto text_of = [&](const char* name) {
    return body->GetReflection()->GetString(*body, type.FindFieldByName(name));
  };
  if (messages_ == 0) content_type_ = text_of("content_type");
  out += text_of("data");
}

Result<void> ResponseText::finish(std::string& out) {
  if (!frames_.at_boundary()) return wrong("the response ends within a message");
  if (!is_stream() || binding_.gives_http_body || settings_.stream != Settings::Stream::kArray)
    return {};
  out += messages_ > 0 ? "]" : "[]";
  return {};
}

}  // namespace weir::filters::transcoder
