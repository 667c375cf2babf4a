// The grammar of substitution texts: %NAME%, %NAME(parameter)%, %NAME(parameter):length%, %%.

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "config/nearest.h"
#include "proxy/http/formatter_part.h"

namespace weir::http {
namespace {

// Commands that Envoy has and Weir has no value for yet; a name that ends in '_' stands for every
// name that begins so.
constexpr std::string_view kNotSupported[] = {
    "BYTES_RETRANSMITTED",
    "CEL",
    "CLUSTER_METADATA",
    "COALESCE",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_LOCAL_",
    "DOWNSTREAM_PEER_",
    "DOWNSTREAM_TLS_",
    "DYNAMIC_METADATA",
    "FILTER_STATE",
    "METADATA",
    "PACKETS_RETRANSMITTED",
    "ROUNDTRIP_DURATION",
    "SPAN_ID",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "TYPED_",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_METADATA",
};

bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_not_supported(std::string_view name) {
  return std::any_of(std::begin(kNotSupported), std::end(kNotSupported), [&](auto entry) {
    return entry.ends_with('_') ? name.starts_with(entry) : name == entry;
  });
}

using SpecLists = std::array<std::span<const CommandSpec>, 5>;

SpecLists all_commands() {
  return {header_commands(), time_commands(), connection_commands(), stream_commands(),
          tls_commands()};
}

const CommandSpec* find_command(std::string_view name) {
  for (const auto& list : all_commands())
    for (const CommandSpec& spec : list)
      if (spec.name == name) return &spec;
  return nullptr;
}

std::string did_you_mean(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& list : all_commands())
    for (const CommandSpec& spec : list) names.push_back(spec.name);
  return config::did_you_mean(name, names);
}

// Reads one format text from front to back.
class FormatParser {
 public:
  explicit FormatParser(std::string_view text) : text_(text) {}

  Result<std::vector<Format::Part>> parse() {
    while (at_ < text_.size()) {
      if (text_[at_] != '%') {
        literal(text_.substr(at_, std::min(text_.find('%', at_), text_.size()) - at_));
      } else if (text_.substr(at_).starts_with("%%")) {
        literal("%");
        ++at_;  // the second of the two
      } else if (const Result<void> done = command(); !done) {
        return done.error();
      }
    }
    return std::move(parts_);
  }

 private:
  // Appends `text`, which takes as many bytes of the input as it has.
  void literal(std::string_view text) {
    if (parts_.empty() || parts_.back().read != nullptr) parts_.emplace_back();
    parts_.back().text += text;
    at_ += text.size();
    for (const char c : text) {
      if (c == '"') quoted_ = !quoted_;
      if (c == '\n') quoted_ = false;
    }
  }

  Result<void> command() {
    start_ = at_++;
    const std::string_view name = take_name();
    if (name.empty()) return bad("'%' begins no command; write '%%' for a percent sign");
    const CommandSpec* spec = find_command(name);
    if (spec == nullptr) return unknown(name);
    Format::Part part;
    part.read = spec->read;
    part.quoted = quoted_;
    if (const Result<void> done = parameter(*spec, part); !done) return done;
    if (const Result<void> done = length(*spec, part); !done) return done;
    if (at_ >= text_.size() || text_[at_] != '%')
      return bad("%" + std::string(name) + " is not closed by '%'");
    ++at_;
    parts_.push_back(std::move(part));
    return {};
  }

  std::string_view take_name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<void> parameter(const CommandSpec& spec, Format::Part& part) {
    const std::string name(spec.name);
    std::string_view parameter;
    if (at_ < text_.size() && text_[at_] == '(') {
      const size_t close = text_.find(')', at_);
      if (close == std::string_view::npos) return bad("%" + name + "( is not closed by ')'");
      if (spec.syntax == CommandSyntax::kPlain) return bad("%" + name + "% takes no parameter");
      parameter = text_.substr(at_ + 1, close - at_ - 1);
      at_ = close + 1;
    } else if (spec.syntax == CommandSyntax::kParameter) {
      return bad("%" + name + "% needs a parameter: %" + name + "(...)%");
    }
    if (spec.parse == nullptr) return {};
    const Result<void> done = spec.parse(parameter, part);
    return done ? done : bad("%" + name + "%: " + done.error().message);
  }

  Result<void> length(const CommandSpec& spec, Format::Part& part) {
    if (at_ >= text_.size() || text_[at_] != ':') return {};
    const std::string name(spec.name);
    if (!spec.length_allowed) return bad("%" + name + "% takes no ':length'");
    const char* begin = text_.data() + at_ + 1;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), part.max_length);
    if (error != std::errc() || end == begin)
      return bad("%" + name + "%: a number belongs after ':'");
    at_ = static_cast<size_t>(end - text_.data());
    return {};
  }

  Error unknown(std::string_view name) const {
    const std::string quoted = "%" + std::string(name) + "%";
    if (is_not_supported(name))
      return {"not-supported", quoted + " (" + place() + ") is not supported yet; leave it out"};
    std::string message = "unknown command " + quoted + " (" + place() + ")";
    if (const std::string hint = did_you_mean(name); !hint.empty()) message += "; " + hint;
    return {"unknown-command", message};
  }

  Error bad(const std::string& message) const {
    return {"bad-format", message + " (" + place() + ")"};
  }
  std::string place() const { return "at byte " + std::to_string(start_ + 1) + " of the format"; }

  std::string_view text_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the present command
  bool quoted_ = false;
  std::vector<Format::Part> parts_;
};

}  // namespace

Result<std::vector<Format::Part>> parse_format(std::string_view text) {
  return FormatParser(text).parse();
}

}  // namespace weir::http
