#include "config/extension_type.h"

#include <algorithm>
#include <iterator>

#include "config/istio_extensions.h"
#include "config/nearest.h"

namespace weir::config {
namespace {

// Sorted; from Envoy's .proto files when this is built.
constexpr std::string_view kEnvoyExtensions[] = {
#include "envoy_extension_names.inc"
};

bool envoy_has(std::string_view type) {
  return std::binary_search(std::begin(kEnvoyExtensions), std::end(kEnvoyExtensions), type);
}

std::string_view last_component(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

// A type of the same last name in another package is the likeliest, e.g. after a wrong version.
std::string hint_of(std::string_view name, const std::vector<std::string_view>& known) {
  if (is_istio_extension(name)) return istio_hint(name);
  std::vector<std::string_view> same_name;
  for (const std::string_view candidate : known) {
    if (last_component(candidate) == last_component(name)) same_name.push_back(candidate);
  }
  const std::string hint = did_you_mean(name, known);
  if (!hint.empty() || same_name.size() != 1) return hint;
  return "did you mean '" + std::string(same_name[0]) + "'?";
}

}  // namespace

std::string not_supported_yet(std::string_view type) {
  return "extension '" + std::string(type) + "' exists in Envoy; Weir does not support it yet";
}

UnknownType describe_unknown_type(std::string_view type,
                                  const std::vector<std::string_view>& known) {
  if (envoy_has(type)) return {Code::kNotSupported, not_supported_yet(type), {}};
  return {Code::kUnknownExtension, "there is no extension of type '" + std::string(type) + "' here",
          hint_of(type, known)};
}

bool may_be_passed_over(std::string_view type, const FieldPath& path) {
  if (envoy_has(type)) return false;
  constexpr std::string_view kEnd = "].typed_extension_config.typed_config";
  const std::string text = path.str();
  if (!text.ends_with(kEnd)) return false;
  const std::string_view list =
      std::string_view(text).substr(0, text.rfind('[', text.size() - kEnd.size()));
  return list.ends_with("load_balancing_policy.policies") ||
         list.ends_with("endpoint_picking_policy.policies");
}

void warn_of_passed_over(std::string_view type, const FieldPath& path, Diagnostics& diagnostics) {
  diagnostics.warning(
      Code::kNotSupported, path,
      "Weir has no load balancing policy '" + std::string(type) + "', and passes over it",
      "the first that it has is used");
}

std::string left_out_text(std::string_view type) {
  return "Weir has no extension '" + std::string(type) + "', and leaves this optional one out";
}

}  // namespace weir::config
