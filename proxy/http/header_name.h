#pragma once

#include <string>
#include <string_view>

#include "config/diagnostic.h"
#include "config/field_path.h"

// Header names and values of the configuration, checked before they can reach a message.
namespace weir::http {

std::string lower_case(std::string_view text);

// A token of RFC 9110 5.6.2.
bool valid_header_name(std::string_view name);
// Visible bytes, spaces, tabs and bytes above 0x7f (RFC 9110 5.5): no CR, LF, NUL or other control.
bool valid_header_value(std::string_view value);

// Reports a name that is neither a token nor ":" and a token; true when it is fine.
bool check_header_name(std::string_view name, const config::FieldPath& path,
                       config::Diagnostics& diagnostics);

// Why the configuration may not set or remove this header (a lower-case name), or "": pseudo
// headers and Host have mechanisms of their own, and the codec writes what frames a message.
std::string_view protected_header_reason(std::string_view name);

}  // namespace weir::http
