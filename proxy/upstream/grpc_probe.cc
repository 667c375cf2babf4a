// Protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Its two messages have
// one field each, so they are written and read by hand.
#include "proxy/http/grpc.h"
#include "proxy/http/grpc_frame.h"
#include "proxy/upstream/exchange_probe.h"

namespace weir::upstream {

using http::Known;

namespace {

constexpr char kServiceField = 0x0a;  // 1, a string
constexpr uint64_t kStatusField = 1;
constexpr uint64_t kServing = 1;

void append_varint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

bool take_varint(std::string_view& bytes, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// HealthCheckResponse.status; what is not understood is not healthy.
uint64_t status_in(std::string_view message) {
  uint64_t status = 0;
  while (!message.empty()) {
    uint64_t tag = 0;
    uint64_t value = 0;
    if (!take_varint(message, tag) || !take_varint(message, value)) return 0;
    const uint64_t wire_type = tag & 7;
    if (wire_type == 0 && tag >> 3 == kStatusField) status = value;
    if (wire_type == 0) continue;
    if (wire_type != 2 || value > message.size()) return 0;
    message.remove_prefix(value);
  }
  return status;
}

}  // namespace

GrpcProbe::GrpcProbe(const ProbeNeeds& needs, ProbeEvents& events) : ExchangeProbe(needs, events) {
  std::string message;
  if (!check().service.empty()) {
    message.push_back(kServiceField);
    append_varint(check().service.size(), message);
    message += check().service;
  }
  http::append_grpc_frame(message, request_);
}

void GrpcProbe::write_head(http::RequestHead& head, Arena& arena) {
  head.method = http::Method::kPost;
  head.method_text = "POST";
  head.path = "/grpc.health.v1.Health/Check";
  head.headers.add(Known::kContentType, http::kGrpcContentType);
  head.headers.add(Known::kTe, "trailers");
  head.headers.add(Known::kGrpcTimeout, http::format_grpc_timeout(check().timeout_ms, arena));
}

ExchangeProbe::Verdict GrpcProbe::judge(const http::ResponseHead& head, std::string_view body,
                                        const http::HeaderMap* trailers) {
  const auto code = http::grpc_status_of(trailers, &head.headers);
  if (head.status != 200 || !code || *code != 0) return {};
  http::GrpcFrameReader reader(body_limit());
  reader.feed(body);
  std::string_view message;
  uint8_t flags = 0;
  if (reader.next(message, flags) != http::GrpcFrameReader::Step::kMessage || flags != 0) return {};
  return {status_in(message) == kServing ? CheckResult::kHealthy : CheckResult::kFailed};
}

}  // namespace weir::upstream
