#pragma once

#include <memory>
#include <string>

#include "config/diagnostic.h"
#include "config/message_check.h"
#include "config/yaml/parse_yaml.h"

namespace envoy::config::bootstrap::v3 {
class Bootstrap;
}

namespace weir::config {

using Bootstrap = envoy::config::bootstrap::v3::Bootstrap;

// Lets a Bootstrap be owned where its type is only declared: its header takes seconds to compile.
struct BootstrapDeleter {
  void operator()(Bootstrap* bootstrap) const;
};
using BootstrapPtr = std::unique_ptr<Bootstrap, BootstrapDeleter>;

// Where a configuration comes from; the command line's options of the same names.
struct LoadOptions {
  std::string config_path;      // a YAML file, or JSON if it ends in .json; may be empty
  std::string config_yaml;      // YAML text that is merged over the file; may be empty
  std::string service_cluster;  // each of these replaces what the node has, if not empty
  std::string service_node;
  std::string service_zone;
  bool allow_unknown_static_fields = false;
  // What Istio's bootstrap has and Weir does not is left out (config/istio_compat.h), as it is when
  // the node is one of Istio's.
  bool istio_compat = false;
  YamlLimits limits;
};

// Reads, merges and checks a bootstrap configuration: its syntax, its types, the API's own rules,
// and that Weir supports all of it. Merging is protobuf's: fields that are set replace, messages
// merge, lists are joined.
//
// Returns null after errors. All of them are then in `diagnostics`, placed and sorted; after a
// success it may hold warnings, and the sources, so that checks that follow can report errors by
// field path: call `resolve_positions` (config/resolve.h) before showing those.
BootstrapPtr load_bootstrap(const LoadOptions& options, MessageCheck& check,
                            Diagnostics& diagnostics);

}  // namespace weir::config
