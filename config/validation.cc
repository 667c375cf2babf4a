#include "config/validation.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <unordered_set>
#include <utility>

#include "config/rule_checks.h"
#include "config/rule_plan.h"
#include "validate/validate.pb.h"

namespace weir::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;
using validate::FieldRules;

bool is_wrapper(const Descriptor& type) {
  return type.well_known_type() >= Descriptor::WELLKNOWNTYPE_DOUBLEVALUE &&
         type.well_known_type() <= Descriptor::WELLKNOWNTYPE_BOOLVALUE;
}

bool is_required(const FieldRules& rules) {
  return rules.message().required() || rules.any().required() || rules.duration().required() ||
         rules.timestamp().required();
}

std::string field_names(const OneofDescriptor& oneof) {
  std::string names;
  for (int i = 0; i < oneof.field_count(); ++i) {
    names += (i == 0 ? "'" : ", '") + oneof.field(i)->name() + "'";
  }
  return names;
}

// A walk over one message tree.
class RuleWalk {
 public:
  RuleWalk(PatternCache& patterns, Diagnostics& diagnostics)
      : patterns_(patterns), diagnostics_(diagnostics) {}

  void message(const Message& message, const RulePlan& plan, const FieldPath& path);

 private:
  void field(const Message& message, const FieldRulePlan& plan, const FieldPath& path);
  void repeated(const Message& message, const FieldRulePlan& plan, const FieldPath& path);
  void repeated_size(const validate::RepeatedRules& rules, int size, const FieldPath& path,
                     const FieldDescriptor& field);
  void unique_items(const Message& message, const FieldDescriptor& field, const FieldPath& path);
  void map(const Message& message, const FieldRulePlan& plan, const FieldPath& path);
  void map_entry(const Message& entry, const FieldRulePlan& plan, const FieldPath& path);
  // A value that is there: field, item (`index`) or part of a map's entry.
  void value(const Message& owner, const FieldDescriptor& field, int index, const FieldRules* rules,
             const RulePlan* within, const FieldPath& path);
  std::string broken_message_rule(const FieldRules& rules, const Message& value);
  void absent(const FieldDescriptor& field, const FieldPath& owner, const std::string& rule);
  void absent_oneof(const OneofDescriptor& oneof, const FieldPath& owner);
  void broken(const FieldPath& at, const std::string& name, const std::string& rule);

  PatternCache& patterns_;
  Diagnostics& diagnostics_;
};

void RuleWalk::message(const Message& message, const RulePlan& plan, const FieldPath& path) {
  const Reflection& reflection = *message.GetReflection();
  for (const OneofDescriptor* const oneof : plan.required_oneofs) {
    if (!reflection.HasOneof(message, oneof)) absent_oneof(*oneof, path);
  }
  for (const FieldRulePlan& field_plan : plan.fields) field(message, field_plan, path);
}

void RuleWalk::field(const Message& message, const FieldRulePlan& plan, const FieldPath& path) {
  const FieldDescriptor& field = *plan.field;
  if (field.is_map()) return map(message, plan, path);
  if (field.is_repeated()) return repeated(message, plan, path);
  // A rule on a member of a oneof binds when that member is the one that is set.
  const bool is_set = !field.has_presence() || message.GetReflection()->HasField(message, &field);
  if (!is_set) {
    const bool required = plan.rules != nullptr && is_required(*plan.rules);
    if (!required || field.containing_oneof() != nullptr) return;
    return absent(field, path, "is required in " + message.GetDescriptor()->full_name());
  }
  value(message, field, ScalarValue::kSingular, plan.rules, plan.within, path.field(field.name()));
}

void RuleWalk::repeated(const Message& message, const FieldRulePlan& plan, const FieldPath& path) {
  const FieldDescriptor& field = *plan.field;
  const int size = message.GetReflection()->FieldSize(message, &field);
  const FieldRules* item_rules = nullptr;
  if (plan.rules != nullptr && plan.rules->has_repeated()) {
    const validate::RepeatedRules& rules = plan.rules->repeated();
    if (size == 0 && rules.ignore_empty()) return;
    repeated_size(rules, size, path, field);
    if (rules.unique()) unique_items(message, field, path);
    if (rules.has_items()) item_rules = &rules.items();
  }
  if (item_rules == nullptr && plan.within == nullptr) return;
  for (int i = 0; i < size; ++i) {
    value(message, field, i, item_rules, plan.within, path.field(field.name(), i));
  }
}

void RuleWalk::repeated_size(const validate::RepeatedRules& rules, int size, const FieldPath& path,
                             const FieldDescriptor& field) {
  const auto count = static_cast<std::uint64_t>(size);
  const std::string has = " (has " + std::to_string(size) + ")";
  if (rules.has_min_items() && count < rules.min_items()) {
    const std::string least = std::to_string(rules.min_items());
    absent(field, path,
           count == 0 && rules.min_items() == 1 ? "must not be empty"
                                                : "must have at least " + least + " items" + has);
  }
  if (rules.has_max_items() && count > rules.max_items()) {
    broken(path.field(field.name()), field.name(),
           "must have at most " + std::to_string(rules.max_items()) + " items" + has);
  }
}

void RuleWalk::unique_items(const Message& message, const FieldDescriptor& field,
                            const FieldPath& path) {
  if (field.message_type() != nullptr) return;
  std::unordered_set<std::string> seen;
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) {
    std::string scratch;
    const std::string item = ScalarValue::read(message, field, i, scratch).str();
    if (seen.insert(item).second) continue;
    broken(path.field(field.name(), i), field.name(), "must not have an item twice: " + item);
  }
}

