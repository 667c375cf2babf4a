#include "proxy/http/header_changes.h"

#include "proxy/http/header_name.h"

namespace weir::http {
namespace {

using Action = HeaderChanges::Action;

struct Pending {
  const HeaderChanges::Change* change;  // null: it changes nothing
  std::string_view value;
};

// The value, or a view with no data when the change is to be left out.
Pending evaluate(const HeaderChanges::Change& change, const HeaderMap& headers,
                 const FormatInput& input) {
  const bool literal = change.value.is_literal();
  const std::string_view value =
      literal ? change.value.literal() : change.value.evaluate(input, headers.arena(), "");
  if (value.empty() && !change.keep_empty) return {nullptr, {}};
  // What a command yields may come from outside: it must not end a line.
  if (!literal && !valid_header_value(value)) return {nullptr, {}};
  if (change.action == Action::kAddIfAbsent && headers.has(change.name)) return {nullptr, {}};
  if (change.action == Action::kOverwriteIfExists && !headers.has(change.name))
    return {nullptr, {}};
  return {&change, value};
}

bool overwrites(Action action) {
  return action == Action::kOverwriteOrAdd || action == Action::kOverwriteIfExists;
}

void apply_level(const HeaderChanges::Level& level, HeaderMap& headers, const FormatInput& input) {
  for (const std::string& name : level.remove) headers.remove(name);
  const size_t count = level.changes.size();
  Pending* pending = headers.arena().array<Pending>(count);
  for (size_t i = 0; i < count; ++i) pending[i] = evaluate(level.changes[i], headers, input);
  for (size_t i = 0; i < count; ++i)
    if (pending[i].change != nullptr && overwrites(pending[i].change->action))
      headers.set(pending[i].change->name, pending[i].value);
  for (size_t i = 0; i < count; ++i)
    if (pending[i].change != nullptr && !overwrites(pending[i].change->action))
      headers.add(pending[i].change->name, pending[i].value);
}

}  // namespace

void HeaderChanges::add(Level level) {
  if (level.remove.empty() && level.changes.empty()) return;
  levels_.push_back(std::make_shared<const Level>(std::move(level)));
}

void HeaderChanges::add(Change change) {
  Level level;
  level.changes.push_back(std::move(change));
  add(std::move(level));
}

void HeaderChanges::remove(std::string name) {
  Level level;
  level.remove.push_back(std::move(name));
  add(std::move(level));
}

void HeaderChanges::append(const HeaderChanges& other) {
  levels_.insert(levels_.end(), other.levels_.begin(), other.levels_.end());
}

void HeaderChanges::apply(HeaderMap& headers, const FormatInput& input) const {
  for (const auto& level : levels_) apply_level(*level, headers, input);
}

}  // namespace weir::http
