#pragma once

#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/tls/secret_text.h"

namespace envoy::config::core::v3 {
class DataSource;
}

namespace weir::tls {

// config.core.v3.DataSource: a file, an environment variable, or what is given in place. Main
// thread.
bool is_set(const envoy::config::core::v3::DataSource& source);
// Empty on an error, which is then in the diagnostics at the field that names the source.
SecretText read_data(const envoy::config::core::v3::DataSource& source,
                     const config::FieldPath& path, config::Diagnostics& diagnostics);

}  // namespace weir::tls
