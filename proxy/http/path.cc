#include "proxy/http/path.h"

#include <array>
#include <cstring>

namespace weir::http {
namespace {

using EscapedSlashes = PathOptions::EscapedSlashes;

enum ByteClass : uint8_t {
  kUnreserved = 1,  // letters, digits, "-._~"
  kForbidden = 2,   // control bytes, space, '#'
  kMustEscape = 4,  // not allowed in a path by RFC 3986
  kPercent = 8,
  kBackslash = 16,
  kSlash = 32,
  kQuery = 64,
};

constexpr std::array<uint8_t, 256> classify() {
  std::array<uint8_t, 256> table{};
  for (size_t c = 0; c < 256; ++c) {
    if (c <= 0x20 || c == 0x7f) table[c] = kForbidden;
    if (c >= 0x80) table[c] = kMustEscape;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      table[c] = kUnreserved;
  }
  for (const char c : {'"', '<', '>', '^', '`', '{', '|', '}'})
    table[static_cast<uint8_t>(c)] = kMustEscape;
  for (const char c : {'-', '.', '_', '~'}) table[static_cast<uint8_t>(c)] = kUnreserved;
  table['#'] = kForbidden;
  table['%'] = kPercent;
  table['\\'] = kBackslash;
  table['/'] = kSlash;
  table['?'] = kQuery;
  return table;
}

constexpr std::array<uint8_t, 256> kClass = classify();

uint8_t class_of(char c) {
  return kClass[static_cast<uint8_t>(c)];
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that the escape at the start of `text` stands for, or -1 when it is not an escape.
int escaped_byte(std::string_view text) {
  if (text.size() < 3) return -1;
  const int high = hex_digit(text[1]);
  const int low = hex_digit(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

enum class Scan : uint8_t { kCanonical, kNeedsWork, kReject };

Scan scan_query(std::string_view query) {
  for (const char c : query)
    if (class_of(c) & kForbidden) return Scan::kReject;
  return Scan::kCanonical;
}

// Finds out in one pass whether there is anything to do. Says kNeedsWork rather too often.
Scan scan(std::string_view path, const PathOptions& options) {
  const uint8_t work = options.normalize ? kPercent | kBackslash | kMustEscape : kPercent;
  for (size_t i = 0; i < path.size(); ++i) {
    const uint8_t type = class_of(path[i]);
    if (type == kUnreserved) continue;
    if (type & kForbidden) return Scan::kReject;
    if (type & work) return Scan::kNeedsWork;
    if (type & kQuery) return scan_query(path.substr(i));
    if (!(type & kSlash) || i + 1 == path.size()) continue;
    if (options.normalize && path[i + 1] == '.') return Scan::kNeedsWork;
    if (options.merge_slashes && path[i + 1] == '/') return Scan::kNeedsWork;
  }
  return Scan::kCanonical;
}

// Writes a path without its query into a buffer, escapes decoded or made as the options say.
class Decoder {
 public:
  Decoder(const PathOptions& options, char* to) : options_(options), to_(to) {}

  // False: the path is to be rejected.
  bool decode(std::string_view path) {
    while (!path.empty()) {
      const size_t used = step(path);
      if (used == 0) return false;
      path.remove_prefix(used);
    }
    return true;
  }

  char* end() const { return to_; }
  bool unescaped_slash() const { return unescaped_slash_; }

 private:
  // Bytes of `path` dealt with; 0 to reject.
  size_t step(std::string_view path) {
    const char c = path[0];
    const uint8_t type = class_of(c);
    if (type & kForbidden) return 0;
    if (type & kPercent) return escape(path);
    if (options_.normalize && (type & kMustEscape))
      put_escaped(c);
    else
      put(c);
    return 1;
  }

  size_t escape(std::string_view path) {
    const int byte = escaped_byte(path);
    if (byte < 0) return stray_percent(path);
    const char c = static_cast<char>(byte);
    if (c == '\0') return 0;
    if ((c == '/' || c == '\\') && options_.escaped_slashes != EscapedSlashes::kKeep) {
      if (options_.escaped_slashes == EscapedSlashes::kReject) return 0;
      unescaped_slash_ = true;
      put(c);
    } else if (options_.normalize && class_of(c) == kUnreserved) {
      put(c);
    } else {
      std::memcpy(to_, path.data(), 3);
      to_ += 3;
    }
    return 3;
  }

  // "%2%46" would decode to "%2F", which a second reader takes for a slash.
  size_t stray_percent(std::string_view path) {
    const size_t next = path.size() > 1 && hex_digit(path[1]) >= 0 ? 2 : 1;
    const int byte = next < path.size() && path[next] == '%' ? escaped_byte(path.substr(next)) : -1;
    if (options_.normalize && byte >= 0 && hex_digit(static_cast<char>(byte)) >= 0) return 0;
    put('%');
    return 1;
  }

  void put(char c) { *to_++ = options_.normalize && c == '\\' ? '/' : c; }

  void put_escaped(char c) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = static_cast<uint8_t>(c);
    *to_++ = '%';
    *to_++ = kDigits[byte >> 4];
    *to_++ = kDigits[byte & 15];
  }

  const PathOptions& options_;
  char* to_;
  bool unescaped_slash_ = false;
};

// RFC 3986 5.2.4, in place; `text` begins with a slash. Returns the new length.
size_t remove_dot_segments(char* text, size_t size) {
  size_t kept = 0;  // text[0, kept) is done; each segment is written with its leading slash
  for (size_t at = 0; at < size;) {
    size_t end = at + 1;
    while (end < size && text[end] != '/') ++end;
    const std::string_view segment(text + at + 1, end - at - 1);
    const bool dot = segment == ".";
    const bool dots = segment == "..";
    if (dots)
      while (kept > 0 && text[--kept] != '/') continue;
    if (!dot && !dots) {
      std::memmove(text + kept, text + at, end - at);
      kept += end - at;
    } else if (end == size) {
      text[kept++] = '/';  // "/a/.." names the folder "/"
    }
    at = end;
  }
  return kept;
}

size_t merge_slashes(char* text, size_t size) {
  size_t kept = 0;
  for (size_t i = 0; i < size; ++i)
    if (text[i] != '/' || kept == 0 || text[kept - 1] != '/') text[kept++] = text[i];
  return kept;
}

size_t decoded_size_bound(std::string_view path) {
  size_t size = path.size();
  for (const char c : path)
    if (class_of(c) & kMustEscape) size += 2;
  return size;
}

PathVerdict rewrite(std::string_view path, const PathOptions& options, Arena& arena,
                    std::string_view& out) {
  const std::string_view plain = path.substr(0, path.find('?'));
  const std::string_view query = path.substr(plain.size());
  if (scan_query(query) == Scan::kReject) return PathVerdict::kReject;

  char* text = arena.text(decoded_size_bound(plain) + query.size());
  Decoder decoder(options, text);
  if (!decoder.decode(plain)) return PathVerdict::kReject;
  auto size = static_cast<size_t>(decoder.end() - text);
  if (options.normalize) size = remove_dot_segments(text, size);
  if (options.merge_slashes) size = merge_slashes(text, size);
  if (!query.empty()) std::memcpy(text + size, query.data(), query.size());

  out = {text, size + query.size()};
  if (decoder.unescaped_slash() && options.escaped_slashes == EscapedSlashes::kUnescapeAndRedirect)
    return PathVerdict::kRedirect;
  if (out != path) return PathVerdict::kChanged;
  out = path;
  return PathVerdict::kUnchanged;
}

}  // namespace

PathVerdict canonicalize(std::string_view path, const PathOptions& options, Arena& arena,
                         std::string_view& out) {
  out = path;
  if (path == "*") return PathVerdict::kUnchanged;
  if (path.empty() || path[0] != '/') return PathVerdict::kReject;
  switch (scan(path, options)) {
    case Scan::kCanonical:
      return PathVerdict::kUnchanged;
    case Scan::kReject:
      return PathVerdict::kReject;
    case Scan::kNeedsWork:
      break;
  }
  return rewrite(path, options, arena, out);
}

}  // namespace weir::http
