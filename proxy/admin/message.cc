#include "proxy/admin/message.h"

#include <algorithm>

namespace weir::admin {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent escapes and '+' as in a form (application/x-www-form-urlencoded); a '%' that begins no
// escape stays.
std::string decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void parse_query(std::string_view query, AdminRequest& out) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    out.query.emplace_back(decode(pair.substr(0, equals)),
                           decode(pair.substr(std::min(equals + 1, pair.size()))));
  }
}

}  // namespace

bool AdminRequest::has(std::string_view name) const {
  return std::any_of(query.begin(), query.end(), [&](const auto& p) { return p.first == name; });
}

std::string AdminRequest::param(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return {};
}

AdminRequest make_admin_request(std::string_view method, std::string_view target,
                                std::string_view host, std::string_view origin) {
  AdminRequest out;
  out.method = method;
  const size_t mark = std::min(target.find('?'), target.size());
  out.path = target.substr(0, mark);
  parse_query(target.substr(std::min(mark + 1, target.size())), out);
  out.host = host;
  out.origin = origin;
  return out;
}

AdminResponse text_response(std::string body) {
  AdminResponse out;
  out.body = std::move(body);
  return out;
}

AdminResponse json_response(std::string body) {
  AdminResponse out;
  out.body = std::move(body);
  out.content_type = "application/json";
  return out;
}

AdminResponse error_response(uint16_t status, std::string message) {
  AdminResponse out = text_response(std::move(message));
  out.status = status;
  if (out.body.empty() || out.body.back() != '\n') out.body += '\n';
  return out;
}

}  // namespace weir::admin
