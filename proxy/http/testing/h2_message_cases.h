#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/testing/h2_cases.h"

// RFC 9113 section 8 and RFC 7541 as single cases: what may not pass for a request.
namespace weir::http::h2::testing {

inline std::string headers(const Lines& lines, uint8_t flags = kRequestFlags) {
  return frame(kHeaders, flags, 1, section(lines));
}
// A GET without the pseudo header `name`, or with another value for it.
inline Lines lines_without(std::string_view name) {
  Lines out;
  for (auto& one : request_lines())
    if (one.first != name) out.push_back(one);
  return out;
}
inline Lines lines_with(const std::string& name, const std::string& value) {
  Lines out = request_lines();
  for (auto& one : out)
    if (one.first == name) {
      one.second = value;
      return out;
    }
  out.emplace_back(name, value);
  return out;
}
inline Lines lines_before(const std::string& name, const std::string& value) {
  Lines out = request_lines();
  out.insert(out.begin(), {name, value});
  return out;
}

using NamedBytes = std::vector<std::pair<std::string, std::string>>;

// ---- each is a stream error of type PROTOCOL_ERROR on stream 1 ----

inline const NamedBytes kBadPseudoHeaders = {
    {"no :method", headers(lines_without(":method"))},
    {"no :scheme", headers(lines_without(":scheme"))},
    {"no :path", headers(lines_without(":path"))},
    {"empty :path", headers(lines_with(":path", ""))},
    {"a :path without a slash", headers(lines_with(":path", "x"))},
    {"an absolute :path", headers(lines_with(":path", "http://a/"))},
    {"* for GET", headers(lines_with(":path", "*"))},
    {"a space in :path", headers(lines_with(":path", "/a b"))},
    {"CR LF in :path", headers(lines_with(":path", "/a\r\nx: y"))},
    {"a tab in :path", headers(lines_with(":path", "/a\tb"))},
    {"bytes above 0x7f in :path", headers(lines_with(":path", "/\xc3\xa4"))},
    {"empty :method", headers(lines_with(":method", ""))},
    {"a space in :method", headers(lines_with(":method", "GET /x"))},
    {"a colon in :method", headers(lines_with(":method", "GET:"))},
    {"CR LF in :authority", headers(lines_with(":authority", "a\r\nx: y"))},
    {"a space in :authority", headers(lines_with(":authority", "a b"))},
    {"an unknown :scheme", headers(lines_with(":scheme", "ftp"))},
    {"an empty :scheme", headers(lines_with(":scheme", ""))},
    {"CR LF in :scheme", headers(lines_with(":scheme", "http\r\n"))},
    {":method twice", headers(lines_before(":method", "POST"))},
    {":path twice", headers(lines_before(":path", "/b"))},
    {":authority twice", headers(lines_before(":authority", "b"))},
    {":scheme twice", headers(lines_before(":scheme", "https"))},
    {"an unknown one", headers(lines_before(":what", "x"))},
    {":status in a request", headers(lines_before(":status", "200"))},
    {"upper case", headers(lines_before(":Method", "GET"))},
    {"after a header", headers({{":method", "GET"},
                                {":scheme", "http"},
                                {"x", "y"},
                                {":authority", "a"},
                                {":path", "/"}})},
    {"just a colon", headers(lines_before(":", "x"))},
};

inline const NamedBytes kBadNamesAndValues = {
    {"an empty name", headers(lines_with("", "x"))},
    {"upper case", headers(lines_with("X-Upper", "x"))},
    {"a space in a name", headers(lines_with("x y", "x"))},
    {"a colon in a name", headers(lines_with("x:y", "x"))},
    {"CR in a name", headers(lines_with("x\r", "x"))},
    {"LF in a name", headers(lines_with("x\n", "x"))},
    {"NUL in a name", headers(lines_with(std::string("x\0", 2), "x"))},
    {"a byte above 0x7f in a name", headers(lines_with("x\xe9", "x"))},
    {"CR in a value", headers(lines_with("x", "a\rb"))},
    {"LF in a value", headers(lines_with("x", "a\nb"))},
    {"CR LF in a value", headers(lines_with("x", "a\r\ny: z"))},
    {"NUL in a value", headers(lines_with("x", std::string("a\0b", 3)))},
    {"NUL far back in a value",
     headers(lines_with("x", std::string(40, 'a') + std::string("\0b", 2)))},
    {"DEL in a value", headers(lines_with("x", "a\x7f"))},
    {"a space in front", headers(lines_with("x", " a"))},
    {"a tab in front", headers(lines_with("x", "\ta"))},
    {"a space at the end", headers(lines_with("x", "a "))},
    {"a tab at the end", headers(lines_with("x", "a\t"))},
    {"only a space", headers(lines_with("x", " "))},
};

inline const NamedBytes kBadConnectionHeaders = {
    {"connection", headers(lines_with("connection", "close"))},
    {"connection that names another", headers(lines_with("connection", "x-forwarded-for"))},
    {"keep-alive", headers(lines_with("keep-alive", "timeout=5"))},
    {"proxy-connection", headers(lines_with("proxy-connection", "close"))},
    {"transfer-encoding", headers(lines_with("transfer-encoding", "chunked"))},
    {"transfer_encoding", headers(lines_with("transfer_encoding", "chunked"))},
    {"content_length", headers(lines_with("content_length", "3"))},
    {"upgrade", headers(lines_with("upgrade", "h2c"))},
    {"te: gzip", headers(lines_with("te", "gzip"))},
    {"te: trailers, gzip", headers(lines_with("te", "trailers, gzip"))},
    {"another host", headers(lines_with("host", "b.example"))},
    {"host with a port", headers(lines_with("host", "a.example:81"))},
    {"host twice",
     headers(
         {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}, {"host", "a"}})},
};

