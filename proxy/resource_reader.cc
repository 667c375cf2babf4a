#include "proxy/resource_reader.h"

#include <google/protobuf/message.h>

#include "config/istio_compat.h"
#include "config/istio_extensions.h"
#include "config/optional_extensions.h"
#include "config/typed_struct.h"
#include "config/unknown_fields.h"

namespace weir {

using config::Code;
using config::FieldPath;

bool ResourceReader::read(const google::protobuf::Any& content, google::protobuf::Message& out,
                          config::Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  const FieldPath root = FieldPath::root();
  if (!content.UnpackTo(&out)) {
    diagnostics.error(Code::kInvalidValue, root,
                      "the bytes are no " + out.GetDescriptor()->full_name());
    return false;
  }
  // First, because it bounds how deep messages lie within each other.
  if (!known_fields(out, diagnostics)) return false;
  if (istio_compat_ && config::mentions_istio_part(content.value())) leave_out_istio(out);
  if (config::mentions_optional_extension(content.value())) leave_out_optional(out, diagnostics);
  if (config::mentions_typed_struct(content.value())) unfold(out, diagnostics);
  config::Diagnostics found;
  check_.check_all(out, root, found);
  tell(out, found, diagnostics);
  return diagnostics.error_count() == errors_before;
}

bool ResourceReader::known_fields(const google::protobuf::Message& message,
                                  config::Diagnostics& diagnostics) {
  config::Diagnostics found;
  const size_t count = config::report_unknown_fields(
      message, FieldPath::root(), strict_ ? config::Severity::kError : config::Severity::kWarning,
      found);
  if (!strict_) stats_.main_shard().inc(unknown_fields_, count);
  tell(message, found, diagnostics);
  return !found.has_errors();
}

void ResourceReader::leave_out_istio(google::protobuf::Message& message) {
  config::remove_istio_extensions(message, [this](const std::string& type) {
    if (left_out_.insert(type).second)
      log_.info(Component::kConfig, "'", type, "' is Istio's own, and left out");
  });
}

void ResourceReader::leave_out_optional(google::protobuf::Message& message,
                                        config::Diagnostics& diagnostics) {
  config::Diagnostics found;
  config::leave_out_optional(
      message, FieldPath::root(),
      [this](std::string_view type) { return check_.support().has_extension(type); }, found);
  tell(message, found, diagnostics);
}

void ResourceReader::unfold(google::protobuf::Message& message, config::Diagnostics& diagnostics) {
  config::Diagnostics found;
  config::unfold_typed_structs(
      message, FieldPath::root(),
      {.allow_unknown_fields = !strict_, .extension_types = check_.support().extension_types()},
      found);
  stats_.main_shard().inc(unknown_fields_, found.warning_count());
  tell(message, found, diagnostics);
}

// Warnings are for the log, errors for the control plane.
void ResourceReader::tell(const google::protobuf::Message& message,
                          const config::Diagnostics& found, config::Diagnostics& diagnostics) {
  for (const config::Diagnostic& one : found.items()) {
    if (one.severity == config::Severity::kError)
      diagnostics.add(one);
    else
      log_.warning(Component::kConfig, message.GetDescriptor()->name(),
                   " from a control plane: ", one.field_path, one.field_path.empty() ? "" : ": ",
                   one.message);
  }
}

std::string error_text(const config::Diagnostics& diagnostics) {
  std::string out;
  for (const config::Diagnostic& one : diagnostics.items()) {
    if (one.severity != config::Severity::kError) continue;
    if (!out.empty()) out += '\n';
    if (!one.field_path.empty()) out += one.field_path + ": ";
    out += one.message;
    if (!one.hint.empty()) out += "; " + one.hint;
  }
  return out;
}

}  // namespace weir
