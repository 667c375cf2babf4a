#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::filters::transcoder {

// Cuts a stream of JSON values apart as it comes: the elements of one array, or values that follow
// each other, as newline-delimited JSON has them. Looks at brackets and strings only; what an
// element holds is the reader's affair. One thread.
class JsonSplitter {
 public:
  enum class Step : uint8_t { kNeedMore, kElement, kTooLarge, kInvalid };

  explicit JsonSplitter(size_t max_element_bytes) : max_(max_element_bytes) {}

  // The piece must stay valid until `next` has said kNeedMore.
  void feed(std::string_view piece) { input_ = piece; }
  // The stream is over: a value that nothing delimits may end here.
  void finish() { finished_ = true; }

  // `element` is valid until the next call of any kind.
  Step next(std::string_view& element);

  // After `finish` and kNeedMore: whether the stream ended where it may.
  bool complete() const;

 private:
  enum class Place : uint8_t {
    kStart,    // of the stream
    kFirst,    // behind the array's bracket
    kElement,  // behind a comma
    kInside,   // of an element
    kAfter,    // behind an element of the array
    kBetween,  // values that follow each other: outside of one
    kEnd,      // behind the array
  };

  bool enter(char c);
  bool enter_element(char c);
  bool leave(char c);
  Step give(std::string_view& element, size_t bytes);

  size_t max_;
  std::string_view input_;
  std::string held_;  // the beginning of an element
  Place place_ = Place::kStart;
  bool in_array_ = false;
  bool finished_ = false;
  bool given_ = false;  // `held_` was given out
  // Of the present element:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool scalar_ = false;  // a number or a word: ends before what follows it
};

}  // namespace weir::filters::transcoder
