#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/webhook_hmac/cli_options.h"
#include "filters/webhook_hmac/signature.h"

namespace weir::webhook {

// What the scheme signs of this request: its length, its parts, and how it begins. Lines of text.
std::vector<std::string> describe_content(const Scheme& scheme, const Claims& claims,
                                          std::string_view body);

// Why the signature may not match: signs what commonly goes wrong (a line break more, JSON written
// anew, a secret taken for what it is not, another preset) and says which of it would match. Lines
// of text.
std::vector<std::string> explain_mismatch(const CliOptions& options, const Claims& claims);

}  // namespace weir::webhook
