#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters/webhook_hmac/scheme.h"
#include "proxy/base/result.h"

namespace weir::webhook {

// A secret as it was given, and the key that it stands for.
struct CliSecret {
  std::string place;  // "secret-file hmac.key"
  std::string text;
  std::string key;
};

// What `weir webhook` was asked to do.
struct CliOptions {
  bool verify = false;
  bool help = false;
  Scheme scheme;
  std::vector<CliSecret> secrets;
  std::string body;
  std::string id;                                            // sign; empty: a random one
  std::string timestamp;                                     // sign; empty: now
  std::vector<std::pair<std::string, std::string>> headers;  // verify; lower-case names
  int64_t tolerance_s = 300;
  std::optional<int64_t> now_s;
};

// Reads the arguments and the files that they name; the body comes from `in` unless a file is
// given. An error names the argument and what to do about it.
Result<CliOptions> parse_cli(const std::vector<std::string>& arguments, std::istream& in);

std::string_view cli_help();

}  // namespace weir::webhook
