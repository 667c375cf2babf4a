#include "config/rule_checks.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>

#include "config/range_rule.h"

namespace weir::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::util::TimeUtil;

std::string show_number(double value) {
  char digits[40];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  return std::string(digits, end);
}

template <class Rules>
std::string broken_number(const Rules& rules, const ScalarValue& value) {
  if (rules.ignore_empty() && value.is_default()) return {};
  using Number = decltype(rules.const_());
  const auto show = [](Number number) {
    if constexpr (std::is_floating_point_v<Number>) return show_number(number);
    return std::to_string(number);
  };
  switch (value.kind) {
    case ScalarValue::Kind::kFloating:
      return broken_range_rule(rules, static_cast<Number>(value.floating), show);
    case ScalarValue::Kind::kUnsigned:
      return broken_range_rule(rules, static_cast<Number>(value.unsigned_number), show);
    default:
      return broken_range_rule(rules, static_cast<Number>(value.signed_number), show);
  }
}

std::string enum_name(const google::protobuf::EnumDescriptor& type, int number) {
  const google::protobuf::EnumValueDescriptor* const value = type.FindValueByNumber(number);
  return value == nullptr ? std::to_string(number) : value->name();
}

std::string broken_enum(const validate::EnumRules& rules, const ScalarValue& value) {
  const google::protobuf::EnumDescriptor& type = *value.field->enum_type();
  const auto number = static_cast<int>(value.signed_number);
  if (rules.has_const_() && number != rules.const_()) {
    return "must be " + enum_name(type, rules.const_());
  }
  if (rules.defined_only() && type.FindValueByNumber(number) == nullptr) {
    return "must be a value of " + type.full_name() + " (is " + std::to_string(number) + ")";
  }
  return broken_membership(rules, number, [&type](int n) { return enum_name(type, n); });
}

std::string broken_bool(const validate::BoolRules& rules, const ScalarValue& value) {
  if (!rules.has_const_() || rules.const_() == value.boolean) return {};
  return rules.const_() ? "must be true" : "must be false";
}

}  // namespace

ScalarValue ScalarValue::read(const google::protobuf::Message& message,
                              const FieldDescriptor& field, int index, std::string& scratch) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  const bool one = index == kSingular;
  ScalarValue out;
  out.field = &field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      out.signed_number = one ? reflection.GetInt32(message, &field)
                              : reflection.GetRepeatedInt32(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      out.signed_number = one ? reflection.GetInt64(message, &field)
                              : reflection.GetRepeatedInt64(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      out.kind = Kind::kUnsigned;
      out.unsigned_number = one ? reflection.GetUInt32(message, &field)
                                : reflection.GetRepeatedUInt32(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      out.kind = Kind::kUnsigned;
      out.unsigned_number = one ? reflection.GetUInt64(message, &field)
                                : reflection.GetRepeatedUInt64(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      out.kind = Kind::kFloating;
      out.floating = one ? reflection.GetFloat(message, &field)
                         : reflection.GetRepeatedFloat(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out.kind = Kind::kFloating;
      out.floating = one ? reflection.GetDouble(message, &field)
                         : reflection.GetRepeatedDouble(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      out.kind = Kind::kBool;
      out.boolean = one ? reflection.GetBool(message, &field)
                        : reflection.GetRepeatedBool(message, &field, index);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      out.kind = Kind::kEnum;
      out.signed_number = one ? reflection.GetEnumValue(message, &field)
                              : reflection.GetRepeatedEnumValue(message, &field, index);
      break;
    default:
      out.kind = Kind::kText;
      out.text = one ? reflection.GetStringReference(message, &field, &scratch)
                     : reflection.GetRepeatedStringReference(message, &field, index, &scratch);
  }
  return out;
}

bool ScalarValue::is_default() const {
  return signed_number == 0 && unsigned_number == 0 && floating == 0 && !boolean && text.empty();
}

std::string ScalarValue::str() const {
  switch (kind) {
    case Kind::kUnsigned:
      return std::to_string(unsigned_number);
    case Kind::kFloating:
      return show_number(floating);
    case Kind::kBool:
      return boolean ? "true" : "false";
    case Kind::kText:
      return std::string(text);
    case Kind::kEnum:
      return enum_name(*field->enum_type(), static_cast<int>(signed_number));
    case Kind::kSigned:
      break;
  }
  return std::to_string(signed_number);
}

const RE2& PatternCache::get(const std::string& pattern) {
  std::unique_ptr<RE2>& slot = compiled_[pattern];
  if (slot == nullptr) slot = std::make_unique<RE2>(pattern, RE2::Quiet);
  return *slot;
}

std::string broken_scalar_rule(const validate::FieldRules& rules, const ScalarValue& value,
                               PatternCache& patterns) {
  switch (rules.type_case()) {
    case validate::FieldRules::kFloat:
      return broken_number(rules.float_(), value);
    case validate::FieldRules::kDouble:
      return broken_number(rules.double_(), value);
    case validate::FieldRules::kInt32:
      return broken_number(rules.int32(), value);
    case validate::FieldRules::kInt64:
      return broken_number(rules.int64(), value);
    case validate::FieldRules::kUint32:
      return broken_number(rules.uint32(), value);
    case validate::FieldRules::kUint64:
      return broken_number(rules.uint64(), value);
    case validate::FieldRules::kSint32:
      return broken_number(rules.sint32(), value);
    case validate::FieldRules::kSint64:
      return broken_number(rules.sint64(), value);
    case validate::FieldRules::kFixed32:
      return broken_number(rules.fixed32(), value);
    case validate::FieldRules::kFixed64:
      return broken_number(rules.fixed64(), value);
    case validate::FieldRules::kSfixed32:
      return broken_number(rules.sfixed32(), value);
    case validate::FieldRules::kSfixed64:
      return broken_number(rules.sfixed64(), value);
    case validate::FieldRules::kBool:
      return broken_bool(rules.bool_(), value);
    case validate::FieldRules::kEnum:
      return broken_enum(rules.enum_(), value);
    case validate::FieldRules::kString:
      return broken_string_rule(rules.string(), value.text, patterns);
    case validate::FieldRules::kBytes:
      return broken_bytes_rule(rules.bytes(), value.text, patterns);
    default:
      return {};
  }
}

std::string broken_duration_rule(const validate::DurationRules& rules,
                                 const google::protobuf::Duration& value) {
  return broken_range_rule(rules, value, [](const google::protobuf::Duration& duration) {
    return TimeUtil::ToString(duration);
  });
}

std::string broken_timestamp_rule(const validate::TimestampRules& rules,
                                  const google::protobuf::Timestamp& value) {
  const auto show = [](const google::protobuf::Timestamp& time) {
    return TimeUtil::ToString(time);
  };
  if (rules.has_const_() && !(value == rules.const_())) {
    return "must be " + show(rules.const_()) + " (is " + show(value) + ")";
  }
  return broken_bound(rules, value, show);
}

std::string broken_any_rule(const validate::AnyRules& rules, const google::protobuf::Any& value) {
  return broken_membership(rules, value.type_url(), [](const std::string& url) { return url; });
}

}  // namespace weir::config
