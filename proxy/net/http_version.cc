#include "proxy/net/http_version.h"

#include <algorithm>

namespace weir::net {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kMaxMethodBytes = 32;

bool is_method_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

// A method and a space, or the beginning of a method.
bool may_begin_request(std::string_view line) {
  const auto end = std::find_if_not(line.begin(), line.end(), is_method_char);
  const auto length = static_cast<size_t>(end - line.begin());
  if (length > kMaxMethodBytes) return false;
  return end == line.end() || (*end == ' ' && length > 0);
}

HttpVersion version_of(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.ends_with(" HTTP/1.1")) return HttpVersion::kHttp11;
  return line.ends_with(" HTTP/1.0") ? HttpVersion::kHttp10 : HttpVersion::kNotHttp;
}

}  // namespace

HttpVersion sniff_http_version(std::string_view bytes) {
  const size_t shared = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, shared) == kPreface.substr(0, shared))
    return bytes.size() < kPreface.size() ? HttpVersion::kNeedsMore : HttpVersion::kHttp2;
  // Empty lines before a request are nothing (RFC 9112 2.2).
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  if (bytes.empty() || bytes == "\r") return HttpVersion::kNeedsMore;
  const size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  if (!may_begin_request(line) || line.size() > kMaxSniffedLineBytes) return HttpVersion::kNotHttp;
  return end == std::string_view::npos ? HttpVersion::kNeedsMore : version_of(line);
}

}  // namespace weir::net
