#include "xds/serving/references.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"

namespace weir::xds {
namespace {

using config::FieldPath;
using envoy::config::cluster::v3::Cluster;
using envoy::config::core::v3::ConfigSource;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::ScopedRouteConfiguration;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
using envoy::extensions::transport_sockets::tls::v3::CommonTlsContext;
using envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
using envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
using google::protobuf::Message;
using References = std::vector<PlacedReference>;

// The message as a T, or null.
template <class T>
const T* as(const Message& message) {
  return message.GetDescriptor() == T::descriptor() ? static_cast<const T*>(&message) : nullptr;
}

// Whether the source is a control plane, which may be this one.
bool is_served(const ConfigSource& source) {
  return source.has_ads() || source.has_self() || source.has_api_config_source();
}

void add(ResourceType type, const std::string& name, const FieldPath& path, References& out) {
  if (!name.empty()) out.push_back({{type, name}, path.str()});
}

void of_cluster(const Cluster& cluster, const FieldPath& path, References& out) {
  if (cluster.type() != Cluster::EDS || !is_served(cluster.eds_cluster_config().eds_config()))
    return;
  const std::string& service = cluster.eds_cluster_config().service_name();
  if (service.empty()) {
    add(ResourceType::kEndpoint, cluster.name(), path.field("name"), out);
  } else {
    add(ResourceType::kEndpoint, service, path.field("eds_cluster_config.service_name"), out);
  }
}

void of_route(const envoy::config::route::v3::Route& route, const FieldPath& path,
              References& out) {
  if (!route.has_route()) return;
  const FieldPath action = path.field("route");
  add(ResourceType::kCluster, route.route().cluster(), action.field("cluster"), out);
  const FieldPath weighted = action.field("weighted_clusters");
  for (int i = 0; i < route.route().weighted_clusters().clusters_size(); ++i) {
    const FieldPath cluster = weighted.field("clusters", i);
    add(ResourceType::kCluster, route.route().weighted_clusters().clusters(i).name(),
        cluster.field("name"), out);
  }
}

void of_routes(const RouteConfiguration& routes, const FieldPath& path, References& out) {
  for (int i = 0; i < routes.virtual_hosts_size(); ++i) {
    const FieldPath host = path.field("virtual_hosts", i);
    for (int j = 0; j < routes.virtual_hosts(i).routes_size(); ++j) {
      of_route(routes.virtual_hosts(i).routes(j), host.field("routes", j), out);
    }
  }
}

void of_manager(const HttpConnectionManager& manager, const FieldPath& path, References& out) {
  if (manager.has_rds() && is_served(manager.rds().config_source())) {
    add(ResourceType::kRoute, manager.rds().route_config_name(),
        path.field("rds.route_config_name"), out);
  }
  if (manager.has_route_config()) {
    of_routes(manager.route_config(), path.field("route_config"), out);
  }
}

void of_secret(const SdsSecretConfig& secret, const FieldPath& path, References& out) {
  if (is_served(secret.sds_config()))
    add(ResourceType::kSecret, secret.name(), path.field("name"), out);
}

void of_tls(const CommonTlsContext& tls, const FieldPath& path, References& out) {
  for (int i = 0; i < tls.tls_certificate_sds_secret_configs_size(); ++i) {
    of_secret(tls.tls_certificate_sds_secret_configs(i),
              path.field("tls_certificate_sds_secret_configs", i), out);
  }
  of_secret(tls.validation_context_sds_secret_config(),
            path.field("validation_context_sds_secret_config"), out);
  of_secret(tls.combined_validation_context().validation_context_sds_secret_config(),
            path.field("combined_validation_context.validation_context_sds_secret_config"), out);
}

void of_tcp_proxy(const TcpProxy& proxy, const FieldPath& path, References& out) {
  add(ResourceType::kCluster, proxy.cluster(), path.field("cluster"), out);
  const FieldPath weighted = path.field("weighted_clusters");
  for (int i = 0; i < proxy.weighted_clusters().clusters_size(); ++i) {
    const FieldPath cluster = weighted.field("clusters", i);
    add(ResourceType::kCluster, proxy.weighted_clusters().clusters(i).name(), cluster.field("name"),
        out);
  }
}

}  // namespace

void collect_references(const Message& message, const FieldPath& path, References& out) {
  if (const auto* cluster = as<Cluster>(message)) return of_cluster(*cluster, path, out);
  if (const auto* routes = as<RouteConfiguration>(message)) return of_routes(*routes, path, out);
  if (const auto* manager = as<HttpConnectionManager>(message))
    return of_manager(*manager, path, out);
  if (const auto* proxy = as<TcpProxy>(message)) return of_tcp_proxy(*proxy, path, out);
  if (const auto* tls = as<DownstreamTlsContext>(message))
    return of_tls(tls->common_tls_context(), path.field("common_tls_context"), out);
  if (const auto* tls = as<UpstreamTlsContext>(message))
    return of_tls(tls->common_tls_context(), path.field("common_tls_context"), out);
  if (const auto* scope = as<ScopedRouteConfiguration>(message)) {
    add(ResourceType::kRoute, scope->route_configuration_name(),
        path.field("route_configuration_name"), out);
  }
}

std::string resource_name(const Message& message) {
  const auto* const type = message.GetDescriptor();
  const auto* field = type->FindFieldByName("cluster_name");
  if (field == nullptr) field = type->FindFieldByName("name");
  const bool is_text = field != nullptr && !field->is_repeated() &&
                       field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING;
  return is_text ? message.GetReflection()->GetString(message, field) : std::string();
}

}  // namespace weir::xds
