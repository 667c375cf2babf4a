#include "proxy/http/h1_parser.h"

#include <algorithm>
#include <cstring>

#include "proxy/http/field_syntax.h"
#include "proxy/http/known_names.h"

namespace weir::http::h1 {
namespace {

Parsed need_more() {
  return {};
}
Parsed error(uint16_t status, std::string_view details) {
  return {Status::kError, 0, status, details};
}

// Expects CR LF at p. 0: not enough, 1: there, -1: something else.
int at_crlf(const char* p, const char* end) {
  if (p == end) return 0;
  if (*p != '\r') return -1;
  if (p + 1 == end) return 0;
  return p[1] == '\n' ? 1 : -1;
}

struct Line {
  std::string_view name;
  std::string_view value;
};

// One field line at p, which is not the empty line. Advances p behind it. `why` is set for kError.
inline Status parse_line(char*& p, char* end, Line& line, const char*& why) {
  char* const name = p;
  char* at = lower_token(p, end);
  if (at == end) return Status::kNeedMore;
  if (*at != ':' || at == name) {
    const bool fold = at == name && (*at == ' ' || *at == '\t');
    why = fold ? "http1.obs_fold" : "http1.invalid_header_name";
    return Status::kError;
  }
  line.name = {name, static_cast<size_t>(at - name)};
  ++at;
  while (at < end && (*at == ' ' || *at == '\t')) ++at;
  char* const value = at;
  at = find_control(at, end);
  if (end - at < 2 && (at == end || *at == '\r')) return Status::kNeedMore;
  if (*at != '\r' || at[1] != '\n') {
    why = "http1.invalid_header_value";
    return Status::kError;
  }
  char* last = at;
  while (last > value && (last[-1] == ' ' || last[-1] == '\t')) --last;
  line.value = {value, static_cast<size_t>(last - value)};
  p = at + 2;
  return Status::kDone;
}

struct Fields {
  bool has_length = false;
  bool has_coding = false;
  bool foreign_coding = false;  // only where there is an error
  int64_t length = 0;
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool expect = false;
  std::string_view host;
  bool has_host = false;
  std::string_view upgrade_to;
};

// Reads the comma-separated options of one Connection line.
void note_connection(std::string_view list, Fields& fields) {
  fields.close |= list_has_token(list, "close");
  fields.keep_alive |= list_has_token(list, "keep-alive");
  fields.upgrade |= list_has_token(list, "upgrade");
}

// Whether a list of codings is as it should be, but for one that we do not have: chunked is the
// last and comes once (RFC 9112 6.1).
bool has_foreign_coding(std::string_view list) {
  const size_t comma = list.rfind(',');
  if (comma == std::string_view::npos ||
      !equals_ignore_case(trim(list.substr(comma + 1)), "chunked"))
    return false;
  list = list.substr(0, comma);
  for (;;) {
    const size_t end = std::min(list.find(','), list.size());
    const std::string_view coding = trim(list.substr(0, end));
    if (!is_token(coding) || equals_ignore_case(coding, "chunked")) return false;
    if (end == list.size()) return true;
    list.remove_prefix(end + 1);
  }
}

// Looks at the lines that frame the message. Null: fine, else the details of the error.
const char* note_special(Known known, const Line& line, Fields& fields) {
  switch (known) {
    case Known::kContentLength:
      if (fields.has_length) return "http1.duplicate_content_length";
      fields.has_length = true;
      fields.length = parse_length(line.value);
      return fields.length < 0 ? "http1.invalid_content_length" : nullptr;
    case Known::kTransferEncoding:
      if (fields.has_coding || !equals_ignore_case(line.value, "chunked")) {
        fields.foreign_coding = !fields.has_coding && has_foreign_coding(line.value);
        return "http1.invalid_transfer_encoding";
      }
      fields.has_coding = true;
      return nullptr;
    case Known::kConnection:
      note_connection(line.value, fields);
      return nullptr;
    case Known::kHost:
      if (fields.has_host) return "http1.duplicate_host";
      fields.has_host = true;
      fields.host = line.value;
      return nullptr;
    case Known::kUpgrade:
      fields.upgrade_to = line.value;
      return nullptr;
    case Known::kExpect:
      fields.expect = equals_ignore_case(line.value, "100-continue");
      return nullptr;
    default:
      return nullptr;
  }
}

// All field lines and the empty line after them. A Host line is noted and not added: in a request
// it becomes the authority, in a response it means nothing.
Parsed parse_fields(char*& from, char* end, const Limits& limits, HeaderMap& headers,
                    Fields& fields) {
  char* p = from;
  // A Host line counts like any other, as in Envoy.
  size_t lines = headers.count();
  for (;;) {
    const int crlf = at_crlf(p, end);
    if (crlf > 0) break;
    if (crlf == 0) return need_more();
    Line line;
    const char* why = nullptr;
    const Status status = parse_line(p, end, line, why);
    if (status == Status::kNeedMore) return need_more();
    if (status == Status::kError) return error(400, why);
    const Known known = find_known(line.name);
    if (++lines > limits.max_header_count) return error(431, "http1.too_many_headers");
    if (known != Known::kNone) {
      if (const char* details = note_special(known, line, fields))
        return error(fields.foreign_coding ? 501 : 400, details);
      if (known == Known::kHost) continue;
    } else if (is_framing_alias(line.name)) {
      return error(400, "http1.framing_header_alias");
    }
    headers.add(known, line.name, line.value);
  }
  from = p + 2;
  return {Status::kDone, 0, 0, {}};
}

// Moves all views from the read buffer into the arena, by one copy of the whole head.
class Keeper {
 public:
  Keeper(const char* data, size_t size, HeaderMap& headers)
      : delta_(headers.arena().copy({data, size}).data() - data) {
    headers.relocate(delta_);
  }
  std::string_view operator()(std::string_view view) const {
    return {view.data() + delta_, view.size()};
  }

