#include "proxy/http/formatter.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "config/utf8.h"
#include "proxy/http/escape.h"
#include "proxy/http/formatter_part.h"

namespace weir::http {
namespace {

// `text` cut to `max` bytes, not within a character.
std::string_view cut(std::string_view text, uint32_t max) {
  if (text.size() <= max) return text;
  size_t end = max;
  while (end > 0 && max - end < 3 && config::utf8_is_continuation(text[end])) --end;
  return text.substr(0, config::utf8_sequence_length(text.substr(end)) == 0 ? max : end);
}

std::string_view text_or(const FormatValue& value, std::string_view missing) {
  return value.kind == FormatValue::Kind::kMissing ? missing : value.text;
}

}  // namespace

FormatValue FormatScratch::number(int64_t value) {
  return {FormatValue::Kind::kNumber,
          {bytes, static_cast<size_t>(std::to_chars(bytes, bytes + kBytes, value).ptr - bytes)}};
}

FormatValue FormatScratch::number(uint64_t value) {
  return {FormatValue::Kind::kNumber,
          {bytes, static_cast<size_t>(std::to_chars(bytes, bytes + kBytes, value).ptr - bytes)}};
}

FormatValue FormatScratch::copy(std::string_view text) {
  return FormatValue::of({bytes, text.copy(bytes, kBytes)});
}

FormatValue FormatScratch::without_spaces(std::string_view text) {
  if (text.find(' ') == std::string_view::npos) return FormatValue::of_nonempty(text);
  const FormatValue out = copy(text);
  std::replace(bytes, bytes + out.text.size(), ' ', '_');
  return out;
}

FormatValue Format::Part::value(const FormatInput& input, FormatScratch& scratch) const {
  if (read == nullptr) return FormatValue::of(text);
  FormatValue out = read(*this, input, scratch);
  if (max_length != kNoLimit) out.text = cut(out.text, max_length);
  return out;
}

Format::Format(std::unique_ptr<const std::vector<Part>> parts) : parts_(std::move(parts)) {}
Format::Format(Format&&) noexcept = default;
Format& Format::operator=(Format&&) noexcept = default;
Format::~Format() = default;

Result<Format> Format::compile(std::string_view text) {
  Result<std::vector<Part>> parts = parse_format(text);
  if (!parts) return parts.error();
  return Format(std::make_unique<const std::vector<Part>>(parts.take()));
}

bool Format::is_literal() const {
  return parts_->empty() || (parts_->size() == 1 && parts_->front().read == nullptr);
}

std::string_view Format::literal() const {
  return parts_->empty() ? std::string_view() : parts_->front().text;
}

bool Format::is_single_command() const {
  return parts_->size() == 1 && parts_->front().read != nullptr;
}

std::string_view Format::evaluate(const FormatInput& input, Arena& arena,
                                  std::string_view missing) const {
  if (is_literal()) return literal();
  FormatScratch scratch;
  auto* texts = arena.array<std::string_view>(parts_->size());
  size_t total = 0;
  for (size_t i = 0; i < parts_->size(); ++i) {
    std::string_view text = text_or((*parts_)[i].value(input, scratch), missing);
    if (scratch.holds(text)) text = arena.copy(text);
    new (&texts[i]) std::string_view(text);
    total += text.size();
  }
  if (parts_->size() == 1) return texts[0];
  char* out = arena.text(total);
  char* at = out;
  for (size_t i = 0; i < parts_->size(); ++i) {
    if (!texts[i].empty()) std::memcpy(at, texts[i].data(), texts[i].size());
    at += texts[i].size();
  }
  return {out, total};
}

void Format::append(const FormatInput& input, std::string& out, std::string_view missing) const {
  FormatScratch scratch;
  for (const Part& part : *parts_) out += text_or(part.value(input, scratch), missing);
}

void Format::append_escaped(const FormatInput& input, std::string& out,
                            std::string_view missing) const {
  FormatScratch scratch;
  for (const Part& part : *parts_) {
    const FormatValue value = part.value(input, scratch);
    if (part.read == nullptr || value.kind != FormatValue::Kind::kText) {
      out += text_or(value, missing);
    } else {
      append_text_escaped(value.text, part.quoted, out);
    }
  }
}

}  // namespace weir::http
