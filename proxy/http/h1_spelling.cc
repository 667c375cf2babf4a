#include "proxy/http/h1_spelling.h"

#include <algorithm>

namespace weir::http::h1 {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

// Calls `visit` with the name of each field line of `lines`, which the parser found good.
template <class Visit>
void for_each_name(std::string_view lines, Visit visit) {
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const size_t colon = lines.find(':');
    if (end == 0 || colon == std::string_view::npos) return;
    visit(lines.substr(0, colon));
    if (end == std::string_view::npos) return;
    lines.remove_prefix(end + 2);
  }
}

// `lines`: field lines as they came.
void note_spelling(std::string_view lines, const SpellingStyle& style, HeaderMap& headers) {
  Arena& arena = headers.arena();
  const std::string_view kept = arena.copy(lines);
  uint32_t count = 0;
  for_each_name(kept, [&](std::string_view) { ++count; });
  auto* names = arena.array<std::string_view>(count);
  uint32_t at = 0;
  for_each_name(kept, [&](std::string_view name) { new (&names[at++]) std::string_view(name); });
  headers.set_spelling(
      arena.make<Spelling>(Spelling{{names, count}, style.proper_case_for_others}));
}

std::string_view without_first_line(std::string_view head) {
  if (head.starts_with("\r\n")) head.remove_prefix(2);
  return head.substr(std::min(head.find("\r\n"), head.size() - 2) + 2);
}

template <class Head, class Parse>
Parsed parse_spelled(std::string_view text, const SpellingStyle& style, Head& head, Parse parse) {
  const auto parse_copy = [&](Arena& arena, std::string_view part, Head& into) {
    return parse(const_cast<char*>(arena.copy(part).data()), part.size(), into);
  };
  const size_t end = text.find(kHeadEnd);
  if (end == std::string_view::npos) {
    // It may come again and again, longer each time: nothing is left behind.
    Arena scrap;
    Head unfinished(scrap);
    return parse_copy(scrap, text, unfinished);
  }
  const std::string_view whole = text.substr(0, end + kHeadEnd.size());
  const Parsed parsed = parse_copy(head.headers.arena(), whole, head);
  if (parsed.status == Status::kDone)
    note_spelling(without_first_line(whole.substr(0, parsed.consumed)), style, head.headers);
  return parsed;
}

}  // namespace

Parsed parse_request_spelled(const char* data, size_t size, const Limits& limits,
                             const SpellingStyle& style, RequestHead& head, Framing& framing) {
  return parse_spelled({data, size}, style, head, [&](char* copy, size_t bytes, RequestHead& into) {
    return parse_request(copy, bytes, limits, into, framing);
  });
}

Parsed parse_response_spelled(const char* data, size_t size, const Limits& limits,
                              const SpellingStyle& style, ResponseHead& head, Framing& framing) {
  const Parsed parsed =
      parse_spelled({data, size}, style, head, [&](char* copy, size_t bytes, ResponseHead& into) {
        return parse_response(copy, bytes, limits, into, framing);
      });
  if (!style.forward_reason) head.reason = {};
  return parsed;
}

Parsed parse_trailers_spelled(const char* data, size_t size, const Limits& limits,
                              const SpellingStyle& style, HeaderMap& trailers) {
  const std::string_view copy = trailers.arena().copy({data, size});
  const Parsed parsed = parse_trailers(const_cast<char*>(copy.data()), size, limits, trailers);
  if (parsed.status == Status::kDone) note_spelling({data, parsed.consumed}, style, trailers);
  return parsed;
}

}  // namespace weir::http::h1
