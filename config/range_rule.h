#pragma once

#include <string>

namespace weir::config {

// What the rules of all numbers, durations and timestamps have in common: const, lt, lte, gt, gte,
// in and not_in. `show` turns a value into text. Each function returns what is wrong, or nothing.

template <class Rules, class Value, class Show>
std::string broken_bound(const Rules& rules, const Value& value, Show show) {
  const bool has_low = rules.has_gt() || rules.has_gte();
  const bool has_high = rules.has_lt() || rules.has_lte();
  const bool above =
      !(rules.has_gt() && !(value > rules.gt())) && !(rules.has_gte() && !(value >= rules.gte()));
  const bool below =
      !(rules.has_lt() && !(value < rules.lt())) && !(rules.has_lte() && !(value <= rules.lte()));
  const auto low = rules.has_gt() ? rules.gt() : rules.gte();
  const auto high = rules.has_lt() ? rules.lt() : rules.lte();
  // A lower bound above the upper one asks for a value outside of the two.
  const bool is_reversed = has_low && has_high && high < low;
  if (is_reversed ? above || below : above && below) return {};
  const std::string from = (rules.has_gt() ? "> " : ">= ") + show(low);
  const std::string to = (rules.has_lt() ? "< " : "<= ") + show(high);
  const std::string is = " (is " + show(value) + ")";
  if (!has_high) return "must be " + from + is;
  if (!has_low) return "must be " + to + is;
  return "must be " + from + (is_reversed ? " or " : " and ") + to + is;
}

template <class Rules, class Value, class Show>
std::string broken_membership(const Rules& rules, const Value& value, Show show) {
  for (const auto& refused : rules.not_in()) {
    if (value == refused) return "must not be " + show(refused);
  }
  if (rules.in_size() == 0) return {};
  std::string allowed;
  for (const auto& candidate : rules.in()) {
    if (value == candidate) return {};
    allowed += (allowed.empty() ? "" : ", ") + show(candidate);
  }
  return "must be one of " + allowed + " (is " + show(value) + ")";
}

template <class Rules, class Value, class Show>
std::string broken_range_rule(const Rules& rules, const Value& value, Show show) {
  if (rules.has_const_() && !(value == rules.const_())) {
    return "must be " + show(rules.const_()) + " (is " + show(value) + ")";
  }
  std::string broken = broken_bound(rules, value, show);
  return broken.empty() ? broken_membership(rules, value, show) : broken;
}

}  // namespace weir::config
