#include "proxy/http/h1_writer.h"

#include <charconv>
#include <cstring>

namespace weir::http::h1 {
namespace {

constexpr uint64_t kNotForwarded =
    known_bits(Known::kConnection, Known::kKeepAlive, Known::kProxyConnection, Known::kTe,
               Known::kTransferEncoding, Known::kUpgrade, Known::kContentLength,
               Known::kHttp2Settings, Known::kHost);

bool is_forwarded(const Header& line) {
  return (known_bit(line.known) & kNotForwarded) == 0;
}

// Copies and says where the copy ends. Most names and many values are of 4 to 16 bytes: two
// overlapping words, where a call would cost more than the copy.
inline char* copy_text(char* to, std::string_view text) {
  const char* from = text.data();
  const size_t size = text.size();
  const auto by_words = [=]<class Word>(Word) {
    Word first, last;
    std::memcpy(&first, from, sizeof(Word));
    std::memcpy(&last, from + size - sizeof(Word), sizeof(Word));
    std::memcpy(to, &first, sizeof(Word));
    std::memcpy(to + size - sizeof(Word), &last, sizeof(Word));
  };
  if (size >= 8 && size <= 16) {
    by_words(uint64_t{});
  } else if (size >= 4 && size < 8) {
    by_words(uint32_t{});
  } else if (size > 0) {
    std::memcpy(to, from, size);
  }
  return to + size;
}

template <size_t kSize>
inline char* put_fixed(char* to, const char* text) {
  std::memcpy(to, text, kSize);
  return to + kSize;
}

// Writes text of unknown total size: into the batch's text while it fits, else piece by piece.
class Sink {
 public:
  explicit Sink(net::Connection& to) : to_(to) { refill(kFirstRoom); }
  ~Sink() { done(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  void put(std::string_view text) {
    if (text.size() > room()) return put_slow(text);
    at_ = copy_text(at_, text);
  }
  void put(std::string_view a, std::string_view b) {
    put(a);
    put(b);
  }
  // A whole header line by one check of the room; false when it does not fit.
  bool line(std::string_view name, std::string_view value) {
    const size_t bytes = name.size() + value.size() + 4;
    if (bytes > room()) return false;
    char* at = copy_text(at_, name);
    at = put_fixed<2>(at, ": ");
    at = copy_text(at, value);
    at_ = put_fixed<2>(at, "\r\n");
    return true;
  }
  // "GET /path HTTP/1.1" and its end; false when it does not fit.
  bool request_line(std::string_view method, std::string_view target) {
    const size_t bytes = method.size() + target.size() + 12;
    if (bytes > room()) return false;
    char* at = copy_text(at_, method);
    *at++ = ' ';
    at = copy_text(at, target);
    at_ = put_fixed<11>(at, " HTTP/1.1\r\n");
    return true;
  }
  // "HTTP/1.1 200 OK" and its end; false when it does not fit.
  bool status_line(bool http10, uint16_t status, std::string_view reason) {
    const size_t bytes = reason.size() + 15;
    if (bytes > room()) return false;
    char* at = put_fixed<9>(at_, http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
    *at++ = static_cast<char>('0' + status / 100 % 10);
    *at++ = static_cast<char>('0' + status / 10 % 10);
    *at++ = static_cast<char>('0' + status % 10);
    *at++ = ' ';
    at = copy_text(at, reason);
    at_ = put_fixed<2>(at, "\r\n");
    return true;
  }
  void number(int64_t value) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
    put({text, static_cast<size_t>(end - text)});
  }
  void proper(std::string_view name) {
    bool up = true;
    for (char c : name) {
      const char out = up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      put({&out, 1});
      up = c == '-';
    }
  }
  size_t done() {
    commit();
    return total_;
  }

 private:
  static constexpr size_t kFirstRoom = 2048;

  size_t room() const { return static_cast<size_t>(end_ - at_); }
  void refill(size_t room) {
    begin_ = at_ = to_.reserve(room);
    end_ = at_ + room;
  }
  void commit() {
    const auto bytes = static_cast<size_t>(at_ - begin_);
    begin_ = at_;
    total_ += bytes;
    to_.commit(bytes);
  }
  void put_slow(std::string_view text) {
    commit();
    if (text.size() > kFirstRoom) {
      to_.write_copy(text);
      total_ += text.size();
      refill(kFirstRoom);
      return;
    }
    refill(kFirstRoom);
    put(text);
  }

  net::Connection& to_;
  char* begin_ = nullptr;  // of what is not committed yet
  char* at_ = nullptr;
  char* end_ = nullptr;
  size_t total_ = 0;
};

// How the names of one message are to be written.
class Names {
 public:
  Names(HeaderCase header_case, const HeaderMap& headers)
      : spelling_(headers.spelling()), header_case_(header_case) {}

  // They go out as they are in the map.
  bool plain() const { return header_case_ == HeaderCase::kLower && spelling_ == nullptr; }

  void put(Sink& sink, std::string_view name) const {
    if (spelling_ != nullptr) {
      if (const std::string_view spelled = spelling_->of(name); !spelled.empty())
        return sink.put(spelled);
      if (spelling_->proper_case_for_others) return sink.proper(name);
      return sink.put(name);
    }
    if (header_case_ == HeaderCase::kProper) return sink.proper(name);
    sink.put(name);
  }

 private:
  const Spelling* spelling_;
  HeaderCase header_case_;
};

void put_line(Sink& sink, std::string_view name, std::string_view value, const Names& names) {
  if (names.plain() && sink.line(name, value)) return;
  names.put(sink, name);
  sink.put(": ", value);
  sink.put("\r\n");
}

void put_lines(Sink& sink, const HeaderMap& headers, const Names& names) {
  headers.for_each([&](const Header& line) {
    if (is_forwarded(line)) put_line(sink, line.name, line.value, names);
  });
}

void put_framing(Sink& sink, const HeadStyle& style, const Names& names) {
  if (style.framing == BodyFraming::kLength) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof(text), style.length).ptr;
    put_line(sink, "content-length", {text, static_cast<size_t>(end - text)}, names);
  } else if (style.framing == BodyFraming::kChunked) {
    put_line(sink, "transfer-encoding", "chunked", names);
  }
  if (!style.connection.empty()) put_line(sink, "connection", style.connection, names);
  if (!style.upgrade.empty()) put_line(sink, "upgrade", style.upgrade, names);
}

}  // namespace

size_t write_request(net::Connection& to, const RequestHead& head, const HeadStyle& style) {
  Sink sink(to);
  const std::string_view target = head.method == Method::kConnect ? head.authority : head.path;
  if (style.absolute && target.starts_with('/')) {
    sink.put(head.method_text, " ");
    sink.put(head.scheme.empty() ? "http" : head.scheme, "://");
    sink.put(head.authority, target);
    sink.put(" HTTP/1.1\r\n");
  } else if (!sink.request_line(head.method_text, target)) {
    sink.put(head.method_text, " ");
    sink.put(target);
    sink.put(" HTTP/1.1\r\n");
  }
  const Names names(style.header_case, head.headers);
  put_line(sink, "host", head.authority, names);
  put_lines(sink, head.headers, names);
  put_framing(sink, style, names);
  sink.put("\r\n");
  return sink.done();
}

size_t write_response(net::Connection& to, const ResponseHead& head, const HeadStyle& style) {
  Sink sink(to);
  const std::string_view reason = head.reason.empty() ? reason_phrase(head.status) : head.reason;
  if (!sink.status_line(style.http10, head.status, reason)) {
    sink.put(style.http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
    sink.number(head.status);
    sink.put(" ", reason);
    sink.put("\r\n");
  }
  const Names names(style.header_case, head.headers);
  put_lines(sink, head.headers, names);
  if (!style.date.empty() && !head.headers.has(Known::kDate))
    put_line(sink, "date", style.date, names);
  put_framing(sink, style, names);
  sink.put("\r\n");
  return sink.done();
}

void write_chunk(net::Connection& to, std::string_view bytes) {
  if (bytes.empty()) return;
  char* at = to.reserve(24);
  char* end = std::to_chars(at, at + 20, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  to.commit(static_cast<size_t>(end - at));
  to.write(bytes);
  to.write("\r\n");
}

void write_last_chunk(net::Connection& to, const HeaderMap* trailers) {
  Sink sink(to);
  sink.put("0\r\n");
  if (trailers != nullptr) put_lines(sink, *trailers, Names(HeaderCase::kLower, *trailers));
  sink.put("\r\n");
}

}  // namespace weir::http::h1
