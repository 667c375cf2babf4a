#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "re2/re2.h"
#include "validate/validate.pb.h"

namespace google::protobuf {
class Any;
class Duration;
class FieldDescriptor;
class Message;
class Timestamp;
}  // namespace google::protobuf

namespace weir::config {

// A scalar of a message: a field's value, an item, a map's key or value.
struct ScalarValue {
  enum class Kind { kSigned, kUnsigned, kFloating, kBool, kText, kEnum };

  Kind kind = Kind::kSigned;
  long long signed_number = 0;  // also an enum's number
  unsigned long long unsigned_number = 0;
  double floating = 0;
  bool boolean = false;
  std::string_view text;  // borrowed from the message
  const google::protobuf::FieldDescriptor* field = nullptr;

  // Item `index` of a repeated field; kSingular for any other field.
  static constexpr int kSingular = -1;
  static ScalarValue read(const google::protobuf::Message& message,
                          const google::protobuf::FieldDescriptor& field, int index,
                          std::string& scratch);

  bool is_default() const;
  std::string str() const;
};

// Patterns of the rules that were met, compiled once.
class PatternCache {
 public:
  const RE2& get(const std::string& pattern);

 private:
  std::unordered_map<std::string, std::unique_ptr<RE2>> compiled_;
};

// Each returns what is wrong as the end of a sentence that begins with the field's name, such as
// "must be >= 1 (is 0)"; empty if nothing is.
std::string broken_scalar_rule(const validate::FieldRules& rules, const ScalarValue& value,
                               PatternCache& patterns);
std::string broken_string_rule(const validate::StringRules& rules, std::string_view value,
                               PatternCache& patterns);
std::string broken_bytes_rule(const validate::BytesRules& rules, std::string_view value,
                              PatternCache& patterns);
std::string broken_duration_rule(const validate::DurationRules& rules,
                                 const google::protobuf::Duration& value);
std::string broken_timestamp_rule(const validate::TimestampRules& rules,
                                  const google::protobuf::Timestamp& value);
std::string broken_any_rule(const validate::AnyRules& rules, const google::protobuf::Any& value);

}  // namespace weir::config
