#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::test {

// One HTTP/1 message as it stood on the wire. Header names are kept as received.
struct Message {
  std::string method;  // requests
  std::string target;
  int status = 0;  // responses
  std::string reason;
  std::string version;  // "HTTP/1.1"
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers;
  size_t head_bytes = 0;  // with the empty line
  size_t wire_bytes = 0;  // head, body and framing

  // All values of that name (in any case), in order.
  std::vector<std::string> values(std::string_view name) const;
  bool has(std::string_view name) const { return !values(name).empty(); }
};

enum class Parsed {
  kNothing,   // the head is not complete
  kHead,      // the head is complete, the body is not
  kComplete,  // all of it
  kInvalid,   // not a message that a strict peer would accept or a careful one would send
};

struct ParseResult {
  Parsed parsed = Parsed::kNothing;
  std::string error;  // with kInvalid
};

// An independent reading of RFC 9112 for the tests, which shares no code with the proxy and accepts
// only what nobody can read in two ways: CRLF, single spaces, one Host, one length, no folding, no
// chunk extension. What a proxy emits must pass.
ParseResult parse_request(std::string_view bytes, Message& message);

// What the response answers decides on its body; `ended` says that the sender has closed.
struct ResponseContext {
  std::string_view method = "GET";
  bool ended = false;
};
ParseResult parse_response(std::string_view bytes, const ResponseContext& context,
                           Message& message);

bool same_ignoring_case(std::string_view a, std::string_view b);

}  // namespace weir::test
