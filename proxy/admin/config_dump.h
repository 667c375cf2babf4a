#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "proxy/admin/hooks.h"
#include "proxy/base/result.h"

namespace weir::admin {

// The query of /config_dump.
struct ConfigDumpQuery {
  bool include_eds = false;
  std::string resource;    // e.g. "static_clusters": only the entries of that list
  std::string name_regex;  // RE2, whole name: only resources of these names
};

// Envoy's /config_dump (envoy.admin.v3.ConfigDump) as JSON: the bootstrap, and its listeners,
// clusters, routes and, if asked for, endpoints as dumps of their own, with those that control
// planes sent. Secrets are redacted.
// `updated_s`: seconds since 1970. Errors ("bad-query") are for a 400.
Result<std::string> config_dump_json(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                     int64_t updated_s, std::span<const DynamicResource> dynamic,
                                     const ConfigDumpQuery& query);

}  // namespace weir::admin
