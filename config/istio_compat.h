#pragma once

#include <functional>
#include <string>

#include "config/diagnostic.h"
#include "config/yaml/yaml_node.h"

namespace google::protobuf {
class Message;
}
namespace envoy::config::core::v3 {
class Node;
}

// Istio sends extensions of its own to every proxy. With --istio-compat, or when the node says that
// it is one of Istio's, those of istio_extensions.h are left out.
namespace weir::config {

// Whether node.metadata has ISTIO_VERSION, as Istio's bootstrap does.
bool is_istio_node(const envoy::config::core::v3::Node& node);
// The same of the text of a bootstrap.
bool is_istio_bootstrap(const YamlNode& root);

// Takes each filter, and each per-route configuration, of these types out of a message, also out of
// what its Anys hold; as messages, as TypedStructs, and where all type_urls of a config_discovery
// are of these; and `emit_filter_state` out of grpc_stats, which only Istio's telemetry reads.
// Tells the type of each.
void remove_istio_extensions(google::protobuf::Message& message,
                             const std::function<void(const std::string& type)>& removed);

// A bootstrap without `bootstrap_extensions`, which Istio's has for internal listeners. A warning
// says so.
YamlNode without_istio_parts(YamlTree& tree, const Source& source, Diagnostics& diagnostics);

}  // namespace weir::config
