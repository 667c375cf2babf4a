#pragma once

#include <string_view>

#include "proxy/http/h1_parser.h"

// The case of header names as it came over HTTP/1, for peers that insist on theirs
// (header_formatters.preserve_case.v3.PreserveCaseFormatterConfig).
namespace weir::http::h1 {

// As the parser's functions, but names are also kept as they were spelled, for the writer of the
// message. `data` is left as it is. Costs a copy of the head.
Parsed parse_request_spelled(const char* data, size_t size, const Limits& limits,
                             const SpellingStyle& style, RequestHead& head, Framing& framing);
Parsed parse_response_spelled(const char* data, size_t size, const Limits& limits,
                              const SpellingStyle& style, ResponseHead& head, Framing& framing);
// The section must be known to be good: it was parsed before.
Parsed parse_trailers_spelled(const char* data, size_t size, const Limits& limits,
                              const SpellingStyle& style, HeaderMap& trailers);

}  // namespace weir::http::h1
