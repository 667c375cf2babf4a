// Which control plane is told of load, and which of health.
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "proxy/control_planes.h"

namespace weir {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::ConfigSource;

namespace {

// Null: it is no service that can be called.
std::shared_ptr<const ApiConfigSource> service_of(const ConfigSource& source) {
  if (!source.has_api_config_source()) return nullptr;
  const ApiConfigSource& api = source.api_config_source();
  if (api.api_type() == ApiConfigSource::REST) return nullptr;
  return std::make_shared<const ApiConfigSource>(api);
}

}  // namespace

void ControlPlanes::keep_services(const config::Bootstrap& bootstrap) {
  const auto& dynamic = bootstrap.dynamic_resources();
  if (dynamic.has_ads_config())
    ads_service_ = std::make_shared<const ApiConfigSource>(dynamic.ads_config());
  const ConfigSource& cds = dynamic.cds_config();
  cds_service_ = cds.has_ads() || cds.has_self() ? ads_service_ : service_of(cds);
}

std::shared_ptr<const ApiConfigSource> ControlPlanes::load_service(
    const ConfigSource& server) const {
  if (server.has_self()) return cds_service_;
  if (server.has_ads()) return ads_service_;
  return service_of(server);
}

bool ControlPlanes::check_load_service(const ApiConfigSource& api, const FieldPath& path,
                                       const HasCluster& has_cluster, Diagnostics& diagnostics) {
  if (api.api_type() != ApiConfigSource::REST)
    return check_api(api, path, has_cluster, diagnostics);
  diagnostics.error(Code::kSemantic, path.field("api_type"), "load is reported over gRPC alone",
                    "use GRPC");
  return false;
}

bool ControlPlanes::check_health_service(const ApiConfigSource& api, const FieldPath& path,
                                         const HasCluster& has_cluster, Diagnostics& diagnostics) {
  if (api.api_type() == ApiConfigSource::GRPC)
    return check_api(api, path, has_cluster, diagnostics);
  diagnostics.error(Code::kSemantic, path.field("api_type"),
                    "health checks are ordered over a gRPC stream of their own, not by " +
                        ApiConfigSource::ApiType_Name(api.api_type()),
                    "use GRPC");
  return false;
}

bool ControlPlanes::check_load_server(const ConfigSource& server, bool is_static,
                                      const FieldPath& path, const HasCluster& has_cluster,
                                      Diagnostics& diagnostics) const {
  if (server.has_api_config_source())
    return check_load_service(server.api_config_source(), path.field("api_config_source"),
                              has_cluster, diagnostics);
  if (server.has_self() && is_static) {
    diagnostics.error(Code::kSemantic, path, "a cluster of the bootstrap comes from no server",
                      "name one by api_config_source, or use ads");
    return false;
  }
  if ((server.has_self() || server.has_ads()) && load_service(server) != nullptr) return true;
  diagnostics.error(Code::kReference, path, "this source is no gRPC service, which takes reports",
                    "use {self: {}} with CDS over gRPC, or name a service by api_config_source");
  return false;
}

}  // namespace weir
