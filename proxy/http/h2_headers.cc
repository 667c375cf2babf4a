#include "proxy/http/h2_headers.h"

#include <charconv>
#include <cstring>

#include "proxy/http/field_syntax.h"

namespace weir::http::h2 {
namespace {

// Lines that speak of one connection, or that HTTP/2 says in another way (RFC 9113 8.2.2).
constexpr uint64_t kNotWritten =
    FieldList::bit(Known::kConnection) | FieldList::bit(Known::kKeepAlive) |
    FieldList::bit(Known::kProxyConnection) | FieldList::bit(Known::kTe) |
    FieldList::bit(Known::kTransferEncoding) | FieldList::bit(Known::kUpgrade) |
    FieldList::bit(Known::kContentLength) | FieldList::bit(Known::kHttp2Settings) |
    FieldList::bit(Known::kHost);
static_assert(static_cast<unsigned>(Known::kCount) <= 64);

constexpr uint16_t kFirstStatus = 100;
constexpr uint16_t kLastStatus = 999;

constexpr auto build_status_texts() {
  std::array<char, (kLastStatus - kFirstStatus + 1) * 3> texts{};
  for (size_t i = 0; i < texts.size() / 3; ++i) {
    const size_t status = i + kFirstStatus;
    texts[i * 3] = static_cast<char>('0' + status / 100);
    texts[i * 3 + 1] = static_cast<char>('0' + status / 10 % 10);
    texts[i * 3 + 2] = static_cast<char>('0' + status % 10);
  }
  return texts;
}
constexpr auto kStatusTexts = build_status_texts();

bool valid_name(std::string_view name) {
  for (char c : name)
    if (c == 0 || token_char(c) != c) return false;
  return !name.empty();
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

bool valid_value(std::string_view value) {
  if (value.empty()) return true;
  if (is_blank(value.front()) || is_blank(value.back())) return false;
  const char* const end = value.data() + value.size();
  return find_control(value.data(), end) == end;
}

// Without spaces, controls and bytes above 0x7f: what HTTP/1's request line can carry.
bool valid_pseudo_value(std::string_view value) {
  for (char c : value)
    if (c <= 0x20 || c >= 0x7f) return false;
  return true;
}

bool is_token(std::string_view text) {
  for (char c : text)
    if (token_char(c) == 0) return false;
  return !text.empty();
}

}  // namespace

void FieldSection::begin(Kind kind, HeaderMap& to, const HeaderLimits& limits) {
  to_ = &to;
  limits_ = limits;
  kind_ = kind;
  host_ = details_ = {};
  content_length_ = kUnknownLength;
  bytes_ = 0;
  count_ = cookies_ = 0;
  seen_ = 0;
  regular_seen_ = host_seen_ = false;
}

FieldSection::Verdict FieldSection::malformed(std::string_view details) {
  details_ = details;
  return Verdict::kMalformed;
}

bool FieldSection::fail(std::string_view details) {
  details_ = details;
  to_ = nullptr;
  return false;
}

FieldSection::Verdict FieldSection::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size();
  if (bytes_ > limits_.max_bytes) {
    details_ = "http2.headers_too_large";
    return Verdict::kTooLarge;
  }
  // Pseudo-headers count too, as in Envoy.
  if (++count_ > limits_.max_count) {
    details_ = "http2.too_many_headers";
    return Verdict::kTooLarge;
  }
  if (!name.empty() && name[0] == ':') return add_pseudo(name, value);
  return add_regular(name, value);
}

FieldSection::Verdict FieldSection::add_pseudo(std::string_view name, std::string_view value) {
  static constexpr std::array<std::string_view, kPseudoCount> kNames = {
      ":method", ":scheme", ":authority", ":path", ":protocol", ":status"};
  if (kind_ == Kind::kTrailers) return malformed("http2.pseudo_header_in_trailers");
  if (regular_seen_) return malformed("http2.pseudo_header_after_header");
  size_t at = 0;
  while (at < kPseudoCount && kNames[at] != name) ++at;
  if (at == kPseudoCount || (at == kStatus) != (kind_ == Kind::kResponse))
    return malformed("http2.unknown_pseudo_header");
  if (has(static_cast<Pseudo>(at))) return malformed("http2.duplicate_pseudo_header");
  if (!valid_pseudo_value(value)) return malformed("http2.invalid_pseudo_header");
  seen_ = static_cast<uint8_t>(seen_ | 1u << at);
  pseudo_[at] = to_->arena().copy(value);
  return Verdict::kFine;
}

FieldSection::Verdict FieldSection::add_regular(std::string_view name, std::string_view value) {
  regular_seen_ = true;
  if (!valid_value(value)) return malformed("http2.invalid_header_value");
  const Known known = known_header(name);
  if (known != Known::kNone) return add_known(known, value);
  if (!valid_name(name)) return malformed("http2.invalid_header_name");
  if (is_framing_alias(name)) return malformed("http2.framing_header_alias");
  Arena& arena = to_->arena();
  to_->add(Known::kNone, arena.copy(name), arena.copy(value));
  return Verdict::kFine;
}

FieldSection::Verdict FieldSection::add_known(Known known, std::string_view value) {
  switch (known) {
    case Known::kConnection:
    case Known::kKeepAlive:
    case Known::kProxyConnection:
    case Known::kTransferEncoding:
    case Known::kUpgrade:
      return malformed("http2.connection_header");
    case Known::kHttp2Settings:
      return Verdict::kFine;  // means something in an upgrade of HTTP/1 only
    case Known::kTe:
      if (value != "trailers") return malformed("http2.invalid_te");
      break;
    case Known::kHost:
      return note_host(value);
    case Known::kContentLength:
      if (note_content_length(value) != Verdict::kFine) return Verdict::kMalformed;
      break;
    case Known::kCookie:
      ++cookies_;
      break;
    default:
      break;
  }
  to_->add(known, to_->arena().copy(value));
  return Verdict::kFine;
}

FieldSection::Verdict FieldSection::note_content_length(std::string_view value) {
  if (kind_ == Kind::kTrailers) return malformed("http2.forbidden_trailer");
  if (content_length_ != kUnknownLength) return malformed("http2.duplicate_content_length");
  content_length_ = parse_length(value);
  return content_length_ < 0 ? malformed("http2.invalid_content_length") : Verdict::kFine;
}

// In a response a Host line means nothing.
FieldSection::Verdict FieldSection::note_host(std::string_view value) {
  if (kind_ == Kind::kTrailers) return malformed("http2.forbidden_trailer");
  if (host_seen_) return malformed("http2.duplicate_host");
  host_seen_ = true;
  if (kind_ == Kind::kRequest) host_ = to_->arena().copy(value);
  return Verdict::kFine;
}

// ---- whole sections ----

bool FieldSection::check_connect(const RequestHead& head, bool allow_connect) {
  if (has(kProtocol)) {
    if (!allow_connect) return fail("http2.extended_connect_not_allowed");
    if (head.method != Method::kConnect || !is_token(pseudo_[kProtocol]))
      return fail("http2.invalid_protocol");
    return true;
  }
  if (head.method != Method::kConnect) return true;
  if (has(kPath) || has(kScheme) || !has(kAuthority)) return fail("http2.invalid_connect");
  return true;
}

bool FieldSection::check_target(const RequestHead& head) {
  if (!has(kScheme) || !has(kPath)) return fail("http2.missing_pseudo_header");
  const std::string_view scheme = pseudo_[kScheme];
  if (!equals_ignore_case(scheme, "http") && !equals_ignore_case(scheme, "https"))
    return fail("http2.invalid_scheme");
  const std::string_view path = pseudo_[kPath];
  if (path == "*" && head.method == Method::kOptions) return true;
  if (path.empty() || path[0] != '/') return fail("http2.invalid_path");
  return true;
}

bool FieldSection::reconcile_host(RequestHead& head) {
  if (!has(kAuthority)) {
    head.authority = host_;
    return true;
  }
  head.authority = pseudo_[kAuthority];
  if (host_seen_ && !equals_ignore_case(host_, head.authority))
    return fail("http2.host_differs_from_authority");
  return true;
}

// RFC 9113 8.2.3: what was split for the sake of compression becomes one line again.
void FieldSection::join_cookies(HeaderMap& headers) {
  size_t bytes = 0;
  headers.for_each([&](const Header& line) {
    if (line.known == Known::kCookie) bytes += line.value.size() + 2;
  });
  char* const text = headers.arena().text(bytes);
  char* at = text;
  Header* first = nullptr;
  headers.for_each([&](Header& line) {
    if (line.known != Known::kCookie) return;
    if (first != nullptr) {
      at = static_cast<char*>(std::memcpy(at, "; ", 2)) + 2;
    }
    if (!line.value.empty()) std::memcpy(at, line.value.data(), line.value.size());
    at += line.value.size();
    if (first == nullptr) {
      first = &line;
    } else {
      headers.remove(line);
    }
  });
  first->value = {text, static_cast<size_t>(at - text)};
}

bool FieldSection::finish_request(RequestHead& head, bool allow_connect) {
  if (!has(kMethod)) return fail("http2.missing_pseudo_header");
  head.method_text = pseudo_[kMethod];
  if (!is_token(head.method_text)) return fail("http2.invalid_method");
  head.method = method_of(head.method_text);
  if (!check_connect(head, allow_connect)) return false;
  const bool plain_connect = head.method == Method::kConnect && !has(kProtocol);
  if (!plain_connect && !check_target(head)) return false;
  if (!reconcile_host(head)) return false;
  if (!plain_connect) {
    head.path = pseudo_[kPath];
    head.scheme = equals_ignore_case(pseudo_[kScheme], "https") ? "https" : "http";
  }
  if (has(kProtocol)) {
    // What HTTP/1 asks for by GET and Upgrade (RFC 8441 5).
    head.method = Method::kGet;
    head.method_text = "GET";
    head.upgrade = pseudo_[kProtocol];
  }
  if (cookies_ > 1) join_cookies(head.headers);
  head.protocol = Protocol::kHttp2;
  head.content_length = content_length_;
  head.expects_continue = equals_ignore_case(head.headers.get(Known::kExpect), "100-continue");
  to_ = nullptr;
  return true;
}

bool FieldSection::finish_response(ResponseHead& head) {
  const std::string_view status = has(kStatus) ? pseudo_[kStatus] : std::string_view();
  if (status.size() != 3) return fail("http2.invalid_status");
  const auto [end, error] = std::from_chars(status.data(), status.data() + 3, head.status);
  if (error != std::errc() || end != status.data() + 3) return fail("http2.invalid_status");
  // 101 is HTTP/1's (RFC 9113 8.6).
  if (head.status < kFirstStatus || head.status == 101) return fail("http2.invalid_status");
  head.protocol = Protocol::kHttp2;
  head.content_length = content_length_;
  to_ = nullptr;
  return true;
}

bool FieldSection::finish_trailers() {
  to_ = nullptr;
  return true;
}

// ---- writing ----

FieldList::FieldList(uint32_t expected) : lines_(inline_) {
  if (expected <= kInline) return;
  many_.resize(expected);
  lines_ = many_.data();
}

void FieldList::push(std::string_view name, std::string_view value, uint8_t flags) {
  nghttp2_nv& line = lines_[size_++];
  line.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data()));
  line.namelen = name.size();
  line.value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data()));
  line.valuelen = value.size();
  line.flags = flags;
  bytes_ += name.size() + value.size();
}

void FieldList::add(std::string_view name, std::string_view value) {
  push(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

void FieldList::add_copied(std::string_view name, std::string_view value) {
  push(name, value, NGHTTP2_NV_FLAG_NONE);
}

void FieldList::add_status(uint16_t status) {
  add(":status", {kStatusTexts.data() + (status - kFirstStatus) * 3, 3});
}

void FieldList::add_line(const Header& line) {
  if ((bit(line.known) & kNotWritten) == 0) add(line.name, line.value);
}

void FieldList::add_all(const HeaderMap& headers) {
  headers.for_each([&](const Header& line) { add_line(line); });
}

}  // namespace weir::http::h2
