#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/base/result.h"
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"
#include "proxy/http/stream.h"
#include "proxy/net/loop.h"

namespace weir {

// Answers one gRPC call of a service of the process's own: each message gets one answer, which is
// there at once. Lives with the stream that it answers. One loop.
class GrpcResponder {
 public:
  // A serialized answer to a serialized request. An error ends the call: "bad-query" as
  // INVALID_ARGUMENT, "forbidden" as PERMISSION_DENIED, others as UNAVAILABLE.
  using Answer = std::function<Result<std::string>(std::string_view request)>;

  // `unary`: the call has one message in each direction.
  GrpcResponder(net::Loop& loop, http::ServerStream& stream, Arena& arena, bool unary,
                Answer answer)
      : loop_(loop), stream_(stream), arena_(arena), unary_(unary), answer_(std::move(answer)) {}

  // What the client sends. After `over()` the stream is no more.
  void on_body(std::string_view bytes, bool end);
  void on_end();
  // The client does not read: until it does, nothing more is read of it.
  void on_full(bool full);
  void finish(http::GrpcStatus status, std::string_view message);
  bool over() const { return over_; }

 private:
  static constexpr size_t kMaxRequestBytes = 64 * 1024;
  // In what is read at once; answers are much larger than questions.
  static constexpr uint32_t kMaxMessagesAtOnce = 16;

  void take(std::string_view message, uint8_t flags);
  void send(std::string_view reply);

  net::Loop& loop_;
  http::ServerStream& stream_;
  Arena& arena_;
  bool unary_;
  Answer answer_;
  http::GrpcFrameReader reader_{kMaxRequestBytes};
  uint64_t answered_ = 0;
  bool head_sent_ = false;
  bool over_ = false;
};

}  // namespace weir
