#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace weir::config {

// Messages whose JSON form is not a mapping of their fields (proto3 JSON mapping).
enum class MessageForm {
  kFields,
  kAny,
  kTypedStruct,  // of xds.type.v1 or udpa.type.v1: an Any in the clothes of JSON
  kDuration,
  kTimestamp,
  kWrapper,
  kFieldMask,
  kStruct,
  kValue,
  kListValue,
};

struct MessageTable;

struct FieldEntry {
  const google::protobuf::FieldDescriptor* field = nullptr;
  MessageTable* content = nullptr;  // filled in by MessageTables::content
};

// What loading needs to know about one message type, found once.
struct MessageTable {
  const google::protobuf::Descriptor* descriptor = nullptr;
  MessageForm form = MessageForm::kFields;
  // By name in snake_case and in lowerCamelCase.
  std::unordered_map<std::string_view, FieldEntry> fields;

  FieldEntry* find(std::string_view name);
  // The proto names of the fields, for hints.
  std::vector<std::string_view> names() const;
};

// Tables of the message types that were met so far, built on demand. Not thread-safe.
class MessageTables {
 public:
  MessageTable& of(const google::protobuf::Descriptor& descriptor);
  // The type of a message field, or of the values of a map of messages.
  MessageTable& content(FieldEntry& entry);

 private:
  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<MessageTable>> tables_;
};

}  // namespace weir::config
