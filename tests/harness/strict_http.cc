#include "tests/harness/strict_http.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

namespace weir::test {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

bool is_token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_visible(char c) {
  return c > 0x20 && c != 0x7f;
}  // signed: excludes obs-text as well

bool is_field_char(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return byte >= 0x80 || c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

ParseResult invalid(std::string why) {
  return {Parsed::kInvalid, std::move(why)};
}

// Digits only, at most 18, without a leading zero.
std::optional<size_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return {};
  size_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<size_t>(c - '0');
  }
  return value;
}

std::optional<size_t> parse_chunk_size(std::string_view text) {
  if (text.empty() || text.size() > 15) return {};
  size_t value = 0;
  for (const char c : text) {
    const int lower = std::tolower(static_cast<unsigned char>(c));
    if (lower >= '0' && lower <= '9') {
      value = value * 16 + static_cast<size_t>(lower - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<size_t>(lower - 'a' + 10);
    } else {
      return {};
    }
  }
  return value;
}

// Walks over the bytes of one message.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // A line without its CRLF; nothing when it is not complete. A lone CR or LF is part of the line
  // and so fails the checks of whoever uses it.
  std::optional<std::string_view> line() {
    const size_t end = bytes_.find("\r\n", at_);
    if (end == std::string_view::npos) return {};
    const std::string_view line = bytes_.substr(at_, end - at_);
    at_ = end + 2;
    return line;
  }
  std::optional<std::string_view> take(size_t count) {
    if (bytes_.size() - at_ < count) return {};
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  std::string_view rest() {
    const std::string_view all = bytes_.substr(at_);
    at_ = bytes_.size();
    return all;
  }
  size_t position() const { return at_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

std::string parse_field(std::string_view line, Lines& lines) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "a header line without a colon";
  const std::string_view name = line.substr(0, colon);
  if (!is_token(name)) return "a header name that is not a token";
  std::string_view value = line.substr(colon + 1);
  if (!std::all_of(value.begin(), value.end(), is_field_char))
    return "a control character in the value of " + std::string(name);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  lines.emplace_back(name, value);
  return "";
}

// Header or trailer lines and the empty line after them.
ParseResult parse_fields(Reader& reader, Lines& lines) {
  for (;;) {
    const auto line = reader.line();
    if (!line) return {Parsed::kNothing, ""};
    if (line->empty()) return {Parsed::kComplete, ""};
    if (std::string error = parse_field(*line, lines); !error.empty()) return invalid(error);
  }
}

ParseResult parse_chunked(Reader& reader, Message& message) {
  for (;;) {
    const auto line = reader.line();
    if (!line) return {Parsed::kHead, ""};
    const auto size = parse_chunk_size(*line);
    if (!size) return invalid("a bad chunk size: \"" + std::string(line->substr(0, 40)) + '"');
    if (*size == 0) break;
    const auto data = reader.take(*size);
    const auto end = data ? reader.take(2) : std::nullopt;
    if (!end) return {Parsed::kHead, ""};
    if (*end != "\r\n") return invalid("a chunk that is not followed by CRLF");
    message.body += *data;
  }
  ParseResult result = parse_fields(reader, message.trailers);
  if (result.parsed == Parsed::kNothing) result.parsed = Parsed::kHead;
  return result;
}

enum class Framing { kNone, kLength, kChunked, kInvalid };

Framing framing_of(const Message& message, size_t& length, std::string& error) {
  const auto lengths = message.values("content-length");
  const auto codings = message.values("transfer-encoding");
  if (!codings.empty()) {
    if (!lengths.empty()) error = "both Content-Length and Transfer-Encoding";
    if (codings.size() != 1 || codings[0] != "chunked") error = "Transfer-Encoding is not chunked";
    if (message.version != "HTTP/1.1") error = "Transfer-Encoding in " + message.version;
    return error.empty() ? Framing::kChunked : Framing::kInvalid;
  }
  if (lengths.empty()) return Framing::kNone;
  const auto parsed = parse_length(lengths[0]);
  if (lengths.size() != 1 || !parsed) {
    error = "a bad or repeated Content-Length";
    return Framing::kInvalid;
  }
  length = *parsed;
  return Framing::kLength;
}

ParseResult parse_body(Reader& reader, Framing framing, size_t length, Message& message) {
  ParseResult result{Parsed::kComplete, ""};
  if (framing == Framing::kChunked) {
    result = parse_chunked(reader, message);
  } else if (framing == Framing::kLength) {
    if (const auto body = reader.take(length)) {
      message.body = *body;
    } else {
      message.body = reader.rest();
      result.parsed = Parsed::kHead;
    }
  }
  message.wire_bytes = reader.position();
  return result;
}

std::string parse_request_line(std::string_view line, Message& message) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return "a request line without 3 parts";
  message.method = line.substr(0, first);
  message.target = line.substr(first + 1, last - first - 1);
  message.version = line.substr(last + 1);
  if (!is_token(message.method)) return "a method that is not a token";
  if (message.target.empty() ||
      !std::all_of(message.target.begin(), message.target.end(), is_visible))
    return "a bad byte in the request target";
  if (message.version != "HTTP/1.1" && message.version != "HTTP/1.0") return "a bad version";
  return "";
}

std::string parse_status_line(std::string_view line, Message& message) {
  if (line.size() < 13 || line[8] != ' ' || line[12] != ' ') return "a bad status line";
  message.version = line.substr(0, 8);
  message.reason = line.substr(13);
  if (message.version != "HTTP/1.1" && message.version != "HTTP/1.0") return "a bad version";
  for (const char c : line.substr(9, 3)) {
    if (c < '0' || c > '9') return "a status that is not three digits";
    message.status = message.status * 10 + (c - '0');
  }
  if (!std::all_of(message.reason.begin(), message.reason.end(), is_field_char))
    return "a control character in the reason";
  return "";
}

// The first line and the header lines.
ParseResult parse_head(Reader& reader, std::string (*parse_first)(std::string_view, Message&),
                       Message& message) {
  message = Message();
  const auto line = reader.line();
  if (!line) return {};
  if (std::string error = parse_first(*line, message); !error.empty()) return invalid(error);
  ParseResult result = parse_fields(reader, message.headers);
  message.head_bytes = reader.position();
  return result;
}

}  // namespace

