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
  std::string mask;        // fields of each dump, or of each entry of `resource` (field_mask.h)
  std::string name_regex;  // RE2, whole name: only resources of these names
};

// What there is to dump.
struct ConfigDumpInput {
  const envoy::config::bootstrap::v3::Bootstrap& bootstrap;
  int64_t updated_s = 0;  // since 1970, of the bootstrap
  std::span<const DynamicResource> dynamic = {};
  std::span<const ClusterState> clusters = {};  // for include_eds
  std::string clusters_version = {};
  std::string listeners_version = {};
};

// Envoy's /config_dump (envoy.admin.v3.ConfigDump) as JSON: the bootstrap, and its listeners,
// clusters, routes and, if asked for, endpoints as dumps of their own, with those that control
// planes sent. Secrets are redacted. Errors: "bad-query" is for a 400, "not-found" for a 404.
Result<std::string> config_dump_json(const ConfigDumpInput& input, const ConfigDumpQuery& query);

}  // namespace weir::admin
