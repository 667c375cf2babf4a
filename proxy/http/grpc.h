#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/arena.h"
#include "proxy/http/message.h"

// What gRPC is on the wire besides its messages (grpc_frame.h): "gRPC over HTTP/2" and "HTTP to
// gRPC Status Code Mapping" of the gRPC specification.
namespace weir::http {

// google.rpc.Code. Other numbers may come over the wire; they are passed on as they are.
enum class GrpcStatus : uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};
inline constexpr uint32_t kGrpcStatusCount = 17;

inline constexpr std::string_view kGrpcContentType = "application/grpc";

// "application/grpc", alone or followed by "+codec" or parameters; not "application/grpc-web".
bool is_grpc_content_type(std::string_view content_type);
bool is_grpc(const RequestHead& request);

// "DeadlineExceeded" and "DEADLINE_EXCEEDED". "" for a number without a name.
std::string_view grpc_status_name(uint32_t code);
std::string_view grpc_status_snake_name(uint32_t code);

// The number of a grpc-status line; nothing when it is none.
std::optional<uint32_t> parse_grpc_status(std::string_view text);
std::string_view grpc_status_text(GrpcStatus status);  // its number
// What the trailers, or the head of a response without a body, say. Either may be null.
std::optional<uint32_t> grpc_status_of(const HeaderMap* trailers, const HeaderMap* head);

// What a client makes of a response that has no grpc-status.
GrpcStatus grpc_status_of_http(uint16_t status);
// google.rpc.Code's own mapping; 500 for a number without a name.
uint16_t http_status_of_grpc(uint32_t code);

// Turns an answer of the proxy's own, whose HTTP status stands in `response`, into a response that
// is all head ("Trailers-Only"): 200, grpc-status and `body` as grpc-message. `grpc_status`: a
// negative one means what the HTTP status maps to.
void make_grpc_reply(int grpc_status, std::string_view body, std::string_view content_type,
                     ResponseHead& response);

// grpc-message: all but space to '~' and '%' itself is percent-encoded. The result is `text` when
// nothing had to be, else in the arena.
std::string_view encode_grpc_message(std::string_view text, Arena& arena);
// Escapes that are none stay as they are. May yield any byte.
std::string decode_grpc_message(std::string_view text);

// grpc-timeout: one to eight digits and a unit of H, M, S, m, u, n. Rounded up to milliseconds.
// Nothing for anything else. At most 99999999 hours, which fits.
std::optional<int64_t> parse_grpc_timeout_ms(std::string_view text);
// In milliseconds or, above eight digits, in the next larger unit that is enough, rounded down; the
// most that can be said is 99999999H. In the arena.
std::string_view format_grpc_timeout(int64_t timeout_ms, Arena& arena);

}  // namespace weir::http