std::vector<std::string> Message::values(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [line_name, value] : headers)
    if (same_ignoring_case(line_name, name)) found.push_back(value);
  return found;
}

ParseResult parse_request(std::string_view bytes, Message& message) {
  Reader reader(bytes);
  const ParseResult head = parse_head(reader, parse_request_line, message);
  if (head.parsed != Parsed::kComplete) return head;
  const auto hosts = message.values("host");
  if (hosts.size() > 1 || (hosts.empty() && message.version == "HTTP/1.1"))
    return invalid("not exactly one Host");
  std::string error;
  size_t length = 0;
  const Framing framing = framing_of(message, length, error);
  if (framing == Framing::kInvalid) return invalid(error);
  return parse_body(reader, framing, length, message);
}

ParseResult parse_response(std::string_view bytes, const ResponseContext& context,
                           Message& message) {
  Reader reader(bytes);
  const ParseResult head = parse_head(reader, parse_status_line, message);
  if (head.parsed != Parsed::kComplete) return head;
  std::string error;
  size_t length = 0;
  Framing framing = framing_of(message, length, error);
  if (framing == Framing::kInvalid) return invalid(error);
  const int status = message.status;
  const bool tunnel = context.method == "CONNECT" && status / 100 == 2;
  if (status / 100 == 1 || status == 204 || tunnel) {
    if (framing != Framing::kNone) return invalid("a body length where no body can be");
  } else if (context.method == "HEAD" || status == 304) {
    framing = Framing::kNone;
  } else if (framing == Framing::kNone) {
    message.body = reader.rest();  // until the end of the connection
    message.wire_bytes = reader.position();
    return {context.ended ? Parsed::kComplete : Parsed::kHead, ""};
  }
  return parse_body(reader, framing, length, message);
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

}  // namespace weir::test