inline const NamedBytes kBadContentLength = [] {
  const auto post = [](const std::string& length, bool end = false) {
    return headers(lines_with("content-length", length), end ? kRequestFlags : kEndHeaders);
  };
  return NamedBytes{
      {"empty", post("")},
      {"negative", post("-1")},
      {"signed", post("+1")},
      {"hexadecimal", post("0x5")},
      {"leading zero", post("05")},
      {"a list", post("5, 5")},
      {"2^64", post("18446744073709551616")},
      {"twice", headers({{":method", "POST"},
                         {":scheme", "http"},
                         {":path", "/"},
                         {"content-length", "5"},
                         {"content-length", "5"}},
                        kEndHeaders)},
      {"of an ended request", post("5", true)},
      {"less than the body", post("4") + data(1, "hello", true)},
      {"less than the body, in two", post("4") + data(1, "hel", false) + data(1, "lo", true)},
      {"less than the body that goes on", post("4") + data(1, "hello", false)},
      {"more than the body", post("6") + data(1, "hello", true)},
      {"more than nothing", post("6") + data(1, "", true)},
      {"more than the body before trailers",
       post("6") + data(1, "hello", false) + headers({{"x", "y"}})},
  };
}();

inline const NamedBytes kBadTrailers = [] {
  const std::string body = request(1, false, {}, "POST") + data(1, "x", false);
  return NamedBytes{
      {"with a pseudo header", body + headers({{":path", "/"}})},
      {"with :status", body + headers({{":status", "200"}})},
      {"without an end", body + headers({{"x", "y"}}, kEndHeaders)},
      {"with transfer-encoding", body + headers({{"transfer-encoding", "chunked"}})},
      {"with content-length", body + headers({{"content-length", "1"}})},
      {"with host", body + headers({{"host", "b"}})},
      {"with upper case", body + headers({{"X", "y"}})},
      {"with LF", body + headers({{"x", "y\n"}})},
  };
}();

inline const NamedBytes kBadConnect = {
    {"with :path", headers({{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}})},
    {"with :scheme", headers({{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "http"}})},
    {"without :authority", headers({{":method", "CONNECT"}})},
    {"with :protocol that is not allowed", headers({{":method", "CONNECT"},
                                                    {":protocol", "websocket"},
                                                    {":scheme", "http"},
                                                    {":authority", "a"},
                                                    {":path", "/"}})},
    {"with :protocol connect-udp", headers({{":method", "CONNECT"},
                                            {":protocol", "connect-udp"},
                                            {":scheme", "https"},
                                            {":authority", "a"},
                                            {":path", "/.well-known/masque/udp/b/53/"}})},
    {":protocol with GET", headers(lines_before(":protocol", "websocket"))},
};

// ---- each is a connection error of type COMPRESSION_ERROR ----

// What a request's section has to hold besides, by index of the static table.
inline const std::string kIndexedGet = index(2) + index(6) + index(4);

