#include "proxy/http/message.h"

#include <array>
#include <charconv>

namespace weir::http {

std::string_view protocol_text(Protocol protocol) {
  switch (protocol) {
    case Protocol::kHttp10:
      return "HTTP/1.0";
    case Protocol::kHttp11:
      return "HTTP/1.1";
    case Protocol::kHttp2:
      return "HTTP/2";
  }
  return "";
}

Method method_of(std::string_view text) {
  switch (text.size()) {
    case 3:
      if (text == "GET") return Method::kGet;
      if (text == "PUT") return Method::kPut;
      break;
    case 4:
      if (text == "POST") return Method::kPost;
      if (text == "HEAD") return Method::kHead;
      break;
    case 5:
      if (text == "PATCH") return Method::kPatch;
      if (text == "TRACE") return Method::kTrace;
      break;
    case 6:
      if (text == "DELETE") return Method::kDelete;
      break;
    case 7:
      if (text == "OPTIONS") return Method::kOptions;
      if (text == "CONNECT") return Method::kConnect;
      break;
    default:
      break;
  }
  return Method::kOther;
}

bool is_idempotent(Method method) {
  switch (method) {
    case Method::kGet:
    case Method::kHead:
    case Method::kPut:
    case Method::kDelete:
    case Method::kOptions:
    case Method::kTrace:
      return true;
    default:
      return false;
  }
}

std::string_view RequestHead::value_of(std::string_view name, bool& present) const {
  present = true;
  if (name == ":path") return path;
  if (name == ":method") return method_text;
  if (name == ":authority" || name == "host") {
    present = !authority.empty();
    return authority;
  }
  if (name == ":scheme") return scheme;
  return headers.joined(name, present);
}

void ResponseHead::clear() {
  status = 0;
  protocol = Protocol::kHttp11;
  reason = {};
  content_length = kUnknownLength;
  wire_bytes = 0;
  headers.clear();
}

std::string_view ResponseHead::value_of(std::string_view name, bool& present) const {
  if (name != ":status") return headers.joined(name, present);
  present = true;
  char text[8];
  const auto end = std::to_chars(text, text + sizeof(text), status).ptr;
  return headers.arena().copy({text, static_cast<size_t>(end - text)});
}

namespace {

struct Phrase {
  uint16_t status;
  std::string_view text;
};

constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

constexpr uint16_t kFirstStatus = 100;

// By status: every response asks.
constexpr auto kPhraseOf = [] {
  std::array<std::string_view, 500> out{};
  for (const Phrase& phrase : kPhrases) out[phrase.status - kFirstStatus] = phrase.text;
  return out;
}();

}  // namespace

std::string_view reason_phrase(uint16_t status) {
  const size_t index = static_cast<size_t>(status) - kFirstStatus;
  return index < kPhraseOf.size() ? kPhraseOf[index] : std::string_view();
}

}  // namespace weir::http
