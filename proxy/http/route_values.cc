#include <google/protobuf/duration.pb.h>

#include <algorithm>

#include "proxy/http/host.h"
#include "proxy/http/route_compile.h"

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

bool check_path_text(std::string_view text, const FieldPath& path, Diagnostics& diagnostics) {
  const bool fine = std::all_of(text.begin(), text.end(),
                                [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (fine) return true;
  diagnostics.error(Code::kInvalidValue, path,
                    "'" + std::string(text) + "' has a byte that no path may have",
                    "percent-encode spaces, '#' and bytes that are not ASCII");
  return false;
}

bool check_host_text(std::string_view text, const FieldPath& path, Diagnostics& diagnostics) {
  if (valid_host(text)) return true;
  diagnostics.error(Code::kInvalidValue, path, "'" + std::string(text) + "' is not a host",
                    "a host is a name, an IPv4 address or an IPv6 address in brackets, "
                    "perhaps with \":port\"");
  return false;
}

}  // namespace weir::http
