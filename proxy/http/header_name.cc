#include "proxy/http/header_name.h"

#include <algorithm>
#include <array>

#include "proxy/http/headers.h"

namespace weir::http {
namespace {

constexpr std::array<bool, 256> token_bytes() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    table[static_cast<uint8_t>(c)] = true;
  return table;
}

constexpr std::array<bool, 256> kTokenByte = token_bytes();

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool valid_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return kTokenByte[static_cast<uint8_t>(c)]; });
}

bool valid_header_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool check_header_name(std::string_view name, const config::FieldPath& path,
                       config::Diagnostics& diagnostics) {
  const std::string_view token = name.starts_with(':') ? name.substr(1) : name;
  if (valid_header_name(token)) return true;
  diagnostics.error(config::Code::kInvalidValue, path,
                    name.empty() ? std::string("the header has no name")
                                 : "'" + std::string(name) + "' is not a header name",
                    "a name has letters, digits and any of !#$%&'*+-.^_`|~");
  return false;
}

std::string_view protected_header_reason(std::string_view name) {
  if (name.starts_with(':') || name == "host")
    return "rewrite path and host with prefix_rewrite, regex_rewrite and host_rewrite_literal";
  switch (known_header(name)) {
    case Known::kContentLength:
    case Known::kTransferEncoding:
    case Known::kTrailer:
    case Known::kExpect:
      return "the proxy writes it itself, because it frames the message";
    case Known::kConnection:
    case Known::kKeepAlive:
    case Known::kProxyConnection:
    case Known::kTe:
    case Known::kHttp2Settings:
      return "it speaks of one connection, which the proxy manages itself";
    case Known::kUpgrade:
      return "upgrades are allowed with upgrade_configs";
    default:
      return {};
  }
}

}  // namespace weir::http
