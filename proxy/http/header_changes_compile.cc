#include <optional>

#include "envoy/config/core/v3/base.pb.h"
#include "proxy/http/header_changes.h"
#include "proxy/http/header_name.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::HeaderValueOption;

bool check_changeable(std::string_view name, const FieldPath& path, Diagnostics& diagnostics) {
  if (!check_header_name(name, path, diagnostics)) return false;
  const std::string_view reason = protected_header_reason(name);
  if (reason.empty()) return true;
  diagnostics.error(Code::kSemantic, path,
                    "the header '" + std::string(name) + "' cannot be changed here",
                    std::string(reason));
  return false;
}

std::optional<HeaderChanges::Action> compile_action(const HeaderValueOption& option,
                                                    const FieldPath& path,
                                                    Diagnostics& diagnostics) {
  const auto action = option.append_action();
  if (!option.has_append()) return static_cast<HeaderChanges::Action>(action);
  if (action != HeaderValueOption::APPEND_IF_EXISTS_OR_ADD) {
    diagnostics.error(Code::kOneofConflict, path.field("append"),
                      "both append and append_action are given", "keep append_action only");
    return std::nullopt;
  }
  return option.append().value() ? HeaderChanges::Action::kAppend
                                 : HeaderChanges::Action::kOverwriteOrAdd;
}

std::optional<Format> compile_value(const HeaderValueOption& option, const FieldPath& path,
                                    Diagnostics& diagnostics) {
  const auto& header = option.header();
  const bool raw = !header.raw_value().empty();
  const FieldPath value_path = path.field(raw ? "header.raw_value" : "header.value");
  const std::string& text = raw ? header.raw_value() : header.value();
  if (raw && !header.value().empty()) {
    diagnostics.error(Code::kOneofConflict, value_path, "both value and raw_value are given",
                      "keep one of them");
    return std::nullopt;
  }
  if (!valid_header_value(text)) {
    diagnostics.error(Code::kInvalidValue, value_path,
                      "the value has a control character, which no header may have",
                      "remove line breaks and other control characters");
    return std::nullopt;
  }
  Result<Format> format = Format::compile(text);
  if (format) return format.take();
  const bool unsupported = format.error().code == "not-supported";
  diagnostics.error(unsupported ? Code::kNotSupported : Code::kInvalidValue, value_path,
                    format.error().message, "write '%%' for a percent sign");
  return std::nullopt;
}

}  // namespace

std::optional<HeaderChanges::Change> compile_header_change(const HeaderValueOption& option,
                                                           const FieldPath& path,
                                                           Diagnostics& diagnostics) {
  std::string name = lower_case(option.header().key());
  const bool name_fine = check_changeable(name, path.field("header.key"), diagnostics);
  std::optional<HeaderChanges::Action> action = compile_action(option, path, diagnostics);
  std::optional<Format> value = compile_value(option, path, diagnostics);
  if (!name_fine || !action || !value) return std::nullopt;
  return HeaderChanges::Change{std::move(name), std::move(*value), *action,
                               option.keep_empty_value()};
}

std::optional<std::string> compile_header_removal(const std::string& name, const FieldPath& path,
                                                  Diagnostics& diagnostics) {
  std::string lower = lower_case(name);
  if (!check_changeable(lower, path, diagnostics)) return std::nullopt;
  return lower;
}

HeaderChanges compile_header_changes(const HeaderOptions& add, std::string_view add_field,
                                     const HeaderNames& remove, std::string_view remove_field,
                                     const FieldPath& parent, Diagnostics& diagnostics) {
  HeaderChanges changes;
  if (add.empty() && remove.empty()) return changes;
  HeaderChanges::Level level;
  for (int i = 0; i < remove.size(); ++i) {
    auto name = compile_header_removal(remove[i], parent.field(remove_field, i), diagnostics);
    if (name) level.remove.push_back(std::move(*name));
  }
  for (int i = 0; i < add.size(); ++i) {
    auto change = compile_header_change(add[i], parent.field(add_field, i), diagnostics);
    if (change) level.changes.push_back(std::move(*change));
  }
  changes.add(std::move(level));
  return changes;
}

}  // namespace weir::http
