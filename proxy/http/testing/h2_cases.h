#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/testing/h2_frames.h"

// RFC 9113 sections 4 to 8 as single cases: what a client sends, and what has to come of it.
namespace weir::http::h2::testing {

enum class Outcome : uint8_t {
  kFine,        // the connection goes on, and nothing was reset
  kConnection,  // GOAWAY with the code, and the end
  kStream,      // RST_STREAM with the code; the connection goes on
};

struct Case {
  const char* name;
  std::string bytes;  // after preface and SETTINGS
  Outcome outcome;
  uint32_t code = 0;
  uint32_t stream = 0;  // with kConnection: may be reset before the GOAWAY

  bool resets_before(const Frame& first) const {
    return outcome == Outcome::kConnection && stream != 0 && first.type == kRstStream &&
           first.stream == stream && first.error_code() == code;
  }
};

inline std::string post(uint32_t stream) {
  return request(stream, false, {}, "POST");
}
inline std::string get(uint32_t stream) {
  return request(stream, true);
}
inline const std::string kGetSection = section(request_lines());
inline constexpr uint32_t kNoError = NGHTTP2_NO_ERROR;
inline constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;
inline constexpr uint32_t kFlow = NGHTTP2_FLOW_CONTROL_ERROR;
inline constexpr uint32_t kClosed = NGHTTP2_STREAM_CLOSED;
inline constexpr uint32_t kSize = NGHTTP2_FRAME_SIZE_ERROR;
inline constexpr uint32_t kCompression = NGHTTP2_COMPRESSION_ERROR;
inline constexpr uint8_t kRequestFlags = kEndHeaders | kEndStream;

inline std::string padded(uint8_t pad, std::string_view payload, size_t zeros) {
  return std::string(1, static_cast<char>(pad)) + std::string(payload) + std::string(zeros, '\0');
}
inline std::string priority(uint32_t depends_on, uint8_t weight = 15) {
  return number(depends_on, 4) + static_cast<char>(weight);
}

inline const std::vector<Case> kCases = {
    // 4.1, 4.2: frames
    {"4.1 unknown type", frame(0x16, 0, 0, "ignored"), Outcome::kFine},
    {"4.1 unknown type on a stream", frame(0xf0, 0xff, 1, ""), Outcome::kFine},
    {"4.1 undefined flags of PING", frame(kPing, 0xfe, 0, "12345678"), Outcome::kFine},
    {"4.1 undefined flags of DATA", post(1) + frame(kData, 0xf0 | kEndStream, 1, "x"),
     Outcome::kFine},
    {"4.1 reserved bit", frame(kPing, 0, 0x80000000, "12345678"), Outcome::kFine},
    {"4.2 DATA of 16384", post(1) + data(1, std::string(16384, 'x'), true), Outcome::kFine},
    {"4.2 DATA of 16385", post(1) + data(1, std::string(16385, 'x'), true), Outcome::kConnection,
     kSize},
    {"4.2 HEADERS of 16385", frame(kHeaders, kRequestFlags, 1, std::string(16385, '\0')),
     Outcome::kConnection, kSize},
    {"4.2 unknown type of 16385", frame(0x16, 0, 0, std::string(16385, 'x')), Outcome::kConnection,
     kSize},
    // 4.3: field sections
    {"4.3 broken HPACK", frame(kHeaders, kRequestFlags, 1, "\x40"), Outcome::kConnection,
     kCompression},
    {"4.3 interrupted by PRIORITY",
     frame(kHeaders, kEndStream, 1, kGetSection) + frame(kPriority, 0, 1, priority(0)),
     Outcome::kConnection, kProtocol},
    {"4.3 interrupted by another stream's HEADERS",
     frame(kHeaders, kEndStream, 1, kGetSection) + get(3), Outcome::kConnection, kProtocol},
    {"4.3 interrupted by an unknown frame",
     frame(kHeaders, kEndStream, 1, kGetSection) + frame(0x16, 0, 1, ""), Outcome::kConnection,
     kProtocol},
    // 5.1: states
    {"5.1 DATA on an idle stream", data(1, "x", true), Outcome::kConnection, kProtocol},
    {"5.1 RST_STREAM on an idle stream", rst(1, 8), Outcome::kConnection, kProtocol},
    {"5.1 WINDOW_UPDATE on an idle stream", window_update(1, 100), Outcome::kConnection, kProtocol},
    {"5.1 CONTINUATION on an idle stream", frame(kContinuation, kEndHeaders, 1, kGetSection),
     Outcome::kConnection, kProtocol},
    {"5.1 DATA on a half-closed stream", get(1) + data(1, "x", true), Outcome::kConnection,
     kClosed},
    {"5.1 HEADERS on a half-closed stream", get(1) + get(1), Outcome::kConnection, kClosed},
    {"5.1 CONTINUATION on a half-closed stream",
     get(1) + frame(kContinuation, kEndHeaders, 1, kGetSection), Outcome::kConnection, kProtocol},
    {"5.1 WINDOW_UPDATE on a half-closed stream", get(1) + window_update(1, 100), Outcome::kFine},
    {"5.1 PRIORITY on a half-closed stream", get(1) + frame(kPriority, 0, 1, priority(0)),
     Outcome::kFine},
    {"5.1 RST_STREAM on a half-closed stream", get(1) + rst(1, 8), Outcome::kFine},
    {"5.1 DATA after RST_STREAM", post(1) + rst(1, 8) + data(1, "x", true), Outcome::kConnection,
     kClosed},
    {"5.1 DATA on a stream that was passed over", post(5) + data(3, "x", true),
     Outcome::kConnection, kProtocol},
    {"5.1 HEADERS after RST_STREAM", post(1) + rst(1, 8) + get(1), Outcome::kConnection, kClosed},
    {"5.1 CONTINUATION after RST_STREAM",
     post(1) + rst(1, 8) + frame(kContinuation, kEndHeaders, 1, kGetSection), Outcome::kConnection,
     kProtocol},
    {"5.1 RST_STREAM twice", post(1) + rst(1, 8) + rst(1, 8), Outcome::kFine},
    {"5.1 WINDOW_UPDATE after RST_STREAM", post(1) + rst(1, 8) + window_update(1, 1),
     Outcome::kFine},
    {"5.1 PRIORITY after RST_STREAM", post(1) + rst(1, 8) + frame(kPriority, 0, 1, priority(0)),
     Outcome::kFine},
    // 5.1.1: identifiers
    {"5.1.1 an even stream", get(2), Outcome::kConnection, kProtocol},
    {"5.1.1 a smaller stream after a larger one", get(5) + get(3), Outcome::kConnection, kProtocol},
    {"5.1.1 skipped streams", get(1) + get(101), Outcome::kFine},
    {"5.1.1 the largest stream", get(0x7fffffff), Outcome::kFine},
    // 5.3.1: priorities have no meaning any more (RFC 9113 5.3.2)
    {"5.3.1 HEADERS that depend on themselves",
     frame(kHeaders, kRequestFlags | kPriorityFlag, 1, priority(1) + kGetSection),
     Outcome::kConnection, kProtocol},
    {"5.3.1 PRIORITY that depends on itself", post(1) + frame(kPriority, 0, 1, priority(1)),
     Outcome::kConnection, kProtocol},
    {"5.3.1 exclusive PRIORITY that depends on itself, idle",
     frame(kPriority, 0, 1, priority(0x80000001)), Outcome::kConnection, kProtocol},
    // 5.5: extensions
    {"5.5 an unknown frame within a body",
     post(1) + data(1, "x", false) + frame(0xbb, 0, 1, "y") + data(1, "z", true), Outcome::kFine},
    // 6.1: DATA
    {"6.1 on stream 0", data(0, "x", true), Outcome::kConnection, kProtocol},
    {"6.1 padded", post(1) + frame(kData, kEndStream | kPadded, 1, padded(5, "hello", 5)),
     Outcome::kFine},
    {"6.1 nothing but padding", post(1) + frame(kData, kEndStream | kPadded, 1, padded(5, "", 5)),
     Outcome::kFine},
    {"6.1 padding longer than the frame",
     post(1) + frame(kData, kEndStream | kPadded, 1, padded(6, "hello", 0)), Outcome::kConnection,
     kProtocol},
    {"6.1 padding as long as the frame",
     post(1) + frame(kData, kEndStream | kPadded, 1, padded(11, "hello", 5)), Outcome::kConnection,
     kProtocol},
    {"6.1 a pad length without a byte for it", post(1) + frame(kData, kEndStream | kPadded, 1, ""),
     Outcome::kConnection, kProtocol},
    {"6.1 an empty end", post(1) + data(1, "", true), Outcome::kFine},
    // 6.2: HEADERS
    {"6.2 on stream 0", get(0), Outcome::kConnection, kProtocol},
    {"6.2 padded", frame(kHeaders, kRequestFlags | kPadded, 1, padded(7, kGetSection, 7)),
     Outcome::kFine},
    {"6.2 with priority",
     frame(kHeaders, kRequestFlags | kPriorityFlag, 1, priority(0) + kGetSection), Outcome::kFine},
    {"6.2 padded with priority",
     frame(kHeaders, kRequestFlags | kPadded | kPriorityFlag, 1,
           padded(3, priority(0x80000000) + kGetSection, 3)),
     Outcome::kFine},
    {"6.2 padding longer than the frame",
     frame(kHeaders, kRequestFlags | kPadded, 1, padded(200, kGetSection, 0)), Outcome::kConnection,
     kProtocol},
    {"6.2 a pad length without a byte for it", frame(kHeaders, kRequestFlags | kPadded, 1, ""),
     Outcome::kConnection, kProtocol},
    {"6.2 too short for its priority", frame(kHeaders, kRequestFlags | kPriorityFlag, 1, "abc"),
     Outcome::kConnection, kSize},
    {"6.2 in two, with CONTINUATION",
     frame(kHeaders, kEndStream, 1, kGetSection.substr(0, 20)) +
         frame(kContinuation, kEndHeaders, 1, kGetSection.substr(20)),
     Outcome::kFine},
    // 6.3: PRIORITY
    {"6.3 on stream 0", frame(kPriority, 0, 0, priority(1)), Outcome::kConnection, kProtocol},
    {"6.3 of 4 bytes", frame(kPriority, 0, 1, "1234"), Outcome::kConnection, kSize},
    {"6.3 of 6 bytes", frame(kPriority, 0, 1, "123456"), Outcome::kConnection, kSize},
    {"6.3 on an idle stream", frame(kPriority, 0, 9, priority(0)), Outcome::kFine},
    {"6.3 that depends on another, alone", frame(kPriority, 0, 5, priority(0x80000003, 255)),
     Outcome::kFine},
    {"6.3 on an idle stream, then a smaller one", frame(kPriority, 0, 5, priority(0)) + get(3),
     Outcome::kFine},
    // 6.4: RST_STREAM
    {"6.4 on stream 0", rst(0, 8), Outcome::kConnection, kProtocol},
    {"6.4 of 3 bytes", post(1) + frame(kRstStream, 0, 1, "123"), Outcome::kConnection, kSize},
    {"6.4 of 5 bytes", post(1) + frame(kRstStream, 0, 1, "12345"), Outcome::kConnection, kSize},
    {"6.4 on an even stream", rst(2, 8), Outcome::kConnection, kProtocol},
    {"6.4 with an unknown code", post(1) + rst(1, 0xff), Outcome::kFine},
    // 6.5: SETTINGS
    {"6.5 empty", settings(), Outcome::kFine},
    {"6.5 an acknowledgement", frame(kSettings, kAck, 0, ""), Outcome::kFine},
    {"6.5 an acknowledgement of nothing",
     frame(kSettings, kAck, 0, "") + frame(kSettings, kAck, 0, ""), Outcome::kConnection,
     kProtocol},
    {"6.5 an acknowledgement with a payload", frame(kSettings, kAck, 0, setting(3, 1)),
     Outcome::kConnection, kSize},
    {"6.5 on a stream", frame(kSettings, 0, 1, setting(3, 1)), Outcome::kConnection, kProtocol},
    {"6.5 of 5 bytes", settings("12345"), Outcome::kConnection, kSize},
    {"6.5 of 7 bytes", settings(setting(3, 1) + "1"), Outcome::kConnection, kSize},
    {"6.5 an unknown setting", settings(setting(0xfa, 42)), Outcome::kFine},
    {"6.5 the same setting twice", settings(setting(4, 1) + setting(4, 65535)), Outcome::kFine},
    {"6.5.2 ENABLE_PUSH 2", settings(setting(2, 2)), Outcome::kConnection, kProtocol},
    {"6.5.2 ENABLE_PUSH 0", settings(setting(2, 0)), Outcome::kFine},
    {"6.5.2 INITIAL_WINDOW_SIZE 2^31", settings(setting(4, 0x80000000)), Outcome::kConnection,
     kFlow},
    {"6.5.2 INITIAL_WINDOW_SIZE 2^31-1", settings(setting(4, 0x7fffffff)), Outcome::kFine},
    {"6.5.2 MAX_FRAME_SIZE 16383", settings(setting(5, 16383)), Outcome::kConnection, kProtocol},
    {"6.5.2 MAX_FRAME_SIZE 2^24", settings(setting(5, 1 << 24)), Outcome::kConnection, kProtocol},
    {"6.5.2 MAX_FRAME_SIZE 2^24-1", settings(setting(5, (1 << 24) - 1)), Outcome::kFine},
    {"6.5.2 MAX_HEADER_LIST_SIZE 0", settings(setting(6, 0)), Outcome::kFine},
    {"6.5.2 HEADER_TABLE_SIZE 2^32-1", settings(setting(1, 0xffffffff)), Outcome::kFine},
    {"8441 ENABLE_CONNECT_PROTOCOL 2", settings(setting(8, 2)), Outcome::kConnection, kProtocol},
    {"9218 NO_RFC7540_PRIORITIES 2", settings(setting(9, 2)), Outcome::kConnection, kProtocol},
    // 6.6: PUSH_PROMISE
    {"6.6 from a client", post(1) + frame(kPushPromise, kEndHeaders, 1, number(2, 4) + kGetSection),
     Outcome::kConnection, kProtocol},
    // 6.7: PING
    {"6.7 an acknowledgement", frame(kPing, kAck, 0, "12345678"), Outcome::kFine},
    {"6.7 on a stream", frame(kPing, 0, 1, "12345678"), Outcome::kConnection, kProtocol},
    {"6.7 within a field section", frame(kHeaders, kEndStream, 1, kGetSection) + ping(),
     Outcome::kConnection, kProtocol},
    {"6.7 of 7 bytes", frame(kPing, 0, 0, "1234567"), Outcome::kConnection, kSize},
    {"6.7 of 9 bytes", frame(kPing, 0, 0, "123456789"), Outcome::kConnection, kSize},
    {"6.7 of 0 bytes", frame(kPing, 0, 0, ""), Outcome::kConnection, kSize},
    // 6.8: GOAWAY
    {"6.8 on a stream", frame(kGoaway, 0, 1, number(0, 8)), Outcome::kConnection, kProtocol},
    {"6.8 of 7 bytes", frame(kGoaway, 0, 0, "1234567"), Outcome::kConnection, kSize},
    {"6.8 with debug data", post(1) + frame(kGoaway, 0, 0, number(0, 8) + "why not"),
     Outcome::kFine},
    {"6.8 with a last stream that is larger than before",
     post(1) + goaway(0, kNoError) + goaway(0x7ffffffe, kNoError), Outcome::kConnection, kProtocol},
    {"7 GOAWAY with an unknown code", post(1) + goaway(0, 0xff), Outcome::kFine},
    // 6.9: WINDOW_UPDATE
    {"6.9 by 0, of the connection", window_update(0, 0), Outcome::kConnection, kProtocol},
    {"6.9 by 0, of a stream", post(1) + window_update(1, 0), Outcome::kConnection, kProtocol},
    {"6.9 of a stream that is even", window_update(2, 1), Outcome::kConnection, kProtocol},
    {"6.9 with the reserved bit", window_update(0, 0x80000001), Outcome::kFine},
    {"6.9 by 0, with the reserved bit", window_update(0, 0x80000000), Outcome::kConnection,
     kProtocol},
    {"6.9 of 3 bytes", frame(kWindowUpdate, 0, 0, "123"), Outcome::kConnection, kSize},
    {"6.9 of 5 bytes", frame(kWindowUpdate, 0, 0, "12345"), Outcome::kConnection, kSize},
    {"6.9.1 the connection's beyond 2^31-1", window_update(0, 0x7fffffff), Outcome::kConnection,
     kFlow},
    {"6.9.1 a stream's beyond 2^31-1", post(1) + window_update(1, 0x7fffffff), Outcome::kStream,
     kFlow, 1},
    {"6.9.2 a stream's beyond 2^31-1, by SETTINGS",
     post(1) + window_update(1, 1000) + settings(setting(4, 0x7fffffff)), Outcome::kConnection,
     kFlow, 1},
    {"6.9.2 a stream's up to 2^31-1, by SETTINGS",
     post(1) + window_update(1, 1000) + settings(setting(4, 0x7fffffff - 1000)), Outcome::kFine},
    {"6.9.2 one stream of several beyond 2^31-1, by SETTINGS",
     post(1) + post(3) + window_update(3, 1) + post(5) + settings(setting(4, 0x7fffffff)),
     Outcome::kConnection, kFlow, 3},
    {"6.9.2 the last value counts", post(1) + window_update(1, 1000) +
                                        settings(setting(4, 0x7fffffff) + setting(4, 65535)),
     Outcome::kFine},
    {"6.9.2 a window made negative", post(1) + settings(setting(4, 0)), Outcome::kFine},
    // 6.10: CONTINUATION
    {"6.10 twice",
     frame(kHeaders, kEndStream, 1, kGetSection.substr(0, 9)) +
         frame(kContinuation, 0, 1, kGetSection.substr(9, 9)) +
         frame(kContinuation, kEndHeaders, 1, kGetSection.substr(18)),
     Outcome::kFine},
    {"6.10 ten times",
     [] {
       std::string out = frame(kHeaders, kEndStream, 1, "");
       for (size_t i = 0; i < 9; ++i) out += frame(kContinuation, 0, 1, kGetSection.substr(i, 1));
       return out + frame(kContinuation, kEndHeaders, 1, kGetSection.substr(9));
     }(),
     Outcome::kFine},
    {"6.10 then DATA",
     frame(kHeaders, 0, 1, kGetSection.substr(0, 9)) +
         frame(kContinuation, 0, 1, kGetSection.substr(9)) + data(1, "x", true),
     Outcome::kConnection, kProtocol},
    {"6.10 then PING",
     frame(kHeaders, kEndStream, 1, kGetSection.substr(0, 9)) +
         frame(kContinuation, 0, 1, kGetSection.substr(9)) + ping(),
     Outcome::kConnection, kProtocol},
    {"6.10 after nothing of its stream", frame(kContinuation, kEndHeaders, 3, kGetSection),
     Outcome::kConnection, kProtocol},
    {"6.10 on stream 0",
     frame(kHeaders, kEndStream, 1, kGetSection) + frame(kContinuation, kEndHeaders, 0, ""),
     Outcome::kConnection, kProtocol},
    {"6.10 on another stream",
     frame(kHeaders, kEndStream, 1, kGetSection) +
         frame(kContinuation, kEndHeaders, 3, kGetSection),
     Outcome::kConnection, kProtocol},
    {"6.10 after HEADERS that ended", get(1) + frame(kContinuation, kEndHeaders, 1, kGetSection),
     Outcome::kConnection, kProtocol},
    {"6.10 after CONTINUATION that ended",
     frame(kHeaders, kEndStream, 1, kGetSection.substr(0, 9)) +
         frame(kContinuation, kEndHeaders, 1, kGetSection.substr(9)) +
         frame(kContinuation, kEndHeaders, 1, kGetSection),
     Outcome::kConnection, kProtocol},
    {"6.10 after DATA",
     post(1) + data(1, "x", false) + frame(kContinuation, kEndHeaders, 1, kGetSection),
     Outcome::kConnection, kProtocol},
};

}  // namespace weir::http::h2::testing
