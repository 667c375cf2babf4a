#include "filters/grpc_json_transcoder/json_splitter.h"

namespace weir::filters::transcoder {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

// An element begins with `c`. False: none begins so.
bool JsonSplitter::enter_element(char c) {
  if (c == ',' || c == ']' || c == '}' || c == ':') return false;
  place_ = Place::kInside;
  in_string_ = c == '"';
  depth_ = c == '{' || c == '[' ? 1 : 0;
  scalar_ = depth_ == 0 && !in_string_;
  return true;
}

// A character outside of elements. False: it must not stand there.
bool JsonSplitter::enter(char c) {
  if (is_space(c)) return true;
  switch (place_) {
    case Place::kStart:
      in_array_ = c == '[';
      if (!in_array_) return enter_element(c);
      place_ = Place::kFirst;
      return true;
    case Place::kFirst:
      if (c != ']') return enter_element(c);
      place_ = Place::kEnd;
      return true;
    case Place::kAfter:
      if (c != ',' && c != ']') return false;
      place_ = c == ',' ? Place::kElement : Place::kEnd;
      return true;
    case Place::kElement:
    case Place::kBetween:
      return enter_element(c);
    default:
      return false;
  }
}

// A character of an element, behind its first one. True: the element ends with it.
bool JsonSplitter::leave(char c) {
  if (in_string_) {
    const bool ends = c == '"' && !escaped_;
    escaped_ = c == '\\' && !escaped_;
    in_string_ = !ends;
    return ends && depth_ == 0;
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  return depth_ <= 0 && !in_string_;
}

JsonSplitter::Step JsonSplitter::give(std::string_view& element, size_t bytes) {
  if (held_.size() + bytes > max_) return Step::kTooLarge;
  if (held_.empty()) {
    element = input_.substr(0, bytes);
  } else {
    held_ += input_.substr(0, bytes);
    element = held_;
    given_ = true;
  }
  input_.remove_prefix(bytes);
  place_ = in_array_ ? Place::kAfter : Place::kBetween;
  return Step::kElement;
}

JsonSplitter::Step JsonSplitter::next(std::string_view& element) {
  if (given_) held_.clear();
  given_ = false;
  size_t at = 0;
  if (place_ != Place::kInside) {
    while (at < input_.size() && place_ != Place::kInside)
      if (!enter(input_[at++])) return Step::kInvalid;
    if (place_ != Place::kInside) {
      input_ = {};
      return Step::kNeedMore;
    }
    // The element begins with the character that was looked at last.
    input_.remove_prefix(at - 1);
    at = 1;
  }
  for (; at < input_.size(); ++at) {
    const char c = input_[at];
    if (scalar_ && (is_space(c) || c == ',' || c == ']' || c == '}')) return give(element, at);
    if (!scalar_ && leave(c)) return give(element, at + 1);
  }
  if (finished_ && scalar_ && !in_array_) return give(element, input_.size());
  if (held_.size() + input_.size() > max_) return Step::kTooLarge;
  held_ += input_;
  input_ = {};
  return Step::kNeedMore;
}

bool JsonSplitter::complete() const {
  return place_ == Place::kEnd || (!in_array_ && place_ != Place::kInside);
}

}  // namespace weir::filters::transcoder
