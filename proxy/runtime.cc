#include "proxy/runtime.h"

#include <google/protobuf/struct.pb.h>

#include <cstdio>
#include <cstdlib>

namespace weir {
namespace {

using google::protobuf::Value;
using Values = Runtime::Values;

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return text;
}

// A nested mapping is a key with dots; one with a numerator is a fraction, kept in percent.
void add(const std::string& key, const Value& value, Values& out) {
  switch (value.kind_case()) {
    case Value::kNumberValue:
      out[key] = number_text(value.number_value());
      break;
    case Value::kBoolValue:
      out[key] = value.bool_value() ? "true" : "false";
      break;
    case Value::kStringValue:
      out[key] = value.string_value();
      break;
    case Value::kStructValue: {
      const auto& fields = value.struct_value().fields();
      if (const auto numerator = fields.find("numerator"); numerator != fields.end()) {
        double of = 100;
        if (const auto unit = fields.find("denominator"); unit != fields.end()) {
          if (unit->second.string_value() == "TEN_THOUSAND") of = 10'000;
          if (unit->second.string_value() == "MILLION") of = 1'000'000;
        }
        out[key] = number_text(numerator->second.number_value() * 100 / of);
        break;
      }
      for (const auto& [name, inner] : fields) add(key + "." + name, inner, out);
      break;
    }
    default:
      break;
  }
}

}  // namespace

Runtime::Values runtime_values(const google::protobuf::Struct& layer) {
  Values out;
  for (const auto& [name, value] : layer.fields()) add(name, value, out);
  return out;
}

std::optional<double> Runtime::number(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (end == found->second.c_str() || *end != '\0') return std::nullopt;
  return value;
}

uint32_t Runtime::number(std::string_view key, uint32_t fallback) const {
  return static_cast<uint32_t>(limit(key, fallback));
}

uint64_t Runtime::limit(std::string_view key, uint64_t fallback) const {
  const std::optional<double> value = number(key);
  return value && *value >= 0 ? static_cast<uint64_t>(*value) : fallback;
}

http::RuntimeLookup lookup_in(std::shared_ptr<const LiveRuntime> runtime) {
  if (runtime == nullptr) return {};
  return [runtime = std::move(runtime)](std::string_view key) {
    return runtime->current().number(key);
  };
}

}  // namespace weir
