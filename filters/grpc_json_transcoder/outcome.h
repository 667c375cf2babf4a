#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "filters/grpc_json_transcoder/field_value.h"
#include "google/rpc/status.pb.h"
#include "proxy/http/grpc.h"
#include "proxy/http/message.h"

// How calls end: on gRPC's side, and as HTTP.
namespace weir::filters::transcoder {

// Why a request is answered here.
struct Refusal {
  uint16_t http_status;
  http::GrpcStatus code;
  std::string message;
  std::optional<Violation> violation = {};
};
Refusal bad_request(Violation violation);
Refusal no_method(const http::RequestHead& head);  // 404
Refusal not_json(std::string_view content_type);   // 415
Refusal too_large(size_t max_bytes);               // 413
// 415, or nothing when the body can be read as JSON. A body without a type is taken for it.
std::optional<Refusal> check_json(const http::HeaderMap& headers);

// What an upstream said of a call, in its trailers or in a head that is all there is.
struct CallOutcome {
  std::optional<uint32_t> code;  // nothing: it did not say
  google::rpc::Status status;    // with its details, when it told them

  bool failed() const { return code != 0u; }
  uint16_t http_status() const { return code ? http::http_status_of_grpc(*code) : 503; }
};
CallOutcome read_outcome(const http::HeaderMap& trailers);

// A response that can be read as gRPC. `end`: its head is all there is.
bool is_grpc_response(const http::ResponseHead& head, bool end);

// Puts grpc-status and grpc-message into the head, for clients that look at them.
void copy_status(const http::HeaderMap& trailers, http::HeaderMap& head);
void drop_status(http::HeaderMap& head);
// Removes what is true of gRPC's body only.
void forget_grpc(http::ResponseHead& head);
void set_length(http::ResponseHead& head, size_t bytes);

}  // namespace weir::filters::transcoder
