// Commands whose values come from header lines.

#include <algorithm>

#include "proxy/http/formatter_part.h"
#include "proxy/http/grpc.h"

namespace weir::http {
namespace {

HeaderChoice choose(std::string_view name) {
  HeaderChoice out;
  out.name = name;
  for (char& c : out.name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  out.known = known_header(out.name);
  return out;
}

// Envoy prints the first line of several, so this does not join them.
FormatValue first_of(const HeaderMap& headers, const HeaderChoice& choice) {
  const Header* line =
      choice.known != Known::kNone ? headers.find(choice.known) : headers.find(choice.name);
  return line == nullptr ? FormatValue::missing() : FormatValue::of(line->value);
}

FormatValue lookup(const RequestHead& request, const HeaderChoice& choice, FormatScratch&) {
  if (choice.known != Known::kHost && choice.name[0] != ':')
    return first_of(request.headers, choice);
  if (choice.name == ":path") return FormatValue::of_nonempty(request.path);
  if (choice.name == ":method") return FormatValue::of_nonempty(request.method_text);
  if (choice.name == ":scheme") return FormatValue::of_nonempty(request.scheme);
  if (choice.name == ":authority" || choice.known == Known::kHost)
    return FormatValue::of_nonempty(request.authority);
  return FormatValue::missing();
}

FormatValue lookup(const ResponseHead& response, const HeaderChoice& choice,
                   FormatScratch& scratch) {
  if (choice.name != ":status") return first_of(response.headers, choice);
  const FormatValue status = scratch.number(uint64_t{response.status});
  return response.status == 0 ? FormatValue::missing() : FormatValue::of(status.text);
}

FormatValue lookup(const HeaderMap& trailers, const HeaderChoice& choice, FormatScratch&) {
  return first_of(trailers, choice);
}

template <auto FormatInput::*Message>
FormatValue read_header(const Format::Part& part, const FormatInput& in, FormatScratch& scratch) {
  const auto* message = in.*Message;
  if (message == nullptr) return FormatValue::missing();
  const FormatValue value = lookup(*message, part.header, scratch);
  if (value.kind != FormatValue::Kind::kMissing || part.alternative.name.empty()) return value;
  return lookup(*message, part.alternative, scratch);
}

std::string_view without_query(std::string_view path) {
  return path.substr(0, path.find('?'));
}

FormatValue read_header_without_query(const Format::Part& part, const FormatInput& in,
                                      FormatScratch& scratch) {
  FormatValue value = read_header<&FormatInput::request>(part, in, scratch);
  value.text = without_query(value.text);
  return value;
}

// %PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)%
enum PathOption : uint8_t { kWithQuery, kWithoutQuery };
enum PathSource : uint8_t { kOriginalOrPath, kOriginal, kPath };

Result<void> parse_path(std::string_view parameter, Format::Part& part) {
  const size_t colon = parameter.find(':');
  const std::string_view query = parameter.substr(0, colon);
  const std::string_view source =
      colon == std::string_view::npos ? "" : parameter.substr(colon + 1);
  if (query == "NQ") {
    part.options[0] = kWithoutQuery;
  } else if (query != "WQ" && !query.empty()) {
    return Error{"bad-format", "the first parameter is WQ (with query) or NQ (without)"};
  }
  if (source == "ORIG") {
    part.options[1] = kOriginal;
  } else if (source == "PATH") {
    part.options[1] = kPath;
  } else if (source != "ORIG_OR_PATH" && !source.empty()) {
    return Error{"bad-format", "the second parameter is ORIG, PATH or ORIG_OR_PATH"};
  }
  return {};
}

FormatValue read_path(const Format::Part& part, const FormatInput& in, FormatScratch&) {
  if (in.request == nullptr) return FormatValue::missing();
  const Header* original = in.request->headers.find(Known::kEnvoyOriginalPath);
  std::string_view path = original == nullptr ? std::string_view() : original->value;
  if (part.options[1] == kPath) path = in.request->path;
  if (part.options[1] == kOriginalOrPath && path.empty()) path = in.request->path;
  return FormatValue::of_nonempty(part.options[0] == kWithoutQuery ? without_query(path) : path);
}

Result<void> parse_name(std::string_view parameter, Format::Part& part) {
  if (parameter.empty()) return Error{"bad-format", "the name is empty"};
  part.text = parameter;
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Takes a byte off `text`, or the escape of one (RFC 3986 2.1). Control characters stay escaped:
// what cannot come in a header cannot come out of a query either. `text` is not empty.
char next_decoded(std::string_view& text) {
  size_t used = 1;
  char c = text[0];
  if (c == '%' && text.size() > 2 && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
    const int byte = hex_digit(text[1]) << 4 | hex_digit(text[2]);
    const bool control = byte < 0x20 || byte == 0x7f;
    if (!control) c = static_cast<char>(byte);
    if (!control) used = 3;
  }
  text.remove_prefix(used);
  return c;
}

bool decodes_to(std::string_view text, std::string_view name) {
  while (!text.empty() && !name.empty() && next_decoded(text) == name[0]) name.remove_prefix(1);
  return text.empty() && name.empty();
}

FormatValue decoded(std::string_view text, FormatScratch& scratch) {
  if (text.find('%') == std::string_view::npos) return FormatValue::of(text);
  scratch.long_text.clear();
  while (!text.empty()) scratch.long_text += next_decoded(text);
  return FormatValue::of(scratch.long_text);
}

// As in Envoy, '+' is itself.
FormatValue read_query_parameter(const Format::Part& part, const FormatInput& in,
                                 FormatScratch& scratch) {
  if (in.request == nullptr) return FormatValue::missing();
  const std::string_view path = in.request->path;
  const size_t mark = path.find('?');
  if (mark == std::string_view::npos) return FormatValue::missing();
  std::string_view rest = path.substr(mark + 1);
  rest = rest.substr(0, rest.find('#'));
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    const size_t equals = pair.find('=');
    if (decodes_to(pair.substr(0, equals), part.text))
      return decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1), scratch);
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  return FormatValue::missing();
}

uint64_t line_bytes(const HeaderMap& headers) {
  uint64_t total = 0;
  headers.for_each([&](const Header& line) { total += line.name.size() + line.value.size(); });
  return total;
}

FormatValue read_request_headers_bytes(const Format::Part&, const FormatInput& in,
                                       FormatScratch& scratch) {
  if (in.request == nullptr) return scratch.number(uint64_t{0});
  const RequestHead& r = *in.request;
  const auto pseudo = [](std::string_view name, std::string_view value) {
    return value.empty() ? 0 : name.size() + value.size();
  };
  return scratch.number(line_bytes(r.headers) + pseudo(":method", r.method_text) +
                        pseudo(":path", r.path) + pseudo(":authority", r.authority) +
                        pseudo(":scheme", r.scheme));
}

FormatValue read_response_headers_bytes(const Format::Part&, const FormatInput& in,
                                        FormatScratch& scratch) {
  if (in.response == nullptr) return scratch.number(uint64_t{0});
  constexpr size_t kStatusBytes = 10;  // ":status" and three digits
  return scratch.number(line_bytes(in.response->headers) + kStatusBytes);
}

FormatValue read_response_trailers_bytes(const Format::Part&, const FormatInput& in,
                                         FormatScratch& scratch) {
  return scratch.number(in.trailers == nullptr ? uint64_t{0} : line_bytes(*in.trailers));
}

enum GrpcStyle : uint8_t { kCamel, kSnake, kNumber };

Result<void> parse_grpc_style(std::string_view parameter, Format::Part& part) {
  if (parameter == "SNAKE_STRING") {
    part.options[0] = kSnake;
  } else if (parameter == "NUMBER") {
    part.options[0] = kNumber;
  } else if (parameter != "CAMEL_STRING" && !parameter.empty()) {
    return Error{"bad-format", "the parameter is CAMEL_STRING, SNAKE_STRING or NUMBER"};
  }
  return {};
}

Result<void> parse_grpc_number(std::string_view, Format::Part& part) {
  part.options[0] = kNumber;
  return {};
}

// A response that says nothing of it has the status that a client makes of its HTTP status.
FormatValue read_grpc_status(const Format::Part& part, const FormatInput& in,
                             FormatScratch& scratch) {
  if (in.request == nullptr || !is_grpc(*in.request)) return FormatValue::missing();
  const Header* line = in.trailers == nullptr ? nullptr : in.trailers->find(Known::kGrpcStatus);
  if (line == nullptr && in.response != nullptr)
    line = in.response->headers.find(Known::kGrpcStatus);
  if (line == nullptr && (in.info == nullptr || in.info->status == 0))
    return FormatValue::missing();
  const std::string_view text =
      line != nullptr ? line->value : grpc_status_text(grpc_status_of_http(in.info->status));
  const std::optional<uint32_t> code = parse_grpc_status(text);
  if (!code) return FormatValue::of(text);
  if (part.options[0] == kNumber) return scratch.number(uint64_t{*code});
  const std::string_view name =
      part.options[0] == kSnake ? grpc_status_snake_name(*code) : grpc_status_name(*code);
  return FormatValue::of(name.empty() ? text : name);
}

constexpr auto kParameter = CommandSyntax::kParameter;
constexpr auto kOptional = CommandSyntax::kOptionalParameter;
constexpr auto kPlain = CommandSyntax::kPlain;

constexpr CommandSpec kCommands[] = {
    {"REQ", read_header<&FormatInput::request>, kParameter, true, parse_header_choice},
    {"RESP", read_header<&FormatInput::response>, kParameter, true, parse_header_choice},
    {"TRAILER", read_header<&FormatInput::trailers>, kParameter, true, parse_header_choice},
    {"REQ_WITHOUT_QUERY", read_header_without_query, kParameter, true, parse_header_choice},
    {"PATH", read_path, kOptional, true, parse_path},
    {"QUERY_PARAM", read_query_parameter, kParameter, true, parse_name},
    {"GRPC_STATUS", read_grpc_status, kOptional, false, parse_grpc_style},
    {"GRPC_STATUS_NUMBER", read_grpc_status, kPlain, false, parse_grpc_number},
    {"REQUEST_HEADERS_BYTES", read_request_headers_bytes},
    {"RESPONSE_HEADERS_BYTES", read_response_headers_bytes},
    {"RESPONSE_TRAILERS_BYTES", read_response_trailers_bytes},
};

}  // namespace

std::span<const CommandSpec> header_commands() {
  return kCommands;
}

Result<void> parse_header_choice(std::string_view parameter, Format::Part& part) {
  const size_t mark = parameter.find('?');
  const std::string_view first = parameter.substr(0, mark);
  if (first.empty()) return Error{"bad-format", "the header's name is empty"};
  part.header = choose(first);
  if (mark == std::string_view::npos) return {};
  const std::string_view second = parameter.substr(mark + 1);
  if (second.find('?') != std::string_view::npos)
    return Error{"bad-format", "at most one alternative header may follow '?'"};
  if (second.empty()) return Error{"bad-format", "the alternative header's name is empty"};
  part.alternative = choose(second);
  return {};
}

}  // namespace weir::http
