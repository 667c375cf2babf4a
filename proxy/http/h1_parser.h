#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http/message.h"

// HTTP/1 syntax, strictly by RFC 9112: pure functions over bytes. What is ambiguous is an error,
// never a guess. Header names are put into lower case in place.
namespace weir::http::h1 {

struct Limits {
  uint32_t max_header_count = 100;  // of field lines, Host among them
  size_t max_head_bytes = 60 * 1024;
};

// PreserveCaseFormatterConfig: what else is done when the case of names is kept.
struct SpellingStyle {
  bool proper_case_for_others = false;  // names that the proxy adds: "X-Request-Id"
  bool forward_reason = false;          // of responses; else the standard phrase
};

enum class Status : uint8_t { kDone, kNeedMore, kError };

struct Parsed {
  Status status = Status::kNeedMore;
  size_t consumed = 0;        // bytes of the head, when done
  uint16_t error_status = 0;  // what to answer a request with
  std::string_view details;   // a literal, for logs
};

// What the head says of the message's extent and of the connection.
struct Framing {
  bool chunked = false;
  bool keep_alive = true;  // the peer's wish, by version and Connection
  bool upgrade = false;    // Connection names upgrade, and Upgrade is there
  bool http10 = false;
  bool has_host = false;
  bool absolute_form = false;
};

// Parses one request head at `data`, which must stay writable. On kDone the views of `head` point
// into the arena of `head.headers`. On anything else `head` is undefined.
Parsed parse_request(char* data, size_t size, const Limits& limits, RequestHead& head,
                     Framing& framing);

// The same for a response.
Parsed parse_response(char* data, size_t size, const Limits& limits, ResponseHead& head,
                      Framing& framing);

// Field lines up to and including the empty line: a chunked body's trailer section.
Parsed parse_trailers(char* data, size_t size, const Limits& limits, HeaderMap& trailers);

// A chunked body, decoded piece by piece whatever the read boundaries. Extensions are checked and
// dropped.
class ChunkDecoder {
 public:
  enum class Event : uint8_t {
    kNeedMore,  // everything was consumed
    kData,      // `data` is a piece of the body
    kEnd,       // the last chunk was read; the trailer section follows
    kError,
  };

  // Consumes from the front of `in`.
  Event next(std::string_view& in, std::string_view& data);
  void reset() { *this = ChunkDecoder(); }

 private:
  enum class State : uint8_t {
    kSizeStart,
    kSize,
    kExtension,
    kQuoted,
    kQuotedPair,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kFailed,
  };
  Event step_size(char c);
  Event step_extension(char c);
  Event fail() {
    state_ = State::kFailed;
    return Event::kError;
  }

  static constexpr uint32_t kMaxExtensionBytes = 4096;  // of the whole body

  uint64_t left_ = 0;
  uint32_t extension_bytes_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::kSizeStart;
};

bool is_token(std::string_view text);  // RFC 9110 5.6.2, not empty

}  // namespace weir::http::h1
