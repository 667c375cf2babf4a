// Messages with a JSON form of their own: times, field masks, and Struct with its values.
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/time_util.h>

#include <optional>
#include <string>

#include "config/proto_load_run.h"
#include "config/scalar.h"

namespace weir::config {

void ProtoLoader::Run::duration(const YamlNode& node, const FieldPath& path, Message& out) {
  const std::optional<ParsedDuration> parsed = parse_duration(node.text());
  if (!parsed) {
    const std::string remedy = duration_remedy(node.text());
    return wrong_type(node, path, "a duration in seconds, such as 0.25s",
                      remedy.empty() ? "" : "write " + remedy);
  }
  auto& duration = static_cast<google::protobuf::Duration&>(out);
  duration.set_seconds(parsed->seconds);
  duration.set_nanos(parsed->nanos);
}

void ProtoLoader::Run::timestamp(const YamlNode& node, const FieldPath& path, Message& out) {
  auto& timestamp = static_cast<google::protobuf::Timestamp&>(out);
  const std::string text(node.text());
  if (google::protobuf::util::TimeUtil::FromString(text, &timestamp)) return;
  wrong_type(node, path, "a time such as 2026-01-31T12:00:00Z");
}

void ProtoLoader::Run::field_mask(const YamlNode& node, const FieldPath& path, Message& out) {
  auto& mask = static_cast<google::protobuf::FieldMask&>(out);
  const std::string text(node.text());
  const bool ok =
      node.is_scalar() && google::protobuf::util::FieldMaskUtil::FromJsonString(text, &mask);
  if (!ok) wrong_type(node, path, "a list of fields in one string, such as \"user.name,age\"");
}

void ProtoLoader::Run::struct_fields(const YamlNode& node, const FieldPath& path,
                                     google::protobuf::Struct& out) {
  if (!node.is_mapping()) return wrong_type(node, path, "a mapping");
  for (const YamlEntry& entry : node.entries()) {
    value(entry.value, (*out.mutable_fields())[std::string(entry.key.text())]);
  }
}

void ProtoLoader::Run::list(const YamlNode& node, const FieldPath& path,
                            google::protobuf::ListValue& out) {
  if (!node.is_sequence()) return wrong_type(node, path, "a list");
  for (const YamlNode& item : node.items()) value(item, *out.add_values());
}

// Takes whatever there is, so there is nothing to report.
void ProtoLoader::Run::value(const YamlNode& node, google::protobuf::Value& out) {
  const FieldPath unused;
  switch (node.kind()) {
    case YamlNode::Kind::kNull:
      return out.set_null_value(google::protobuf::NULL_VALUE);
    case YamlNode::Kind::kScalar:
      return scalar_value(node, out);
    case YamlNode::Kind::kSequence:
      return list(node, unused, *out.mutable_list_value());
    case YamlNode::Kind::kMapping:
      return struct_fields(node, unused, *out.mutable_struct_value());
  }
}

void ProtoLoader::Run::scalar_value(const YamlNode& node, google::protobuf::Value& out) {
  const std::string_view text = node.text();
  const PlainType type = node.is_plain() ? plain_type(text) : PlainType::kText;
  if (type == PlainType::kBool) return out.set_bool_value(*parse_bool(text));
  const bool is_number =
      type == PlainType::kInteger || (node.is_plain() && options_.is_json && parse_double(text));
  if (!is_number) return out.set_string_value(std::string(text));
  const std::optional<Integer> integer = parse_integer(text);
  if (!integer) return out.set_number_value(*parse_double(text));
  out.set_number_value(static_cast<double>(integer->magnitude) * (integer->is_negative ? -1 : 1));
}

}  // namespace weir::config
