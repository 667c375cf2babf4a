#include "config/rule_plan.h"

#include <google/protobuf/descriptor.h>

#include "validate/validate.pb.h"

namespace weir::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;

const validate::FieldRules* rules_of(const FieldDescriptor& field) {
  if (!field.options().HasExtension(validate::rules)) return nullptr;
  return &field.options().GetExtension(validate::rules);
}

bool is_unchecked(const Descriptor& type) {
  return type.options().GetExtension(validate::disabled);
}

bool has_rules(const Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (rules_of(*type.field(i)) != nullptr) return true;
  }
  for (int i = 0; i < type.oneof_decl_count(); ++i) {
    if (type.oneof_decl(i)->options().GetExtension(validate::required)) return true;
  }
  return false;
}

}  // namespace

RulePlans::RulePlans() : reach_(has_rules) {}

const RulePlan& RulePlans::of(const Descriptor& type) {
  std::unique_ptr<RulePlan>& slot = plans_[&type];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<RulePlan>();
  RulePlan& plan = *slot;  // `slot` may move while further plans are made
  if (!is_unchecked(type)) fill(type, plan);
  return plan;
}

void RulePlans::fill(const Descriptor& type, RulePlan& plan) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    FieldRulePlan entry{.field = &field, .rules = rules_of(field)};
    const FieldDescriptor& value = field.is_map() ? *field.message_type()->map_value() : field;
    const bool skip = entry.rules != nullptr && entry.rules->message().skip();
    if (value.message_type() != nullptr && !skip && reach_.reaches(*value.message_type())) {
      entry.within = &of(*value.message_type());
    }
    if (entry.rules != nullptr || entry.within != nullptr) plan.fields.push_back(entry);
  }
  for (int i = 0; i < type.oneof_decl_count(); ++i) {
    const OneofDescriptor* const oneof = type.oneof_decl(i);
    if (oneof->options().GetExtension(validate::required)) plan.required_oneofs.push_back(oneof);
  }
}

}  // namespace weir::config
