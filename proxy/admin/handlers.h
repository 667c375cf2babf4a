#pragma once

#include <span>
#include <string_view>

#include "proxy/admin/hooks.h"
#include "proxy/admin/message.h"

namespace weir::admin {

// One path of the admin port.
struct Endpoint {
  std::string_view path;
  bool changes;  // needs POST
  std::string_view help;
  std::string_view parameters;  // for the help pages
  AdminResponse (*handle)(const AdminHooks& hooks, const AdminRequest& request);
};

std::span<const Endpoint> read_endpoints();    // handlers_read.cc
std::span<const Endpoint> change_endpoints();  // handlers_change.cc

// POST /logging; GET shows the levels. handlers_change.cc.
AdminResponse handle_logging(const AdminHooks& hooks, const AdminRequest& request);

AdminResponse not_available(std::string_view path);  // 501

}  // namespace weir::admin
