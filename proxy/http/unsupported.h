#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace weir::http {

// A field that Envoy has and Weir does not: set in a message, it is an error, never silence.
template <class Message>
struct UnsupportedField {
  std::string_view name;
  bool (*is_set)(const Message&);
  std::string_view hint;
};

// Says nothing about a field that an earlier check has refused.
inline void refuse_field(const config::FieldPath& field, config::Diagnostics& diagnostics,
                         std::string_view hint = {}) {
  std::string path = field.str();
  for (const config::Diagnostic& item : diagnostics.items())
    if (item.code == config::Code::kNotSupported && item.field_path == path) return;
  diagnostics.error(
      config::Code::kNotSupported, std::move(path),
      "'" + std::string(field.name) + "' exists in Envoy; Weir does not support it yet",
      std::string(hint));
}

template <class Message, size_t kCount>
void refuse_unsupported(const Message& message, const UnsupportedField<Message> (&fields)[kCount],
                        const config::FieldPath& path, config::Diagnostics& diagnostics) {
  for (const UnsupportedField<Message>& field : fields)
    if (field.is_set(message)) refuse_field(path.field(field.name), diagnostics, field.hint);
}

}  // namespace weir::http