 private:
  ptrdiff_t delta_;
};

// "HTTP/1.x" at p (8 bytes). 0 or 1: the minor version; -1: another version; -2: not HTTP.
int version_at(const char* p) {
  if (std::memcmp(p, "HTTP/", 5) != 0) return -2;
  if (p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9') return -2;
  if (p[5] != '1' || p[7] > '1') return -1;
  return p[7] - '0';
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  int minor = 1;
};

Parsed parse_request_line(char*& p, char* end, RequestLine& line) {
  char* at = p;
  while (at < end && token_char(*at) != 0) ++at;
  if (at == end) return need_more();
  if (*at != ' ' || at == p) return error(400, "http1.invalid_method");
  line.method = {p, static_cast<size_t>(at - p)};
  char* const target = ++at;
  while (at<end&& * at> 0x20 && *at < 0x7f) ++at;
  if (at == end) return need_more();
  if (*at != ' ' || at == target) return error(400, "http1.invalid_target");
  line.target = {target, static_cast<size_t>(at - target)};
  ++at;
  // The shortest wrong ending is told at once; a right one needs its 10 bytes.
  if (end - at < 8) {
    const size_t have = static_cast<size_t>(end - at);
    const bool prefix =
        std::string_view("HTTP/").substr(0, have) == std::string_view(at, have < 5 ? have : 5);
    return prefix ? need_more() : error(400, "http1.invalid_version");
  }
  line.minor = version_at(at);
  if (line.minor == -2) return error(400, "http1.invalid_version");
  if (line.minor == -1) return error(505, "http1.unsupported_version");
  const int crlf = at_crlf(at + 8, end);
  if (crlf == 0) return need_more();
  if (crlf < 0) return error(400, "http1.invalid_request_line");
  p = at + 10;
  return {Status::kDone, 0, 0, {}};
}

// Splits the target by its form (RFC 9112 3.2). Null: fine.
const char* read_target(std::string_view target, RequestHead& head, Framing& framing) {
  if (head.method == Method::kConnect) {
    if (target.find('/') != std::string_view::npos) return "http1.invalid_connect_target";
    head.authority = target;
    head.path = {};
    framing.absolute_form = true;
    return nullptr;
  }
  if (target[0] == '/') {
    head.path = target;
    return nullptr;
  }
  if (target == "*") {
    head.path = target;
    return head.method == Method::kOptions ? nullptr : "http1.invalid_target";
  }
  const size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return "http1.invalid_target";
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equals_ignore_case(scheme, "http") && !equals_ignore_case(scheme, "https"))
    return "http1.invalid_scheme";
  const std::string_view rest = target.substr(scheme_end + 3);
  const size_t authority_end = rest.find_first_of("/?#");
  head.authority = rest.substr(0, authority_end);
  if (head.authority.empty()) return "http1.invalid_target";
  framing.absolute_form = true;
  head.path =
      authority_end == std::string_view::npos ? std::string_view("/") : rest.substr(authority_end);
  if (head.path[0] == '/') return nullptr;
  if (head.path[0] == '#') return "http1.invalid_target";
  head.path = head.headers.arena().concat({"/", head.path});
  return nullptr;
}

// What the field lines say of framing, checked against the version (RFC 9112 6.3).
Parsed frame_request(const Fields& fields, RequestHead& head, Framing& framing) {
  framing.http10 = head.protocol == Protocol::kHttp10;
  if (fields.has_coding && fields.has_length)
    return error(400, "http1.content_length_and_transfer_encoding");
  if (fields.has_coding && framing.http10) return error(400, "http1.transfer_encoding_in_http10");
  framing.chunked = fields.has_coding;
  framing.has_host = fields.has_host;
  framing.keep_alive = framing.http10 ? fields.keep_alive && !fields.close : !fields.close;
  // An offer of cleartext HTTP/2 is one to ignore (RFC 9113 3.1).
  framing.upgrade = !framing.http10 && fields.upgrade && !fields.upgrade_to.empty() &&
                    !equals_ignore_case(fields.upgrade_to, "h2c");
  head.content_length = framing.chunked ? kUnknownLength : fields.length;
  head.expects_continue = fields.expect && !framing.http10;
  return {Status::kDone, 0, 0, {}};
}

struct StatusLine {
  uint16_t status = 0;
  std::string_view reason;
  int minor = 1;
};

Parsed parse_status_line(char*& p, char* end, StatusLine& line) {
  // "HTTP/1.x NNN" and what follows the status: enough to tell everything but the reason.
  constexpr ptrdiff_t kFixedBytes = 13;
  const std::string_view start(p, static_cast<size_t>(std::min<ptrdiff_t>(end - p, 5)));
  if (!std::string_view("HTTP/").starts_with(start)) return error(502, "http1.not_http");
  if (end - p < kFixedBytes) return need_more();
  line.minor = version_at(p);
  if (line.minor < 0) return error(502, "http1.unsupported_version");
  if (p[8] != ' ') return error(502, "http1.invalid_status_line");
  for (int i = 9; i < 12; ++i) {
    if (p[i] < '0' || p[i] > '9') return error(502, "http1.invalid_status");
    line.status = static_cast<uint16_t>(line.status * 10 + (p[i] - '0'));
  }
  if (line.status < 100) return error(502, "http1.invalid_status");
  if (p[12] != ' ' && p[12] != '\r') return error(502, "http1.invalid_status_line");
  char* const reason = p + 12;
  char* const reason_end = find_control(reason, end);
  const int crlf = at_crlf(reason_end, end);
  if (crlf == 0) return need_more();
  if (crlf < 0) return error(502, "http1.invalid_status_line");
  line.reason = {reason, static_cast<size_t>(reason_end - reason)};
  p = reason_end + 2;
  return {Status::kDone, 0, 0, {}};
}

// As frame_request, for a response; what its status and the request say of a body is not looked at.
Parsed frame_response(const Fields& fields, ResponseHead& head, Framing& framing) {
  framing.http10 = head.protocol == Protocol::kHttp10;
  if (fields.has_coding && fields.has_length)
    return error(502, "http1.content_length_and_transfer_encoding");
  if (fields.has_coding && framing.http10) return error(502, "http1.transfer_encoding_in_http10");
  framing.chunked = fields.has_coding;
  framing.keep_alive = framing.http10 ? fields.keep_alive && !fields.close : !fields.close;
  framing.upgrade = fields.upgrade && !fields.upgrade_to.empty();
  head.content_length = fields.has_length ? fields.length : kUnknownLength;
  return {Status::kDone, 0, 0, {}};
}

}  // namespace

bool is_token(std::string_view text) {
  for (char c : text)
    if (token_char(c) == 0) return false;
  return !text.empty();
}

Parsed parse_request(char* data, size_t size, const Limits& limits, RequestHead& head,
                     Framing& framing) {
  char* p = data;
  char* const end = data + size;
  // One empty line before a request is tolerated (RFC 9112 2.2).
  const int empty_line = at_crlf(p, end);
  if (empty_line == 0) return need_more();
  if (empty_line > 0) p += 2;
  RequestLine line;
  Parsed parsed = parse_request_line(p, end, line);
  if (parsed.status != Status::kDone) return parsed;
  if (static_cast<size_t>(p - data) > limits.max_head_bytes)
    return error(414, "http1.target_too_long");
  Fields fields;
  parsed = parse_fields(p, end, limits, head.headers, fields);
  if (parsed.status != Status::kDone) return parsed;
  const size_t consumed = static_cast<size_t>(p - data);
  if (consumed > limits.max_head_bytes) return error(431, "http1.headers_too_large");

  const Keeper keep(data, consumed, head.headers);
  head.method_text = keep(line.method);
  head.method = method_of(head.method_text);
  head.protocol = line.minor == 0 ? Protocol::kHttp10 : Protocol::kHttp11;
  if (fields.has_host) head.authority = keep(fields.host);
  if (const char* details = read_target(keep(line.target), head, framing))
    return error(400, details);
  parsed = frame_request(fields, head, framing);
  if (parsed.status != Status::kDone) return parsed;
  if (framing.upgrade) head.upgrade = keep(fields.upgrade_to);
  return {Status::kDone, consumed, 0, {}};
}

Parsed parse_response(char* data, size_t size, const Limits& limits, ResponseHead& head,
                      Framing& framing) {
  char* p = data;
  char* const end = data + size;
  StatusLine line;
  Parsed parsed = parse_status_line(p, end, line);
  if (parsed.status != Status::kDone) return parsed;
  Fields fields;
  parsed = parse_fields(p, end, limits, head.headers, fields);
  if (parsed.status == Status::kNeedMore) return parsed;
  if (parsed.status == Status::kError) return error(502, parsed.details);
  const size_t consumed = static_cast<size_t>(p - data);
  if (consumed > limits.max_head_bytes) return error(502, "http1.headers_too_large");

  const Keeper keep(data, consumed, head.headers);
  head.status = line.status;
  head.protocol = line.minor == 0 ? Protocol::kHttp10 : Protocol::kHttp11;
  head.reason = trim(keep(line.reason));
  parsed = frame_response(fields, head, framing);
  if (parsed.status != Status::kDone) return parsed;
  return {Status::kDone, consumed, 0, {}};
}

Parsed parse_trailers(char* data, size_t size, const Limits& limits, HeaderMap& trailers) {
  char* p = data;
  Fields fields;
  Parsed parsed = parse_fields(p, data + size, limits, trailers, fields);
  if (parsed.status != Status::kDone) return parsed;
  parsed.consumed = static_cast<size_t>(p - data);
  // Framing, routing and authentication must not come after the body (RFC 9110 6.5.1).
  if (fields.has_length || fields.has_coding || fields.has_host)
    return error(400, "http1.forbidden_trailer");
  const Keeper keep(data, parsed.consumed, trailers);
  return parsed;
}

// ---- chunked bodies ----

ChunkDecoder::Event ChunkDecoder::step_size(char c) {
  int digit = -1;
  if (c >= '0' && c <= '9') digit = c - '0';
  if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
  if (digit >= 0) {
    if (++digits_ > 15) return fail();
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    state_ = State::kSize;
    return Event::kNeedMore;
  }
  if (state_ == State::kSizeStart) return fail();
  if (c == ';') {
    state_ = State::kExtension;
  } else if (c == '\r') {
    state_ = State::kSizeLf;
  } else {
    return fail();
  }
  return Event::kNeedMore;
}

ChunkDecoder::Event ChunkDecoder::step_extension(char c) {
  if (++extension_bytes_ > kMaxExtensionBytes) return fail();
  if (state_ == State::kQuotedPair) {
    if (is_control(c)) return fail();
    state_ = State::kQuoted;
  } else if (state_ == State::kQuoted) {
    if (is_control(c)) return fail();
    if (c == '"') state_ = State::kExtension;
    if (c == '\\') state_ = State::kQuotedPair;
  } else if (c == '"') {
    state_ = State::kQuoted;
  } else if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (token_char(c) == 0 && c != ';' && c != '=' && c != ' ' && c != '\t') {
    return fail();
  }
  return Event::kNeedMore;
}

ChunkDecoder::Event ChunkDecoder::next(std::string_view& in, std::string_view& data) {
  while (!in.empty()) {
    if (state_ == State::kData) {
      data = in.substr(0, left_);
      in.remove_prefix(data.size());
      left_ -= data.size();
      if (left_ == 0) state_ = State::kDataCr;
      return Event::kData;
    }
    const char c = in.front();
    in.remove_prefix(1);
    switch (state_) {
      case State::kSizeStart:
      case State::kSize:
        if (step_size(c) == Event::kError) return Event::kError;
        break;
      case State::kExtension:
      case State::kQuoted:
      case State::kQuotedPair:
        if (step_extension(c) == Event::kError) return Event::kError;
        break;
      case State::kSizeLf:
        if (c != '\n') return fail();
        digits_ = 0;
        if (left_ == 0) return Event::kEnd;
        state_ = State::kData;
        break;
      case State::kDataCr:
        if (c != '\r') return fail();
        state_ = State::kDataLf;
        break;
      case State::kDataLf:
        if (c != '\n') return fail();
        state_ = State::kSizeStart;
        break;
      default:
        return fail();
    }
  }
  return Event::kNeedMore;
}

}  // namespace weir::http::h1
