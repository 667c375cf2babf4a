#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/route_compile.h"
#include "proxy/http/text_source.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::route::v3::DirectResponseAction;
using RedirectConfig = envoy::config::route::v3::RedirectAction;

// RFC 3986 3.1.
bool valid_scheme(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr std::string_view kOthers = "0123456789+-.";
  if (text.empty() || kLetters.find(text[0]) == std::string_view::npos) return false;
  return text.find_first_not_of(std::string(kLetters).append(kOthers)) == std::string_view::npos;
}

uint16_t redirect_status(RedirectConfig::RedirectResponseCode code) {
  switch (code) {
    case RedirectConfig::FOUND:
      return 302;
    case RedirectConfig::SEE_OTHER:
      return 303;
    case RedirectConfig::TEMPORARY_REDIRECT:
      return 307;
    case RedirectConfig::PERMANENT_REDIRECT:
      return 308;
    default:
      return 301;
  }
}

void compile_redirect_target(const RedirectConfig& config, const FieldPath& path,
                             Diagnostics& diagnostics, RedirectAction& out) {
  if (config.https_redirect()) out.scheme = "https";
  if (!config.scheme_redirect().empty()) {
    out.scheme = config.scheme_redirect();
    if (!valid_scheme(out.scheme))
      diagnostics.error(Code::kInvalidValue, path.field("scheme_redirect"),
                        "'" + out.scheme + "' is not a scheme", "for example \"https\"");
  }
  out.host = config.host_redirect();
  if (!out.host.empty()) check_host_text(out.host, path.field("host_redirect"), diagnostics);
  if (config.port_redirect() > UINT16_MAX)
    diagnostics.error(Code::kOutOfRange, path.field("port_redirect"),
                      std::to_string(config.port_redirect()) + " is not a port",
                      "ports are 1 to 65535");
  if (config.port_redirect() != 0) out.port = static_cast<uint16_t>(config.port_redirect());
}

void compile_redirect_path(const RedirectConfig& config, const FieldPath& path,
                           Diagnostics& diagnostics, RedirectAction& out) {
  if (!config.path_redirect().empty()) {
    out.path = config.path_redirect();
    const FieldPath field = path.field("path_redirect");
    const std::string_view plain = std::string_view(out.path).substr(0, out.path.find('#'));
    if (check_path_text(plain, field, diagnostics) && out.path[0] != '/')
      diagnostics.error(Code::kInvalidValue, field, "'" + out.path + "' does not begin with '/'",
                        "set the host with host_redirect and the scheme with scheme_redirect");
  }
  if (!config.prefix_rewrite().empty()) {
    check_path_text(config.prefix_rewrite(), path.field("prefix_rewrite"), diagnostics);
    out.prefix_rewrite = config.prefix_rewrite();
  }
  if (config.has_regex_rewrite()) {
    const FieldPath field = path.field("regex_rewrite");
    check_path_text(config.regex_rewrite().substitution(), field.field("substitution"),
                    diagnostics);
    if (auto rewrite = compile_regex_rewrite(config.regex_rewrite(), field, diagnostics))
      out.regex_rewrite = std::make_unique<const RegexRewrite>(std::move(*rewrite));
  }
}

constexpr const char* kRaiseLimit =
    "raise the route configuration's max_direct_response_body_size_bytes";

void report_body_size(size_t size, const FieldPath& path, const RouteScope& scope) {
  if (size <= scope.max_direct_body_bytes) return;
  scope.diagnostics().error(
      Code::kLimit, path,
      "the body is longer than " + std::to_string(scope.max_direct_body_bytes) + " bytes",
      kRaiseLimit);
}

}  // namespace

void compile_redirect(const RedirectConfig& config, const FieldPath& path, Diagnostics& diagnostics,
                      RedirectAction& out) {
  compile_redirect_target(config, path, diagnostics, out);
  compile_redirect_path(config, path, diagnostics, out);
  out.status = redirect_status(config.response_code());
  out.strip_query = config.strip_query();
}

void compile_direct(const DirectResponseAction& config, const FieldPath& path,
                    const RouteScope& scope, DirectAction& out) {
  if (config.status() < 200 || config.status() > 599)
    scope.diagnostics().error(Code::kOutOfRange, path.field("status"),
                              std::to_string(config.status()) + " is not a final status",
                              "statuses are 200 to 599");
  out.status = static_cast<uint16_t>(config.status());
  if (!config.has_body()) return;
  const FieldPath body_path = path.field("body");
  out.body = read_text_source(config.body(), body_path, scope.max_direct_body_bytes,
                              scope.diagnostics(), kRaiseLimit)
                 .value_or("");
  report_body_size(out.body.size(), body_path, scope);
}

}  // namespace weir::http
