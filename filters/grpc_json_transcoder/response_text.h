#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/grpc_json_transcoder/bindings.h"
#include "filters/grpc_json_transcoder/settings.h"
#include "proxy/base/result.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters::transcoder {

// Turns the messages of one response into text: JSON, or what a google.api.HttpBody holds. One
// thread.
class ResponseText {
 public:
  // Both outlive this. A message has at most `max_bytes`.
  ResponseText(const Binding& binding, const Settings& settings, size_t max_bytes);

  bool is_stream() const { return binding_.method->descriptor->server_streaming(); }

  // Appends the text of the messages that `piece` completes. An error with the code
  // `message-too-large` says that a limit was reached; others that the upstream's bytes are wrong.
  Result<void> feed(std::string_view piece, std::string& out);
  // The messages are over: appends what closes a stream. An error when one is incomplete.
  Result<void> finish(std::string& out);

  uint64_t messages() const { return messages_; }
  // What the text is: known with the first message.
  const std::string& content_type() const { return content_type_; }

 private:
  Result<void> add(std::string_view message, uint8_t flags, std::string& out);
  void add_json(const google::protobuf::Message& message, std::string& out);
  void add_http_body(const google::protobuf::Message& message, std::string& out);

  const Binding& binding_;
  const Settings& settings_;
  http::GrpcFrameReader frames_;
  std::string content_type_;
  uint64_t messages_ = 0;
};

}  // namespace weir::filters::transcoder
