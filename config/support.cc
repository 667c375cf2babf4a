#include "config/support.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "config/extension_type.h"
#include "config/message_walk.h"
#include "config/type_reach.h"

namespace weir::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kNotYet = " exists in Envoy; Weir does not support it yet";

// A line of a table.
struct Entry {
  bool is_extension = false;
  bool all_fields = false;
  std::set<std::string, std::less<>> fields;                     // supported; with all_fields, not
  std::vector<std::pair<std::string, std::string>> enum_values;  // field, value: not supported

  bool supports(std::string_view field) const { return fields.contains(field) != all_fields; }
};

using Entries = std::map<std::string, Entry, std::less<>>;

// Splits off the text up to the first of `separators`, which are then skipped.
std::string_view next_word(std::string_view& text, std::string_view separators = " \t") {
  const std::size_t begin = std::min(text.find_first_not_of(separators), text.size());
  const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

void add_fields(std::string_view words, Entry& entry) {
  for (std::string_view word = next_word(words); !word.empty(); word = next_word(words)) {
    if (word == "*") {
      entry.all_fields = true;
      continue;
    }
    if (word.starts_with('-')) word.remove_prefix(1);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) {
      entry.fields.emplace(word);
    } else {
      entry.enum_values.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
  }
}

// Reads the tables line by line.
class TableReader {
 public:
  explicit TableReader(Entries& entries) : entries_(entries) {}

  void line(std::string_view line) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    if (line[0] == ' ' && current_ != nullptr) return add_fields(line, *current_);
    std::string_view words = line;
    std::string_view first = next_word(words);
    if (first == "package") {
      package_ = next_word(words);
      return;
    }
    const bool is_extension = first == "extension";
    if (is_extension) first = next_word(words);
    if (first.ends_with(':')) first.remove_suffix(1);
    current_ = &entries_[package_ + "." + std::string(first)];
    *current_ = Entry{};
    current_->is_extension = is_extension;
    add_fields(words, *current_);
  }

 private:
  Entries& entries_;
  std::string package_;
  Entry* current_ = nullptr;
};

bool is_set(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  return field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                             : reflection.HasField(message, &field);
}

void find_problems(const std::string& name, const Entry& entry, std::vector<std::string>& out) {
  const Descriptor* const type = DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) {
    out.push_back("there is no message " + name);
    return;
  }
  for (const std::string& field : entry.fields) {
    if (type->FindFieldByName(field) == nullptr) out.push_back(name + " has no field " + field);
  }
  for (const auto& [field_name, value] : entry.enum_values) {
    const FieldDescriptor* const field = type->FindFieldByName(field_name);
    const bool known = field != nullptr && field->enum_type() != nullptr &&
                       field->enum_type()->FindValueByName(value) != nullptr;
    if (!known) out.push_back(name + "." + field_name + " has no value " + value);
  }
}

}  // namespace

// What there is to check in a message type.
struct SupportPlan {
  struct RefusedValue {
    const FieldDescriptor* field;
    int number;
  };
  std::vector<const FieldDescriptor*> refused;
  std::vector<RefusedValue> refused_values;
  std::vector<std::pair<const FieldDescriptor*, const SupportPlan*>> within;
};

struct Support::State {
  Entries entries;
  std::unordered_map<const Descriptor*, std::unique_ptr<SupportPlan>> plans;
  std::optional<TypeReach> reach;

  const SupportPlan& plan_of(const Descriptor& type);
  void plan_entry(const Descriptor& type, const Entry& entry, SupportPlan& plan) const;
  void check(const Message& message, const SupportPlan& plan, const FieldPath& path,
             Diagnostics& diagnostics) const;
  void check_fields(const Message& message, const SupportPlan& plan, const FieldPath& path,
                    Diagnostics& diagnostics) const;
};

Support::Support() : state_(std::make_unique<State>()) {}
Support::~Support() = default;
Support::Support(Support&&) noexcept = default;

