#pragma once

#include <string>
#include <string_view>

#include "filters/webhook_hmac/scheme.h"
#include "proxy/base/result.h"

namespace weir::webhook {

// Shorter keys can be found by trying.
inline constexpr size_t kMinSecretBytes = 16;

// The whole text of a file, or the value of an environment variable. An error names the file or
// variable. No secret's text is ever part of an error.
Result<std::string> read_secret_file(const std::string& path);
Result<std::string> read_secret_variable(const std::string& name);

// The key's bytes for a secret's text, which may end with line breaks: editors and `echo` add them.
// Fails for text that does not have the form, and for less than kMinSecretBytes.
Result<std::string> secret_key(SecretForm form, std::string_view text);

std::string_view without_line_end(std::string_view text);

}  // namespace weir::webhook
