#include "proxy/http/h1_writer.h"

#include <charconv>
#include <cstring>

namespace weir::http::h1 {
namespace {

constexpr uint64_t bit(Known known) {
  return uint64_t{1} << static_cast<unsigned>(known);
}
static_assert(static_cast<unsigned>(Known::kCount) <= 64);

constexpr uint64_t kNotForwarded =
    bit(Known::kConnection) | bit(Known::kKeepAlive) | bit(Known::kProxyConnection) |
    bit(Known::kTe) | bit(Known::kTransferEncoding) | bit(Known::kUpgrade) |
    bit(Known::kContentLength) | bit(Known::kHttp2Settings) | bit(Known::kHost);

bool is_forwarded(const Header& line) {
  return (bit(line.known) & kNotForwarded) == 0;
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

// Writes text of unknown total size: into the batch's text while it fits, else piece by piece.
class Sink {
 public:
  explicit Sink(net::Connection& to) : to_(to) { refill(kFirstRoom); }
  ~Sink() { done(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  void put(std::string_view text) {
    if (text.size() > room_) return put_slow(text);
    std::memcpy(at_, text.data(), text.size());
    advance(text.size());
  }
  void put(std::string_view a, std::string_view b) {
    put(a);
    put(b);
  }
  // A whole header line by one check of the room; false when it does not fit.
  bool line(std::string_view name, std::string_view value) {
    const size_t bytes = name.size() + value.size() + 4;
    if (bytes > room_) return false;
    char* at = copy_text(at_, name);
    *at++ = ':';
    *at++ = ' ';
    at = copy_text(at, value);
    *at++ = '\r';
    *at++ = '\n';
    advance(bytes);
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
    to_.commit(pending_);
    pending_ = 0;
    return total_;
  }

 private:
  static constexpr size_t kFirstRoom = 2048;

  void refill(size_t room) {
    at_ = to_.reserve(room);
    room_ = room;
  }
  void advance(size_t bytes) {
    at_ += bytes;
    room_ -= bytes;
    pending_ += bytes;
    total_ += bytes;
  }
  void put_slow(std::string_view text) {
    to_.commit(pending_);
    pending_ = 0;
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
  char* at_ = nullptr;
  size_t room_ = 0;
  size_t pending_ = 0;
  size_t total_ = 0;
};

void put_name(Sink& sink, std::string_view name, HeaderCase header_case) {
  if (header_case == HeaderCase::kProper) return sink.proper(name);
  sink.put(name);
}

void put_line(Sink& sink, std::string_view name, std::string_view value, HeaderCase header_case) {
  if (header_case == HeaderCase::kLower && sink.line(name, value)) return;
  put_name(sink, name, header_case);
  sink.put(": ", value);
  sink.put("\r\n");
}

void put_lines(Sink& sink, const HeaderMap& headers, HeaderCase header_case) {
  headers.for_each([&](const Header& line) {
    if (is_forwarded(line)) put_line(sink, line.name, line.value, header_case);
  });
}

void put_framing(Sink& sink, const HeadStyle& style) {
  if (style.framing == BodyFraming::kLength) {
    put_name(sink, "content-length", style.header_case);
    sink.put(": ");
    sink.number(style.length);
    sink.put("\r\n");
  } else if (style.framing == BodyFraming::kChunked) {
    put_line(sink, "transfer-encoding", "chunked", style.header_case);
  }
  if (!style.connection.empty()) put_line(sink, "connection", style.connection, style.header_case);
  if (!style.upgrade.empty()) put_line(sink, "upgrade", style.upgrade, style.header_case);
}

}  // namespace

size_t write_request(net::Connection& to, const RequestHead& head, const HeadStyle& style) {
  Sink sink(to);
  sink.put(head.method_text, " ");
  sink.put(head.method == Method::kConnect ? head.authority : head.path);
  sink.put(" HTTP/1.1\r\n");
  put_line(sink, "host", head.authority, style.header_case);
  put_lines(sink, head.headers, style.header_case);
  put_framing(sink, style);
  sink.put("\r\n");
  return sink.done();
}

size_t write_response(net::Connection& to, const ResponseHead& head, const HeadStyle& style) {
  Sink sink(to);
  sink.put(style.http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
  sink.number(head.status);
  sink.put(" ", head.reason.empty() ? reason_phrase(head.status) : head.reason);
  sink.put("\r\n");
  put_lines(sink, head.headers, style.header_case);
  if (!style.date.empty() && !head.headers.has(Known::kDate))
    put_line(sink, "date", style.date, style.header_case);
  put_framing(sink, style);
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
  if (trailers != nullptr) put_lines(sink, *trailers, HeaderCase::kLower);
  sink.put("\r\n");
}

}  // namespace weir::http::h1
