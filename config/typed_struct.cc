#include "config/typed_struct.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "config/mutable_walk.h"
#include "config/proto_loader.h"
#include "config/yaml/yaml_node.h"
#include "xds/type/v3/typed_struct.pb.h"

namespace weir::config {
namespace {

using google::protobuf::Any;
using google::protobuf::Struct;
using google::protobuf::Value;

// Both have the same fields.
constexpr std::string_view kTypeUrl = "type.googleapis.com/xds.type.v3.TypedStruct";
constexpr std::string_view kOldTypeUrl = "type.googleapis.com/udpa.type.v1.TypedStruct";

std::string_view type_name(std::string_view url) {
  return url.substr(url.rfind('/') + 1);
}

bool is_typed_struct(const Any& any) {
  const std::string_view name = type_name(any.type_url());
  return name == type_name(kTypeUrl) || name == type_name(kOldTypeUrl);
}

// A Struct as the tree that its JSON text would be. Text of strings is not copied.
class StructTree {
 public:
  YamlNode scalar(std::string_view text, bool is_plain) {
    return YamlNode::scalar(0, text, is_plain);
  }

  YamlNode node(const Struct& fields) {
    std::vector<std::pair<std::string_view, const Value*>> sorted;
    for (const auto& [key, value] : fields.fields()) sorted.emplace_back(key, &value);
    std::sort(sorted.begin(), sorted.end());
    std::vector<YamlEntry> entries;
    for (const auto& [key, value] : sorted) entries.push_back({scalar(key, false), node(*value)});
    return YamlNode::mapping(0, keep(entries));
  }

  YamlNode mapping(const std::vector<YamlEntry>& entries) {
    return YamlNode::mapping(0, keep(entries));
  }

 private:
  YamlNode node(const Value& value) {
    switch (value.kind_case()) {
      case Value::kNumberValue:
        return scalar(number(value.number_value()), true);
      case Value::kStringValue:
        return scalar(value.string_value(), false);
      case Value::kBoolValue:
        return scalar(value.bool_value() ? "true" : "false", true);
      case Value::kStructValue:
        return node(value.struct_value());
      case Value::kListValue: {
        std::vector<YamlNode> items;
        for (const Value& item : value.list_value().values()) items.push_back(node(item));
        return YamlNode::sequence(0, keep(items));
      }
      default:
        return YamlNode::null(0);
    }
  }

  // Whole numbers without an exponent, which integers do not have.
  std::string_view number(double value) {
    constexpr double kMostWhole = 9007199254740992;  // 2^53
    char text[64];
    const bool is_whole = std::abs(value) <= kMostWhole && value == std::trunc(value);
    const auto [end, error] =
        is_whole ? std::to_chars(text, text + sizeof(text), static_cast<int64_t>(value))
                 : std::to_chars(text, text + sizeof(text), value);
    const std::vector<char> bytes(text, end);
    const std::span<const char> kept = keep(bytes);
    return {kept.data(), kept.size()};
  }

  template <class Item>
  std::span<const Item> keep(const std::vector<Item>& items) {
    if (items.empty()) return {};
    void* const memory = tree_.arena().allocate(items.size() * sizeof(Item), alignof(Item));
    Item* const copy = static_cast<Item*>(memory);
    std::uninitialized_copy(items.begin(), items.end(), copy);
    return {copy, items.size()};
  }

  YamlTree tree_;
};

}  // namespace

void unfold_typed_structs(google::protobuf::Message& message, const FieldPath& path,
                          const TypedStructOptions& options, Diagnostics& diagnostics) {
  const Source source{{}, {}};
  ProtoLoadOptions load;
  load.allow_unknown_fields = options.allow_unknown_fields;
  load.is_json = true;
  load.extension_types = options.extension_types;
  ProtoLoader loader(source, load, diagnostics);
  change_messages(message, path, [&](google::protobuf::Message& part, const FieldPath& at) {
    const google::protobuf::Descriptor& type = *part.GetDescriptor();
    if (type.well_known_type() != type.WELLKNOWNTYPE_ANY) return false;
    Any& any = static_cast<Any&>(part);
    xds::type::v3::TypedStruct folded;
    if (!is_typed_struct(any) || !folded.ParseFromString(any.value())) return false;
    StructTree tree;
    const YamlNode root =
        tree.mapping({{tree.scalar("@type", false), tree.scalar(kTypeUrl, false)},
                      {tree.scalar("type_url", false), tree.scalar(folded.type_url(), false)},
                      {tree.scalar("value", false), tree.node(folded.value())}});
    any.Clear();
    loader.load(root, at, any);
    return true;
  });
}

std::string meant_type(const Any& any) {
  xds::type::v3::TypedStruct folded;
  if (is_typed_struct(any) && folded.ParseFromString(any.value()))
    return std::string(type_name(folded.type_url()));
  return std::string(type_name(any.type_url()));
}

bool mentions_typed_struct(std::string_view bytes) {
  return bytes.find(type_name(kTypeUrl)) != std::string_view::npos ||
         bytes.find(type_name(kOldTypeUrl)) != std::string_view::npos;
}

}  // namespace weir::config
