#include "filters/grpc_json_transcoder/url_text.h"

#include <algorithm>

namespace weir::filters::transcoder {
namespace {

// RFC 6570 3.2.3: what reserved expansion leaves as it is.
constexpr std::string_view kReserved = "!#$&'()*+,/:;=?@[]";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that `text` begins with in encoded form, or -1.
int encoded_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_digit(text[1]);
  const int low = hex_digit(text[2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool stays(char c, Unescape what) {
  if (what == Unescape::kAllButSlash) return c == '/';
  return what == Unescape::kAllButReserved && kReserved.find(c) != std::string_view::npos;
}

}  // namespace

std::string unescape(std::string_view text, Unescape what, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = encoded_byte(text.substr(i));
    if (byte < 0) {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (stays(static_cast<char>(byte), what)) {
      out += text.substr(i, 3);
    } else {
      out += static_cast<char>(byte);
    }
    i += 2;
  }
  return out;
}

PathParts split_path(std::string_view path) {
  PathParts parts;
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/')) return parts;
  for (size_t from = 1; from <= path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    parts.segments.push_back(path.substr(from, to - from));
    from = to + 1;
  }
  while (!parts.segments.empty() && parts.segments.back().empty()) parts.segments.pop_back();
  if (parts.segments.empty()) return parts;
  std::string_view& last = parts.segments.back();
  parts.with_verb = last;
  const size_t colon = last.rfind(':');
  if (colon == std::string_view::npos || !path.ends_with(last)) return parts;
  parts.verb = last.substr(colon + 1);
  if (!parts.verb.empty()) last = last.substr(0, colon);
  if (last.empty()) parts.segments.pop_back();
  return parts;
}

std::vector<QueryPair> split_query(std::string_view path, bool plus_is_space) {
  std::vector<QueryPair> pairs;
  size_t from = path.find('?');
  while (from != std::string_view::npos) {
    const size_t to = path.find('&', from + 1);
    const std::string_view part = path.substr(from + 1, to - from - 1);
    from = to;
    const size_t equals = part.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    pairs.push_back({unescape(part.substr(0, equals), Unescape::kAll, plus_is_space),
                     unescape(part.substr(equals + 1), Unescape::kAll, plus_is_space)});
  }
  return pairs;
}

}  // namespace weir::filters::transcoder
