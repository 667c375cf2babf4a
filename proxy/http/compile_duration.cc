#include "proxy/http/compile_duration.h"

#include <google/protobuf/duration.pb.h>

namespace weir::http {

using config::Code;
using config::Diagnostics;
using config::FieldPath;

std::optional<int64_t> compile_duration_ms(const google::protobuf::Duration& duration,
                                           const FieldPath& path, Diagnostics& diagnostics) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;  // 10,000 years, the bound of the type
  if (duration.seconds() < 0 || duration.seconds() > kMaxSeconds || duration.nanos() < 0) {
    diagnostics.error(Code::kOutOfRange, path,
                      "the duration is negative or longer than 10,000 years",
                      "write seconds, e.g. \"1.5s\"");
    return std::nullopt;
  }
  return duration.seconds() * 1000 + (duration.nanos() + 999'999) / 1'000'000;
}

void compile_duration_ms(const google::protobuf::Duration& duration, const FieldPath& path,
                         Diagnostics& diagnostics, int64_t& out) {
  if (const auto ms = compile_duration_ms(duration, path, diagnostics)) out = *ms;
}

}  // namespace weir::http
