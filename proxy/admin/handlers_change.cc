// Endpoints that change something.

#include <array>

#include "proxy/admin/handlers.h"

namespace weir::admin {
namespace {

AdminResponse ok() {
  return text_response("OK\n");
}

AdminResponse drain_listeners(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.drain_listeners) return not_available(request.path);
  const bool graceful = request.has("graceful");
  const bool skip_exit = request.has("skip_exit");
  if (skip_exit && !graceful)
    return error_response(400, "skip_exit needs graceful: /drain_listeners?graceful&skip_exit");
  hooks.drain_listeners({graceful, skip_exit, request.has("inboundonly")});
  return ok();
}

AdminResponse healthcheck_fail(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.fail_health_checks) return not_available(request.path);
  hooks.fail_health_checks(true);
  return ok();
}

AdminResponse healthcheck_ok(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.fail_health_checks) return not_available(request.path);
  hooks.fail_health_checks(false);
  return ok();
}

AdminResponse reopen_logs(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.reopen_logs) return not_available(request.path);
  hooks.reopen_logs();
  return ok();
}

AdminResponse runtime_modify(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.modify_runtime) return not_available(request.path);
  if (request.query.empty())
    return error_response(400, "name a value: /runtime_modify?key=value; key= takes it back");
  if (!hooks.modify_runtime({request.query.begin(), request.query.end()}))
    return error_response(503, "there is no admin_layer in layered_runtime");
  return ok();
}

AdminResponse quit(const AdminHooks& hooks, const AdminRequest& request) {
  if (!hooks.quit) return not_available(request.path);
  hooks.quit();
  return ok();
}

std::string levels_text(const Logger& log) {
  std::string out = "active loggers:\n";
  for (size_t i = 0; i < static_cast<size_t>(Component::kCount); ++i) {
    const auto component = static_cast<Component>(i);
    out += "  " + std::string(component_name(component)) + ": ";
    out += log_level_name(log.level(component));
    out += '\n';
  }
  return out;
}

// "level" sets all components, "paths" is a list as of --component-log-level, any other name is a
// component's.
Result<void> change_level(Logger& log, const std::string& name, const std::string& value) {
  if (name == "paths") return log.set_component_levels(value);
  const Result<LogLevel> level = log_level_by_name(value);
  if (!level) return level.error();
  if (name != "level") return log.set_level(name, *level);
  log.set_level(*level);
  return {};
}

constexpr std::array<Endpoint, 7> kEndpoints = {{
    {"/drain_listeners", true, "drain listeners", "graceful&skip_exit&inboundonly",
     drain_listeners},
    {"/healthcheck/fail", true, "cause the server to fail health checks", "", healthcheck_fail},
    {"/healthcheck/ok", true, "cause the server to pass health checks", "", healthcheck_ok},
    {"/logging", false, "print the log levels; with POST change them",
     "level=debug or upstream=trace", handle_logging},
    {"/quitquitquit", true, "exit the server", "", quit},
    {"/reopen_logs", true, "reopen log files", "", reopen_logs},
    {"/runtime_modify", true, "set values of the runtime's admin layer", "key=value",
     runtime_modify},
}};

}  // namespace

std::span<const Endpoint> change_endpoints() {
  return kEndpoints;
}

AdminResponse handle_logging(const AdminHooks& hooks, const AdminRequest& request) {
  if (request.query.empty()) return text_response(levels_text(*hooks.log));
  if (request.method != "POST") {
    AdminResponse out = error_response(405, "use POST to change log levels");
    out.allow = "POST";
    return out;
  }
  for (const auto& [name, value] : request.query)
    if (const Result<void> done = change_level(*hooks.log, name, value); !done)
      return error_response(400, done.error().message);
  return text_response(levels_text(*hooks.log));
}

}  // namespace weir::admin
