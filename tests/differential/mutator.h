#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::test {

// Makes streams of HTTP/1 requests that are good but for a few changes of the kind that parsers
// disagree on. The same seed gives the same streams.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : state_(seed * 2 + 1) {}

  // One to four requests, about half of the streams with something changed.
  std::string stream();
  // Where to cut a stream into writes: ascending positions.
  std::vector<size_t> cuts(size_t bytes);

  uint64_t below(uint64_t limit);

 private:
  std::string request();
  std::string header();
  std::string chunked_body();
  void change(std::string& stream);
  void change_bytes(std::string& stream);
  void change_line(std::string& stream);

  uint64_t state_;
  int number_ = 0;
};

}  // namespace weir::test
