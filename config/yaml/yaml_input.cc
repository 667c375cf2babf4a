#include "config/yaml/yaml_input.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "config/yaml/json_surrogates.h"

namespace weir::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kWindowBytes = 4096;
// Brackets that are open without yaml-cpp having reported one of them. Far more than the limit on
// depth, which is applied to what is reported: these may also stand in a comment or a long value.
constexpr std::size_t kMaxOpenBrackets = 20'000;

}  // namespace

YamlInput::YamlInput(std::string_view text, std::uint64_t max_values)
    : text_(text), max_values_(max_values), fed_(text) {
  if (fed_.starts_with(kByteOrderMark)) {
    mark_bytes_ = kByteOrderMark.size();
    fed_.remove_prefix(mark_bytes_);
  }
  // yaml-cpp knows a carriage return only in front of a line feed.
  if (fed_.ends_with('\r')) fed_.remove_suffix(1);
  if (std::optional<std::string> joined = join_json_surrogates(fed_)) {
    joined_ = std::move(*joined);
    fed_ = joined_;
  }
}

std::size_t YamlInput::handed_out() const {
  return std::min(mark_bytes_ + next_, text_.size());
}

std::size_t YamlInput::offset(int position) const {
  if (position < 0) return 0;
  return std::min(mark_bytes_ + static_cast<std::size_t>(position), text_.size());
}

// The window reaches back to the beginning of the text, so that yaml-cpp can put characters back.
YamlInput::int_type YamlInput::underflow() {
  if (is_stopped_ || cut_ != Cut::kNone || next_ == fed_.size()) return traits_type::eof();
  const std::string_view window = fed_.substr(next_, kWindowBytes);
  cut_ = count(window);
  if (cut_ != Cut::kNone) return traits_type::eof();
  // A streambuf has no const areas; nothing writes through these pointers.
  char* const begin = const_cast<char*>(fed_.data());
  setg(begin, begin + next_, begin + next_ + window.size());
  next_ += window.size();
  return traits_type::to_int_type(*gptr());
}

YamlInput::Cut YamlInput::count(std::string_view window) {
  for (const char c : window) {
    if (c == '[' || c == '{') {
      ++open_brackets_;
      ++values_;
    } else if (c == ']' || c == '}') {
      if (open_brackets_ > 0) --open_brackets_;
    } else if (c == ',') {
      ++values_;
    }
  }
  if (open_brackets_ > kMaxOpenBrackets) return Cut::kTooDeep;
  return values_ > max_values_ ? Cut::kTooManyValues : Cut::kNone;
}

}  // namespace weir::config
