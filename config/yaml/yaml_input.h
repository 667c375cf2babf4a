#pragma once

#include <cstddef>
#include <cstdint>
#include <streambuf>
#include <string>
#include <string_view>

namespace weir::config {

// The text as yaml-cpp reads it, a window at a time and without a copy. Internal to parse_yaml.
//
// yaml-cpp keeps every token of a flow collection until it knows whether the collection is a key,
// some hundred bytes for one of the text. The input therefore counts what it hands out between two
// events, and ends early when that cannot become a document within the limits.
class YamlInput : public std::streambuf {
 public:
  // Why the input ended early, if it did.
  enum class Cut { kNone, kTooDeep, kTooManyValues };

  // `text` must outlive the input. `max_values` bounds the values that are read ahead.
  YamlInput(std::string_view text, std::uint64_t max_values);

  // Ends the input where yaml-cpp is: what it has not read does not matter any more.
  void stop() { is_stopped_ = true; }
  // yaml-cpp has reported a value.
  void on_event() { open_brackets_ = values_ = 0; }
  Cut cut() const { return cut_; }
  // Where what was handed out so far ends, in bytes from the beginning of the text.
  std::size_t handed_out() const;
  // The place in the text of a position that yaml-cpp gives.
  std::size_t offset(int position) const;
  // The whole text.
  std::string_view text() const { return text_; }

 protected:
  int_type underflow() override;

 private:
  Cut count(std::string_view window);

  const std::string_view text_;
  const std::uint64_t max_values_;
  std::string joined_;          // the text of JSON whose surrogate pairs had to be rewritten
  std::string_view fed_;        // what yaml-cpp reads: the text without its byte order mark
  std::size_t next_ = 0;        // in fed_
  std::size_t mark_bytes_ = 0;  // of the byte order mark
  std::size_t open_brackets_ = 0;
  std::uint64_t values_ = 0;
  bool is_stopped_ = false;
  Cut cut_ = Cut::kNone;
};

}  // namespace weir::config