void Support::add(std::string_view table) {
  TableReader reader(state_->entries);
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    reader.line(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
  }
  state_->plans.clear();
  state_->reach.emplace([entries = &state_->entries](const Descriptor& type) {
    return entries->contains(type.full_name());
  });
}

std::vector<std::string> Support::problems() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : state_->entries) find_problems(name, entry, out);
  return out;
}

std::vector<std::string_view> Support::extension_types() const {
  std::vector<std::string_view> types;
  for (const auto& [name, entry] : state_->entries) {
    if (entry.is_extension) types.push_back(name);
  }
  return types;
}

void Support::check(const Message& message, const FieldPath& path, Diagnostics& diagnostics) {
  if (!state_->reach) return;
  state_->check(message, state_->plan_of(*message.GetDescriptor()), path, diagnostics);
}

bool Support::has_extension(std::string_view type) const {
  const auto found = state_->entries.find(type);
  return found != state_->entries.end() && found->second.is_extension;
}

bool Support::check_extension(std::string_view type, const FieldPath& path,
                              Diagnostics& diagnostics) const {
  if (has_extension(type)) return true;
  diagnostics.error(Code::kNotSupported, path, not_supported_yet(type));
  return false;
}

const SupportPlan& Support::State::plan_of(const Descriptor& type) {
  std::unique_ptr<SupportPlan>& slot = plans[&type];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<SupportPlan>();
  SupportPlan& plan = *slot;  // `slot` may move while further plans are made
  const auto entry = entries.find(type.full_name());
  if (entry != entries.end()) plan_entry(type, entry->second, plan);
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    const Descriptor* const child = child_type(*field);
    if (child != nullptr && reach->reaches(*child))
      plan.within.emplace_back(field, &plan_of(*child));
  }
  return plan;
}

void Support::State::plan_entry(const Descriptor& type, const Entry& entry,
                                SupportPlan& plan) const {
  for (int i = 0; i < type.field_count(); ++i) {
    if (!entry.supports(type.field(i)->name())) plan.refused.push_back(type.field(i));
  }
  for (const auto& [field_name, value_name] : entry.enum_values) {
    const FieldDescriptor* const field = type.FindFieldByName(field_name);
    if (field == nullptr || field->enum_type() == nullptr) continue;  // problems() tells
    const auto* const value = field->enum_type()->FindValueByName(value_name);
    if (value != nullptr) plan.refused_values.push_back({field, value->number()});
  }
}

void Support::State::check(const Message& message, const SupportPlan& plan, const FieldPath& path,
                           Diagnostics& diagnostics) const {
  check_fields(message, plan, path, diagnostics);
  for (const auto& [field, content] : plan.within) {
    const SupportPlan& child_plan = *content;
    for_each_child(message, *field, path, [&](const Message& child, const FieldPath& at) {
      check(child, child_plan, at, diagnostics);
    });
  }
}

void Support::State::check_fields(const Message& message, const SupportPlan& plan,
                                  const FieldPath& path, Diagnostics& diagnostics) const {
  const std::string& type = message.GetDescriptor()->full_name();
  for (const FieldDescriptor* const field : plan.refused) {
    if (!is_set(message, *field)) continue;
    diagnostics.error(Code::kNotSupported, path.field(field->name()),
                      "'" + field->name() + "' of " + type + std::string(kNotYet));
  }
  for (const SupportPlan::RefusedValue& refused : plan.refused_values) {
    const FieldDescriptor* const field = refused.field;
    if (!is_set(message, *field)) continue;
    const int number = message.GetReflection()->GetEnumValue(message, field);
    if (number != refused.number) continue;
    diagnostics.error(Code::kNotSupported, path.field(field->name()),
                      "'" + field->name() + ": " +
                          field->enum_type()->FindValueByNumber(number)->name() + "' of " + type +
                          std::string(kNotYet));
  }
}

}  // namespace weir::config