void RuleWalk::map(const Message& message, const FieldRulePlan& plan, const FieldPath& path) {
  const FieldDescriptor& field = *plan.field;
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (plan.rules != nullptr && plan.rules->has_map()) {
    const validate::MapRules& rules = plan.rules->map();
    if (size == 0 && rules.ignore_empty()) return;
    const auto count = static_cast<std::uint64_t>(size);
    if (rules.has_min_pairs() && count < rules.min_pairs()) {
      absent(field, path,
             "must have at least " + std::to_string(rules.min_pairs()) + " entries (has " +
                 std::to_string(size) + ")");
    }
    if (rules.has_max_pairs() && count > rules.max_pairs()) {
      broken(path.field(field.name()), field.name(),
             "must have at most " + std::to_string(rules.max_pairs()) + " entries (has " +
                 std::to_string(size) + ")");
    }
  }
  for (int i = 0; i < size; ++i) {
    map_entry(reflection.GetRepeatedMessage(message, &field, i), plan, path);
  }
}

void RuleWalk::map_entry(const Message& entry, const FieldRulePlan& plan, const FieldPath& path) {
  const FieldDescriptor& key = *plan.field->message_type()->map_key();
  const FieldDescriptor& mapped = *plan.field->message_type()->map_value();
  const FieldRules* key_rules = nullptr;
  const FieldRules* value_rules = nullptr;
  if (plan.rules != nullptr) {
    if (plan.rules->map().has_keys()) key_rules = &plan.rules->map().keys();
    if (plan.rules->map().has_values()) value_rules = &plan.rules->map().values();
  }
  std::string scratch;
  const std::string name = ScalarValue::read(entry, key, ScalarValue::kSingular, scratch).str();
  const FieldPath at = path.entry(plan.field->name(), name);
  value(entry, key, ScalarValue::kSingular, key_rules, nullptr, at);
  value(entry, mapped, ScalarValue::kSingular, value_rules, plan.within, at);
}

void RuleWalk::value(const Message& owner, const FieldDescriptor& field, int index,
                     const FieldRules* rules, const RulePlan* within, const FieldPath& path) {
  if (field.message_type() == nullptr) {
    if (rules == nullptr) return;
    std::string scratch;
    const ScalarValue scalar = ScalarValue::read(owner, field, index, scratch);
    const std::string rule = broken_scalar_rule(*rules, scalar, patterns_);
    if (!rule.empty()) broken(path, field.name(), rule);
    return;
  }
  const Reflection& reflection = *owner.GetReflection();
  const Message& child = index == ScalarValue::kSingular
                             ? reflection.GetMessage(owner, &field)
                             : reflection.GetRepeatedMessage(owner, &field, index);
  if (rules != nullptr) {
    const std::string rule = broken_message_rule(*rules, child);
    if (!rule.empty()) broken(path, field.name(), rule);
    if (rules->message().skip()) return;
  }
  if (within != nullptr) message(child, *within, path);
}

// Rules on a wrapper apply to the value in it. The value's type decides, not the rule's: Envoy's
// own files have the rule of an Any at a field that is none (ExtensionConfigSource.config_source).
std::string RuleWalk::broken_message_rule(const FieldRules& rules, const Message& value) {
  const Descriptor& type = *value.GetDescriptor();
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return broken_duration_rule(rules.duration(),
                                  static_cast<const google::protobuf::Duration&>(value));
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return broken_timestamp_rule(rules.timestamp(),
                                   static_cast<const google::protobuf::Timestamp&>(value));
    case Descriptor::WELLKNOWNTYPE_ANY:
      return broken_any_rule(rules.any(), static_cast<const google::protobuf::Any&>(value));
    default:
      break;
  }
  if (!is_wrapper(type)) return {};
  std::string scratch;
  const ScalarValue inner =
      ScalarValue::read(value, *type.field(0), ScalarValue::kSingular, scratch);
  return broken_scalar_rule(rules, inner, patterns_);
}

// A field of `owner` is missing, or has too little in it.
void RuleWalk::absent(const FieldDescriptor& field, const FieldPath& owner,
                      const std::string& rule) {
  if (diagnostics_.explains_absence(owner.str(), field.name())) return;
  diagnostics_.error(Code::kConstraint, owner.field(field.name()),
                     "'" + field.name() + "' " + rule);
}

void RuleWalk::absent_oneof(const OneofDescriptor& oneof, const FieldPath& owner) {
  for (int i = 0; i < oneof.field_count(); ++i) {
    if (diagnostics_.explains_absence(owner.str(), oneof.field(i)->name())) return;
  }
  diagnostics_.error(
      Code::kConstraint, owner,
      "one of " + field_names(oneof) + " is required in " + oneof.containing_type()->full_name());
}

void RuleWalk::broken(const FieldPath& at, const std::string& name, const std::string& rule) {
  const std::string path = at.str();
  if (diagnostics_.has_load_error_under(path)) return;
  // A misspelt string is at its default.
  if (at.parent != nullptr && diagnostics_.explains_absence(at.parent->str(), name)) return;
  diagnostics_.error(Code::kConstraint, path, "'" + name + "' " + rule);
}

}  // namespace

struct Validator::State {
  RulePlans plans;
  PatternCache patterns;
};

Validator::Validator() : state_(std::make_unique<State>()) {}
Validator::~Validator() = default;

void Validator::check(const Message& message, const FieldPath& path, Diagnostics& diagnostics) {
  RuleWalk walk(state_->patterns, diagnostics);
  walk.message(message, state_->plans.of(*message.GetDescriptor()), path);
}

}  // namespace weir::config