inline const NamedBytes kBadCompression = [] {
  const NamedBytes tails = {
      {"2.3.3 index beyond both tables", index(70)},
      {"6.1 index 0", index(0)},
      {"6.2.1 name index beyond both tables", std::string("\x7f\x10") + hpack_text("x")},
      {"5.1 an integer without end", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
      {"5.1 an integer cut short", "\xff"},
      {"5.2 text longer than the block", std::string("\x40") + hpack_integer(0, 7, 500) + "x"},
      {"5.2 Huffman padding longer than 7 bits", "\x40\x82\x1f\xff\x81\x1f"},
      {"5.2 Huffman padding of zeros", std::string("\x40\x81\x00\x81\x1f", 5)},
      {"5.2 Huffman text with EOS", "\x40\x84\xff\xff\xff\xff\x81\x1f"},
      {"4.2 a table size after a line", table_size(100)},
      {"6.3 a table size beyond the setting", table_size(4097)},
  };
  NamedBytes out;
  // RFC 7541 4.1, 4.4: the second line leaves no room for the first.
  const std::string evicted = indexed_line("x-first", std::string(1000, 'a')) +
                              indexed_line("x-second", std::string(3500, 'b')) + index(63);
  out.emplace_back("4.4 a line that was evicted",
                   frame(kHeaders, kRequestFlags, 1, kIndexedGet + evicted));
  for (const auto& [what, bytes] : tails) {
    const bool first = what.starts_with("6.3");
    out.emplace_back(
        what, frame(kHeaders, kRequestFlags, 1, first ? bytes + kIndexedGet : kIndexedGet + bytes));
  }
  return out;
}();

// ---- each is a request of stream 1 that is answered ----

// RFC 7541 C.4: text in Huffman's code.
inline const std::string kHuffmanHost = "\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
inline const std::string kHuffmanName = "\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f";  // custom-key
inline const std::string kHuffmanValue =
    "\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";  // custom-value

inline const NamedBytes kGoodCompression = [] {
  const std::string zero(1, '\0');
  const NamedBytes lines = {
      {"6.1 of the static table", index(31)},
      {"6.1 of the dynamic table", indexed_line("x", "y") + index(62) + index(62)},
      {"6.2.1 indexed name", "\x7a" + hpack_text("agent")},
      {"6.2.1 indexed name, Huffman", "\x7a" + kHuffmanValue},
      {"6.2.1 new name", "\x40" + hpack_text("x-a") + hpack_text("b")},
      {"6.2.1 new name, Huffman", "\x40" + kHuffmanName + kHuffmanValue},
      {"6.2.2 indexed name", "\x0f\x2b" + hpack_text("agent")},
      {"6.2.2 indexed name, Huffman", "\x0f\x2b" + kHuffmanValue},
      {"6.2.2 new name", zero + hpack_text("x-a") + hpack_text("b")},
      {"6.2.2 new name, Huffman", zero + kHuffmanName + kHuffmanValue},
      {"6.2.3 indexed name", "\x1f\x2b" + hpack_text("agent")},
      {"6.2.3 indexed name, Huffman", "\x1f\x2b" + kHuffmanValue},
      {"6.2.3 new name", "\x10" + hpack_text("x-a") + hpack_text("b")},
      {"6.2.3 new name, Huffman", "\x10" + kHuffmanName + kHuffmanValue},
      {"5.2 empty text", zero + hpack_text("x-a") + hpack_text("")},
      {"4.4 larger than the table", indexed_line("x-a", std::string(4096, 'b'))},
  };
  NamedBytes out;
  const std::string start = kIndexedGet + "\x41" + kHuffmanHost;
  for (const auto& [what, bytes] : lines)
    out.emplace_back(what, frame(kHeaders, kRequestFlags, 1, start + bytes));
  for (const uint64_t size : {0, 100, 4096})
    out.emplace_back("6.3 a table size of " + std::to_string(size),
                     frame(kHeaders, kRequestFlags, 1, table_size(size) + start));
  out.emplace_back("4.2 two table sizes",
                   frame(kHeaders, kRequestFlags, 1, table_size(0) + table_size(4096) + start));
  return out;
}();

inline const NamedBytes kGoodMessages = [] {
  Lines all = lines_with("host", "A.example");
  all.insert(all.end(), {{"te", "trailers"}, {"cookie", "a=1"}, {"cookie", "b=2"}, {"x-e", ""}});
  return NamedBytes{
      {"8.1 GET", headers(request_lines())},
      {"8.1 HEAD", headers(request_lines("HEAD"))},
      {"8.1 POST", post(1) + data(1, "test", true)},
      {"8.1 POST in several frames",
       post(1) + data(1, "te", false) + data(1, "", false) + data(1, "st", true)},
      {"8.1 POST with trailers", request(1, false, {{"trailer", "x-t"}}, "POST") +
                                     data(1, "test", false) + headers({{"x-t", "ok"}})},
      {"8.1.1 as long as it says", request(1, false, {{"content-length", "4"}}, "POST") +
                                       data(1, "te", false) + data(1, "st", true)},
      {"8.2 lines that are allowed", headers(all)},
      {"8.3.1 Host for :authority",
       headers({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a.example"}})},
      {"8.3.1 in another order",
       headers(
           {{":path", "/"}, {":authority", "a.example"}, {":scheme", "http"}, {":method", "GET"}})},
      {"6.2 padded, with priority", frame(kHeaders, kRequestFlags | kPadded | kPriorityFlag, 1,
                                          padded(3, priority(0x80000000) + kGetSection, 3))},
      {"6.3 PRIORITY before", frame(kPriority, 0, 1, priority(0, 255)) + get(1)},
      {"6.3 exclusive PRIORITY before", frame(kPriority, 0, 1, priority(0x80000000)) + get(1)},
      {"6.3 PRIORITY of a later stream before", frame(kPriority, 0, 3, priority(1)) + get(1)},
      {"6.9 windows before their use",
       window_update(0, 1) + post(1) + window_update(1, 1) + data(1, "test", true)},
      {"6.10 in ten frames",
       [] {
         std::string out = frame(kHeaders, kEndStream, 1, kGetSection.substr(0, 1));
         for (size_t i = 1; i < 9; ++i) out += frame(kContinuation, 0, 1, kGetSection.substr(i, 1));
         return out + frame(kContinuation, kEndHeaders, 1, kGetSection.substr(9));
       }()},
  };
}();

}  // namespace weir::http::h2::testing
