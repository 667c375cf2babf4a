#include "proxy/admin/admin.h"

#include <string>

#include "proxy/admin/client_status.h"
#include "proxy/admin/handlers.h"
#include "proxy/admin/origin.h"

namespace weir::admin {
namespace {

template <class Visit>
void for_each_endpoint(Visit visit) {
  for (const Endpoint& endpoint : read_endpoints()) visit(endpoint);
  for (const Endpoint& endpoint : change_endpoints()) visit(endpoint);
}

const Endpoint* find_endpoint(std::string_view path) {
  const Endpoint* found = nullptr;
  for_each_endpoint([&](const Endpoint& endpoint) {
    if (endpoint.path == path) found = &endpoint;
  });
  return found;
}

std::string help_text() {
  std::string out = "admin commands are:\n";
  for_each_endpoint([&](const Endpoint& endpoint) {
    out += "  " + std::string(endpoint.path);
    if (endpoint.changes) out += " (POST)";
    out += ": " + std::string(endpoint.help);
    if (!endpoint.parameters.empty()) out += "; ?" + std::string(endpoint.parameters);
    out += '\n';
  });
  return out;
}

// Endpoint texts are literals of ours without characters that HTML needs escaped, except '&', which
// browsers take as it is when no entity follows.
std::string html_row(const Endpoint& endpoint) {
  const std::string path(endpoint.path);
  std::string link = "<a href=\"" + path + "\">" + path + "</a>";
  if (endpoint.changes)
    link = "<form method=\"post\" action=\"" + path + "\"><button>" + path + "</button></form>";
  return "<tr><td>" + link + "</td><td>" + std::string(endpoint.help) + "</td><td><code>" +
         std::string(endpoint.parameters) + "</code></td></tr>\n";
}

std::string html_page() {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Weir admin</title>\n"
      "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:60em}"
      "table{border-collapse:collapse}td{padding:.3em .8em;border-top:1px solid #ddd;"
      "vertical-align:top}form{margin:0}button{font:inherit}</style></head>\n"
      "<body><h1>Weir admin</h1>\n<p>Links only show; buttons change something.</p>\n<table>\n";
  for_each_endpoint([&](const Endpoint& endpoint) { out += html_row(endpoint); });
  return out + "</table></body></html>\n";
}

AdminResponse home_page() {
  AdminResponse out = text_response(html_page());
  out.content_type = "text/html; charset=UTF-8";
  return out;
}

bool is_read(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

AdminResponse wrong_method(std::string_view path, std::string allow) {
  AdminResponse out = error_response(
      405, "use " + allow + " for " + std::string(path) + ", for example: curl -X POST");
  out.allow = std::move(allow);
  return out;
}

}  // namespace

AdminResponse not_available(std::string_view path) {
  return error_response(501, std::string(path) + " is not available in this process");
}

AdminResponse Admin::handle(const AdminRequest& request) const {
  if (const Result<void> fine = check_origin(request, hooks_.allowed_hosts); !fine)
    return error_response(403, fine.error().message);
  const bool read = is_read(request.method);
  if (!read && request.method != "POST") return wrong_method(request.path, "GET, HEAD, POST");
  if (request.path == "/" && read) return home_page();
  if (request.path == "/help") return text_response(help_text());
  const Endpoint* endpoint = find_endpoint(request.path);
  if (endpoint == nullptr)
    return error_response(404, "there is no '" + request.path + "' here\n" + help_text());
  if (endpoint->changes && read) return wrong_method(endpoint->path, "POST");
  return endpoint->handle(hooks_, request);
}

Result<std::string> Admin::client_status(const AdminRequest& request,
                                         std::string_view message) const {
  if (const Result<void> fine = check_origin(request, hooks_.allowed_hosts); !fine)
    return Error{"forbidden", fine.error().message};
  return answer_client_status(hooks_, message);
}

}  // namespace weir::admin
