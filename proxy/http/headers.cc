#include "proxy/http/headers.h"

#include <cstring>

#include "proxy/http/known_names.h"

namespace weir::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

}  // namespace

Known known_header(std::string_view name) {
  return find_known(name);
}

std::string_view known_name(Known known) {
  return kKnownNames[static_cast<size_t>(known)];
}

void HeaderMap::grow() {
  const uint32_t capacity = capacity_ == 0 ? 20 : capacity_ * 2;
  Header* lines = arena_->array<Header>(capacity);
  if (size_ > 0) std::memcpy(static_cast<void*>(lines), lines_, size_ * sizeof(Header));
  lines_ = lines;
  capacity_ = capacity;
}

void HeaderMap::remove(Header& line) {
  if (line.name.empty()) return;
  line.name = {};
  --count_;
}

bool HeaderMap::remove(Known known) {
  bool found = false;
  while (const Header* line = find(known)) {
    remove(const_cast<Header&>(*line));
    found = true;
  }
  seen_ &= ~known_bit(known);
  return found;
}

bool HeaderMap::remove(std::string_view name) {
  if (const Known known = known_header(name); known != Known::kNone) return remove(known);
  bool found = false;
  for_each([&](Header& line) {
    if (line.name != name) return;
    remove(line);
    found = true;
  });
  return found;
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

const Header* HeaderMap::find(std::string_view name) const {
  if (name.empty()) return nullptr;  // which is how a removed line looks
  if (const Known known = known_header(name); known != Known::kNone) return find(known);
  for (uint32_t i = 0; i < size_; ++i)
    if (lines_[i].name == name) return &lines_[i];
  return nullptr;
}

std::string_view HeaderMap::joined(std::string_view name, bool& present) const {
  std::string_view value;
  present = false;
  for_each([&](const Header& line) {
    if (line.name != name) return;
    value = present ? arena_->concat({value, ", ", line.value}) : line.value;
    present = true;
  });
  return value;
}

void HeaderMap::relocate(ptrdiff_t delta) {
  for (uint32_t i = 0; i < size_; ++i) {
    Header& line = lines_[i];
    line.name = {line.name.data() + delta, line.name.size()};
    line.value = {line.value.data() + delta, line.value.size()};
  }
}

void HeaderMap::clear() {
  size_ = count_ = 0;
  spelling_ = nullptr;
  seen_ = 0;
}

std::string_view Spelling::of(std::string_view lower) const {
  for (const std::string_view name : names)
    if (equals_ignore_case(name, lower)) return name;
  return {};
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (equals_ignore_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace weir::http
