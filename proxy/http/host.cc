#include "proxy/http/host.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace weir::http {
namespace {

constexpr size_t kMaxNameBytes = 255;  // of a name in the DNS, RFC 1035 2.3.4

// unreserved and sub-delims of RFC 3986, without the comma: a list of hosts is not a host.
constexpr std::array<bool, 256> name_bytes() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<uint8_t>(c)] = true;
  for (const char c : {'-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ';', '='})
    table[static_cast<uint8_t>(c)] = true;
  return table;
}

constexpr std::array<bool, 256> kNameByte = name_bytes();

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  for (const char c : name)
    if (!kNameByte[static_cast<uint8_t>(c)]) return false;
  return true;
}

bool valid_ipv6(std::string_view address) {
  std::array<char, INET6_ADDRSTRLEN> text{};  // inet_pton wants a terminator
  if (address.size() >= text.size()) return false;
  address.copy(text.data(), address.size());
  if (address.find('\0') != std::string_view::npos) return false;
  in6_addr parsed{};
  return inet_pton(AF_INET6, text.data(), &parsed) == 1;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text[0] < '1' || text[0] > '9') return std::nullopt;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// Bytes of `authority` before the colon of its port.
size_t host_size(std::string_view authority) {
  if (authority.empty() || authority[0] != '[')
    return std::min(authority.find(':'), authority.size());
  const size_t bracket = authority.find(']');
  return bracket == std::string_view::npos ? authority.size() : bracket + 1;
}

}  // namespace

bool valid_host(std::string_view authority) {
  const std::string_view host = host_without_port(authority);
  const std::string_view rest = authority.substr(host.size());
  if (!rest.empty() && (rest[0] != ':' || !parse_port(rest.substr(1)))) return false;
  if (host.empty() || host[0] != '[') return valid_name(host);
  return host.back() == ']' && valid_ipv6(host.substr(1, host.size() - 2));
}

std::string_view host_without_port(std::string_view authority) {
  return authority.substr(0, host_size(authority));
}

std::optional<uint16_t> port_of_host(std::string_view authority) {
  const size_t size = host_size(authority);
  if (size == authority.size()) return std::nullopt;
  return parse_port(authority.substr(size + 1));
}

}  // namespace weir::http
