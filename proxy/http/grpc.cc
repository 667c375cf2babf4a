#include "proxy/http/grpc.h"

#include <array>
#include <charconv>

namespace weir::http {
namespace {

// One for each status: its number as text, its names and the HTTP status that it stands for.
struct StatusRow {
  std::string_view number;
  std::string_view camel;
  std::string_view snake;
  uint16_t http;
};

constexpr std::array<StatusRow, kGrpcStatusCount> kStatuses = {{
    {"0", "OK", "OK", 200},
    {"1", "Canceled", "CANCELLED", 499},
    {"2", "Unknown", "UNKNOWN", 500},
    {"3", "InvalidArgument", "INVALID_ARGUMENT", 400},
    {"4", "DeadlineExceeded", "DEADLINE_EXCEEDED", 504},
    {"5", "NotFound", "NOT_FOUND", 404},
    {"6", "AlreadyExists", "ALREADY_EXISTS", 409},
    {"7", "PermissionDenied", "PERMISSION_DENIED", 403},
    {"8", "ResourceExhausted", "RESOURCE_EXHAUSTED", 429},
    {"9", "FailedPrecondition", "FAILED_PRECONDITION", 400},
    {"10", "Aborted", "ABORTED", 409},
    {"11", "OutOfRange", "OUT_OF_RANGE", 400},
    {"12", "Unimplemented", "UNIMPLEMENTED", 501},
    {"13", "Internal", "INTERNAL", 500},
    {"14", "Unavailable", "UNAVAILABLE", 503},
    {"15", "DataLoss", "DATA_LOSS", 500},
    {"16", "Unauthenticated", "UNAUTHENTICATED", 401},
}};

constexpr char kHex[] = "0123456789ABCDEF";

bool is_plain(char c) {
  return c >= ' ' && c <= '~' && c != '%';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr int64_t kMostTimeoutUnits = 99'999'999;

}  // namespace

bool is_grpc_content_type(std::string_view content_type) {
  if (!content_type.starts_with(kGrpcContentType)) return false;
  if (content_type.size() == kGrpcContentType.size()) return true;
  const char next = content_type[kGrpcContentType.size()];
  return next == '+' || next == ';';
}

bool is_grpc(const RequestHead& request) {
  return is_grpc_content_type(request.headers.get(Known::kContentType));
}

std::string_view grpc_status_name(uint32_t code) {
  return code < kGrpcStatusCount ? kStatuses[code].camel : std::string_view();
}

std::string_view grpc_status_snake_name(uint32_t code) {
  return code < kGrpcStatusCount ? kStatuses[code].snake : std::string_view();
}

std::string_view grpc_status_text(GrpcStatus status) {
  return kStatuses[static_cast<size_t>(status)].number;
}

std::optional<uint32_t> parse_grpc_status(std::string_view text) {
  uint32_t code = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, code);
  if (error != std::errc() || at != end) return std::nullopt;
  return code;
}

std::optional<uint32_t> grpc_status_of(const HeaderMap* trailers, const HeaderMap* head) {
  for (const HeaderMap* headers : {trailers, head}) {
    const Header* line = headers == nullptr ? nullptr : headers->find(Known::kGrpcStatus);
    if (line != nullptr) return parse_grpc_status(line->value);
  }
  return std::nullopt;
}

GrpcStatus grpc_status_of_http(uint16_t status) {
  switch (status) {
    case 400:
      return GrpcStatus::kInternal;
    case 401:
      return GrpcStatus::kUnauthenticated;
    case 403:
      return GrpcStatus::kPermissionDenied;
    case 404:
      return GrpcStatus::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus::kUnavailable;
    default:
      return GrpcStatus::kUnknown;
  }
}

uint16_t http_status_of_grpc(uint32_t code) {
  return code < kGrpcStatusCount ? kStatuses[code].http : 500;
}

void make_grpc_reply(int grpc_status, std::string_view body, std::string_view content_type,
                     ResponseHead& response) {
  HeaderMap& headers = response.headers;
  Arena& arena = headers.arena();
  char number[12];
  const int code =
      grpc_status >= 0 ? grpc_status : static_cast<int>(grpc_status_of_http(response.status));
  const char* end = std::to_chars(number, number + sizeof(number), code).ptr;
  response.status = 200;
  response.content_length = kUnknownLength;
  headers.remove(Known::kContentLength);
  headers.set(Known::kContentType, kGrpcContentType);
  if (!headers.has(Known::kGrpcStatus))
    headers.add(Known::kGrpcStatus, arena.copy({number, static_cast<size_t>(end - number)}));
  // JSON formats end their line; a header does not.
  if (content_type == "application/json" && body.ends_with('\n')) body.remove_suffix(1);
  if (!body.empty()) headers.set(Known::kGrpcMessage, encode_grpc_message(body, arena));
}

std::string_view encode_grpc_message(std::string_view text, Arena& arena) {
  size_t escapes = 0;
  for (const char c : text) escapes += is_plain(c) ? 0 : 1;
  if (escapes == 0) return text;
  const size_t size = text.size() + 2 * escapes;
  char* const out = arena.text(size);
  char* at = out;
  for (const char c : text) {
    if (is_plain(c)) {
      *at++ = c;
      continue;
    }
    *at++ = '%';
    *at++ = kHex[static_cast<uint8_t>(c) >> 4];
    *at++ = kHex[static_cast<uint8_t>(c) & 15];
  }
  return {out, size};
}

std::string decode_grpc_message(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<int64_t> parse_grpc_timeout_ms(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H':
      return value * 3'600'000;
    case 'M':
      return value * 60'000;
    case 'S':
      return value * 1000;
    case 'm':
      return value;
    case 'u':
      return (value + 999) / 1000;
    case 'n':
      return (value + 999'999) / 1'000'000;
    default:
      return std::nullopt;
  }
}

std::string_view format_grpc_timeout(int64_t timeout_ms, Arena& arena) {
  static constexpr struct {
    char unit;
    int64_t ms;
  } kUnits[] = {{'m', 1}, {'S', 1000}, {'M', 60'000}, {'H', 3'600'000}};
  char* const text = arena.text(9);
  int64_t value = 0;
  char unit = 'm';
  for (const auto& candidate : kUnits) {
    unit = candidate.unit;
    value = timeout_ms / candidate.ms;
    if (value <= kMostTimeoutUnits) break;
  }
  if (value > kMostTimeoutUnits) value = kMostTimeoutUnits;
  char* end = std::to_chars(text, text + 8, value).ptr;
  *end++ = unit;
  return {text, static_cast<size_t>(end - text)};
}

}  // namespace weir::http
