#include "proxy/admin/origin.h"

#include <algorithm>
#include <cctype>

#include "proxy/net/address.h"

namespace weir::admin {
namespace {

// Names below these are never delegated to the public (RFC 6761, RFC 6762, RFC 8375, ICANN's
// reservation of .internal), or only exist within a cluster.
constexpr std::string_view kPrivateSuffixes[] = {".localhost", ".local", ".internal",
                                                 ".svc",       ".test",  ".home.arpa"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// "host:80" -> "host", "[::1]:80" -> "::1".
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t close = host.find(']');
    return close == std::string_view::npos ? std::string_view() : host.substr(1, close - 1);
  }
  return host.substr(0, host.find(':'));
}

bool is_private_name(const std::string& name) {
  if (name.find('.') == std::string::npos) return true;
  return std::any_of(std::begin(kPrivateSuffixes), std::end(kPrivateSuffixes),
                     [&](std::string_view suffix) { return name.ends_with(suffix); });
}

bool is_trusted_host(const std::string& host, const std::vector<std::string>& allowed) {
  const std::string_view name = without_port(host);
  if (name.empty()) return false;
  if (net::Address::ip(name, 0).ok() || is_private_name(std::string(name))) return true;
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return lower(entry) == name; });
}

}  // namespace

Result<void> check_origin(const AdminRequest& request, const std::vector<std::string>& allowed) {
  const std::string host = lower(request.host);
  // Browsers always send Host, so a request without one is none of theirs.
  if (!host.empty() && !is_trusted_host(host, allowed))
    return Error{"foreign-host", "the admin port does not answer to the name '" + request.host +
                                     "'; use its IP address"};
  if (request.origin.empty()) return {};
  const std::string origin = lower(request.origin);
  if (!host.empty() && (origin == "http://" + host || origin == "https://" + host)) return {};
  return Error{"foreign-origin",
               "the admin port does not answer pages of '" + request.origin + "'"};
}

}  // namespace weir::admin
