#include "proxy/tls/data_source.h"

#include <cstdlib>

#include "envoy/config/core/v3/base.pb.h"

namespace weir::tls {

using config::Code;
using envoy::config::core::v3::DataSource;

bool is_set(const DataSource& source) {
  return source.specifier_case() != DataSource::SPECIFIER_NOT_SET;
}

SecretText read_data(const DataSource& source, const config::FieldPath& path,
                     config::Diagnostics& diagnostics) {
  if (source.has_inline_string()) return SecretText(source.inline_string());
  if (source.has_inline_bytes()) return SecretText(source.inline_bytes());
  if (source.has_environment_variable()) {
    const char* value = std::getenv(source.environment_variable().c_str());
    if (value != nullptr) return SecretText(value);
    diagnostics.error(Code::kReference, path.field("environment_variable"),
                      "there is no environment variable '" + source.environment_variable() + "'");
    return {};
  }
  Result<SecretText> file = SecretText::read_file(source.filename());
  if (!file) {
    diagnostics.error(Code::kIo, path.field("filename"), file.error().message);
    return {};
  }
  if (file->empty())
    diagnostics.error(Code::kInvalidValue, path.field("filename"),
                      "'" + source.filename() + "' is empty");
  return file.take();
}

}  // namespace weir::tls
