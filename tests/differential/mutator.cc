#include "tests/differential/mutator.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace weir::test {
namespace {

constexpr std::array<std::string_view, 7> kMethods{"GET",    "POST",    "PUT",  "HEAD",
                                                   "DELETE", "OPTIONS", "PATCH"};

// Lines that may stand in a head where they have no business, or that change how it is read.
constexpr std::array<std::string_view, 30> kOddLines{
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length : 5\r\n",
    "Content-Length: 5\n",
    "content-length:5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: Chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Transfer-Encoding: \x0b"
    "chunked\r\n",
    "X: a\r\n b\r\n",
    "X: a\rb\r\n",
    " X: a\r\n",
    "X\r\n",
    ": a\r\n",
    "Host: other\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, content-length\r\n",
    "Connection: transfer-encoding\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Expect: 100-continue\r\n",
    "TE: trailers\r\n",
    "Trailer: X\r\n",
    "\r\n",
};

constexpr std::string_view kOddBytes(
    "\r\n\0\t ;,:/\x0b\x7f\xff"
    "0aZ\"-+",
    18);

constexpr std::array<std::string_view, 8> kChunkEnds{"\r\n", ";a=b\r\n", ";\"x\"\r\n", " \r\n",
                                                     "\n",   ";a\n",     "\r\r\n",     ";\r\n"};

}  // namespace

uint64_t Mutator::below(uint64_t limit) {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return (state_ >> 11) % limit;
}

std::string Mutator::stream() {
  std::string all;
  for (uint64_t count = 1 + below(4); count > 0; --count) all += request();
  for (uint64_t changes = below(4); changes > 1; --changes) change(all);
  return all;
}

std::vector<size_t> Mutator::cuts(size_t bytes) {
  std::vector<size_t> positions;
  for (uint64_t count = below(4); count > 0 && bytes > 1; --count)
    positions.push_back(1 + below(bytes - 1));
  std::sort(positions.begin(), positions.end());
  return positions;
}

std::string Mutator::request() {
  const std::string_view method = kMethods[below(kMethods.size())];
  std::string head =
      std::string(method) + " /r" + std::to_string(++number_) + " HTTP/1.1\r\nHost: a\r\n";
  for (uint64_t count = below(4); count > 0; --count) head += header();
  switch (below(3)) {
    case 0: {
      const std::string body(below(40), 'b');
      return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    case 1:
      return head + "Transfer-Encoding: chunked\r\n\r\n" + chunked_body();
    default:
      return head + "\r\n";
  }
}

std::string Mutator::header() {
  if (below(8) == 0) return std::string(kOddLines[below(kOddLines.size())]);
  return "X-" + std::to_string(below(100)) + ": " + std::string(below(30), 'v') + "\r\n";
}

std::string Mutator::chunked_body() {
  std::string body;
  std::array<char, 20> size;
  for (uint64_t count = below(3); count > 0; --count) {
    const uint64_t bytes = 1 + below(30);
    std::snprintf(size.data(), size.size(), below(2) == 0 ? "%llx" : "%02llX",
                  static_cast<unsigned long long>(bytes));
    const uint64_t end = below(12);
    body += size.data();
    body += kChunkEnds[end < kChunkEnds.size() ? end : 0];
    body += std::string(bytes, 'c') + "\r\n";
  }
  return body + "0\r\n" + (below(5) == 0 ? "X-T: 1\r\n" : "") + "\r\n";
}

void Mutator::change(std::string& stream) {
  below(3) == 0 ? change_bytes(stream) : change_line(stream);
}

void Mutator::change_bytes(std::string& stream) {
  const size_t at = below(stream.size());
  switch (below(4)) {
    case 0:
      stream.erase(at, 1 + below(3));
      break;
    case 1:
      stream.insert(at, 1, kOddBytes[below(kOddBytes.size())]);
      break;
    case 2:
      stream[at] = kOddBytes[below(kOddBytes.size())];
      break;
    default:
      stream.insert(at, stream.substr(at, 1 + below(20)));
  }
  if (stream.empty()) stream = "\r\n";
}

// Puts an odd line in, takes a line out, or repeats one.
void Mutator::change_line(std::string& stream) {
  const size_t end = stream.find("\r\n", below(stream.size()));
  if (end == std::string::npos) return;
  const size_t start = end + 2;
  const size_t next = stream.find("\r\n", start);
  switch (below(3)) {
    case 0:
      stream.insert(start, kOddLines[below(kOddLines.size())]);
      break;
    case 1:
      if (next != std::string::npos) stream.erase(start, next + 2 - start);
      break;
    default:
      if (next != std::string::npos) stream.insert(start, stream.substr(start, next + 2 - start));
  }
}

}  // namespace weir::test
