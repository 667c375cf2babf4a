#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "config/type_reach.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class OneofDescriptor;
}  // namespace google::protobuf

namespace validate {
class FieldRules;
}

namespace weir::config {

struct RulePlan;

struct FieldRulePlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  const validate::FieldRules* rules = nullptr;  // null: only what is within
  const RulePlan* within = nullptr;             // null: nothing to check within
};

// What the rules have to say about one message type; fields that neither have a rule nor lead to
// one are left out, so that a large message is walked quickly.
struct RulePlan {
  std::vector<FieldRulePlan> fields;
  std::vector<const google::protobuf::OneofDescriptor*> required_oneofs;
};

// Plans of the message types that were met so far. Not thread-safe.
class RulePlans {
 public:
  RulePlans();
  const RulePlan& of(const google::protobuf::Descriptor& type);

 private:
  void fill(const google::protobuf::Descriptor& type, RulePlan& plan);

  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<RulePlan>> plans_;
  TypeReach reach_;
};

}  // namespace weir::config
