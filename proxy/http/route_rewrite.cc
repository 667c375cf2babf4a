#include "proxy/http/host.h"
#include "proxy/http/route.h"

namespace weir::http {
namespace {

// Bytes of `plain`, a path without query, that the route's match took.
size_t matched_size(const Route& route, std::string_view plain) {
  const bool part =
      route.match == Route::Match::kPrefix || route.match == Route::Match::kSeparatedPrefix;
  return part ? std::min(route.match_text.size(), plain.size()) : plain.size();
}

// The path, query kept, with what was matched replaced; `path` itself when there is no rewrite.
std::string_view rewritten_path(const Route& route, const std::string& prefix,
                                const RegexRewrite* regex, std::string_view path, Arena& arena) {
  if ((prefix.empty() && regex == nullptr) || path.empty()) return path;
  const std::string_view plain = path.substr(0, path.find('?'));
  const std::string_view query = path.substr(plain.size());
  const bool whole = prefix.empty();
  const std::string_view head = whole ? regex->replace_all(plain, arena) : prefix;
  const std::string_view tail = whole ? "" : plain.substr(matched_size(route, plain));
  // Upstream servers take nothing but origin form (RFC 9112 3.2.1).
  return arena.concat({head.starts_with('/') ? "" : "/", head, tail, query});
}

void rewrite_path(const Route& route, const ForwardAction& action, RequestHead& request,
                  bool keep_original) {
  const std::string_view path =
      rewritten_path(route, action.prefix_rewrite, action.regex_rewrite.get(), request.path,
                     request.headers.arena());
  if (path.data() == request.path.data()) return;
  if (keep_original) request.headers.set(Known::kEnvoyOriginalPath, request.path);
  request.path = path;
}

// What takes the host's place before an endpoint is known; empty: nothing.
std::string_view new_host(const ForwardAction& action, const WeightedCluster* picked,
                          const RequestHead& request) {
  if (picked != nullptr && !picked->host_rewrite.empty()) return picked->host_rewrite;
  if (!action.host_rewrite.empty()) return action.host_rewrite;
  if (!action.host_rewrite_header.empty()) {
    const std::string_view host = request.headers.get(action.host_rewrite_header);
    return valid_host(host) ? host : std::string_view();
  }
  if (!action.host_rewrite_path_regex) return {};
  const std::string_view host = action.host_rewrite_path_regex->replace_all(
      request.path_without_query(), request.headers.arena());
  return valid_host(host) ? host : std::string_view();
}

std::string_view last_of_list(std::string_view list) {
  const size_t comma = list.rfind(',');
  return trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
}

void append_forwarded_host(RequestHead& request) {
  const std::string_view host = request.authority;
  if (host.empty()) return;
  const std::string_view known = request.headers.get(Known::kForwardedHost);
  if (last_of_list(known) == host) return;
  request.headers.set(Known::kForwardedHost,
                      known.empty() ? host : request.headers.arena().concat({known, ",", host}));
}

// The authority for a redirect to `scheme`. The port goes when there is a new one, or when it is
// the default of the scheme that the client leaves.
std::string_view redirect_host(const RedirectAction& action, std::string_view scheme,
                               const RequestHead& request) {
  const std::string_view host = host_without_port(request.authority);
  const std::string_view port = request.authority.substr(host.size());
  std::string_view client_scheme = request.headers.get(Known::kForwardedProto);
  if (client_scheme.empty()) client_scheme = request.scheme;
  const bool default_port =
      (client_scheme == "https" && port == ":443") || (client_scheme == "http" && port == ":80");
  const bool drop = action.port || (default_port && scheme != client_scheme);
  return drop ? host : request.authority;
}

std::string_view redirect_path(const Route& route, const RedirectAction& action,
                               const RequestHead& request) {
  Arena& arena = request.headers.arena();
  // A query of path_redirect's own wins over the request's and is never stripped.
  if (action.path.find('?') != std::string::npos) return action.path;
  std::string_view path;
  if (action.path.empty()) {
    path = rewritten_path(route, action.prefix_rewrite, action.regex_rewrite.get(), request.path,
                          arena);
  } else {
    const std::string_view query = request.path.substr(request.path_without_query().size());
    path = arena.concat({action.path, query});
  }
  return action.strip_query ? path.substr(0, path.find('?')) : path;
}

}  // namespace

void change_request_headers(const Route& route, const WeightedCluster* picked, RequestHead& request,
                            const FormatInput& input) {
  const bool picked_last = route.host != nullptr && route.host->most_specific_headers_win;
  if (picked != nullptr && !picked_last) picked->request_headers.apply(request, input);
  route.request_headers.apply(request, input);
  if (picked != nullptr && picked_last) picked->request_headers.apply(request, input);
}

void change_response_headers(const Route& route, const WeightedCluster* picked, HeaderMap& headers,
                             const FormatInput& input) {
  const bool picked_last = route.host != nullptr && route.host->most_specific_headers_win;
  if (picked != nullptr && !picked_last) picked->response_headers.apply(headers, input);
  route.response_headers.apply(headers, input);
  if (picked != nullptr && picked_last) picked->response_headers.apply(headers, input);
}

void rewrite_host(const ForwardAction& action, std::string_view host, RequestHead& request,
                  bool keep_originals) {
  if (action.append_forwarded_host) append_forwarded_host(request);
  if (keep_originals && !request.authority.empty())
    request.headers.set(Known::kEnvoyOriginalHost, request.authority);
  request.authority = host;
}

void apply_rewrites(const Route& route, const ForwardAction& action, RequestHead& request,
                    const WeightedCluster* picked, bool keep_originals) {
  const std::string_view host = new_host(action, picked, request);
  if (!host.empty()) rewrite_host(action, host, request, keep_originals);
  rewrite_path(route, action, request, keep_originals);
}

std::string_view redirect_location(const Route& route, const RedirectAction& action,
                                   const RequestHead& request) {
  std::string_view scheme =
      action.scheme.empty() ? request.scheme : std::string_view(action.scheme);
  if (scheme.empty()) scheme = "http";
  const std::string_view host =
      action.host.empty() ? redirect_host(action, scheme, request) : std::string_view(action.host);
  const std::string port = action.port ? ":" + std::to_string(*action.port) : std::string();
  return request.headers.arena().concat(
      {scheme, "://", host, port, redirect_path(route, action, request)});
}

}  // namespace weir::http
