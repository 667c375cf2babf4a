#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP/2 bytes written by hand, for the other end of what is tested: what a library would never
// send can be sent. Only the field sections that come back are decoded by nghttp2.
namespace weir::http::h2::testing {

enum Type : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kRstStream,
  kSettings,
  kPushPromise,
  kPing,
  kGoaway,
  kWindowUpdate,
  kContinuation,
};

inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;
inline constexpr uint8_t kPriorityFlag = 0x20;

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         number(stream, 4) + std::string(payload);
}

inline std::string setting(uint16_t id, uint32_t value) {
  return number(id, 2) + number(value, 4);
}
inline std::string settings(std::string_view entries = {}) {
  return frame(kSettings, 0, 0, entries);
}
inline std::string rst(uint32_t stream, uint32_t code) {
  return frame(kRstStream, 0, stream, number(code, 4));
}
inline std::string window_update(uint32_t stream, uint32_t by) {
  return frame(kWindowUpdate, 0, stream, number(by, 4));
}
inline std::string goaway(uint32_t last, uint32_t code) {
  return frame(kGoaway, 0, 0, number(last, 4) + number(code, 4));
}
inline std::string ping(std::string_view data = "12345678") {
  return frame(kPing, 0, 0, data);
}

// ---- HPACK (RFC 7541), without Huffman ----

inline std::string hpack_integer(uint8_t first, int prefix_bits, uint64_t value) {
  const uint64_t most = (1u << prefix_bits) - 1;
  if (value < most) return std::string(1, static_cast<char>(first | value));
  std::string out(1, static_cast<char>(first | most));
  for (value -= most; value >= 128; value >>= 7) out += static_cast<char>(value % 128 + 128);
  return out + static_cast<char>(value);
}
inline std::string hpack_text(std::string_view text) {
  return hpack_integer(0, 7, text.size()) + std::string(text);
}
// A literal without indexing, with a new name.
inline std::string line(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + hpack_text(name) + hpack_text(value);
}
// A literal that joins the dynamic table.
inline std::string indexed_line(std::string_view name, std::string_view value) {
  return "\x40" + hpack_text(name) + hpack_text(value);
}
inline std::string index(uint64_t at) {
  return hpack_integer(0x80, 7, at);
}
inline std::string table_size(uint64_t bytes) {
  return hpack_integer(0x20, 5, bytes);
}

using Lines = std::vector<std::pair<std::string, std::string>>;

inline std::string section(const Lines& lines) {
  std::string out;
  for (const auto& [name, value] : lines) out += line(name, value);
  return out;
}

inline Lines request_lines(std::string_view method = "GET", std::string_view path = "/") {
  return {{":method", std::string(method)},
          {":scheme", "http"},
          {":authority", "a.example"},
          {":path", std::string(path)}};
}
inline std::string request(uint32_t stream, bool end, const Lines& more = {},
                           std::string_view method = "GET", std::string_view path = "/") {
  Lines lines = request_lines(method, path);
  lines.insert(lines.end(), more.begin(), more.end());
  const uint8_t flags = static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0));
  return frame(kHeaders, flags, stream, section(lines));
}
inline std::string response(uint32_t stream, bool end, std::string_view status = "200",
                            const Lines& more = {}) {
  Lines lines = {{":status", std::string(status)}};
  lines.insert(lines.end(), more.begin(), more.end());
  const uint8_t flags = static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0));
  return frame(kHeaders, flags, stream, section(lines));
}
inline std::string data(uint32_t stream, std::string_view bytes, bool end) {
  return frame(kData, end ? kEndStream : 0, stream, bytes);
}

// ---- what came back ----

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
  Lines lines;  // of HEADERS

  bool ends() const { return (flags & kEndStream) != 0; }
  uint32_t number_at(size_t at) const {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4 && i < payload.size(); ++i)
      value = value << 8 | static_cast<uint8_t>(payload[i]);
    return value;
  }
  uint32_t error_code() const { return number_at(type == kGoaway ? 4 : 0); }
  std::string get(std::string_view name) const {
    for (const auto& [at, value] : lines)
      if (at == name) return value;
    return {};
  }
};

// Splits bytes into frames; one direction of one connection.
class FrameReader {
 public:
  FrameReader() {
    nghttp2_hd_inflater* made = nullptr;
    nghttp2_hd_inflate_new(&made);
    inflater_.reset(made);
  }

  void add(std::string_view bytes) { bytes_ += bytes; }
  // Bytes of a client before its first frame.
  bool take_preface() {
    if (!bytes_.starts_with(kPreface)) return false;
    bytes_.erase(0, kPreface.size());
    return true;
  }
  bool next(Frame& out) {
    if (bytes_.size() < 9) return false;
    const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes_[i]); };
    const size_t length = size_t{at(0)} << 16 | size_t{at(1)} << 8 | at(2);
    if (bytes_.size() < 9 + length) return false;
    out = {};
    out.type = at(3);
    out.flags = at(4);
    out.stream = uint32_t{at(5)} << 24 | uint32_t{at(6)} << 16 | uint32_t{at(7)} << 8 | at(8);
    out.payload = bytes_.substr(9, length);
    bytes_.erase(0, 9 + length);
    if (out.type == kHeaders) inflate(out);
    return true;
  }

 private:
  void inflate(Frame& frame) {
    std::string_view in = frame.payload;
    while (true) {
      nghttp2_nv nv;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(
          inflater_.get(), &nv, &flags, reinterpret_cast<const uint8_t*>(in.data()), in.size(), 1);
      if (used < 0) return;
      in.remove_prefix(static_cast<size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        frame.lines.emplace_back(std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                                 std::string(reinterpret_cast<char*>(nv.value), nv.valuelen));
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
  }

  std::string bytes_;
  struct Delete {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  std::unique_ptr<nghttp2_hd_inflater, Delete> inflater_;
};

}  // namespace weir::http::h2::testing
