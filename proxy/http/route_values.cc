#include <algorithm>

#include "proxy/http/host.h"
#include "proxy/http/route_compile.h"

namespace weir::http {

using config::Code;
using config::Diagnostics;
using config::FieldPath;

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
