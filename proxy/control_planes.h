#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/bootstrap.h"
#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/base/log.h"
#include "proxy/file_link.h"
#include "proxy/grpc_wire.h"
#include "proxy/rest_link.h"
#include "proxy/stats/registry.h"
#include "xds/client.h"
#include "xds/source.h"

namespace envoy::config::core::v3 {
class ApiConfigSource;
class ConfigSource;
}  // namespace envoy::config::core::v3

namespace weir {

// initial_fetch_timeout; 0: for ever.
int64_t fetch_timeout_ms(const envoy::config::core::v3::ConfigSource& source);

// The sources of resources that the configuration names: the aggregated one (ADS), and one for each
// other ConfigSource and type of resource. Main thread.
class ControlPlanes {
 public:
  struct Needs {
    net::Loop& loop;
    Logger& log;
    stats::Registry& stats;
    GrpcWire::FindCluster find_cluster;
    bool reject_unknown_fields = false;
  };
  explicit ControlPlanes(Needs needs);
  ~ControlPlanes();
  ControlPlanes(const ControlPlanes&) = delete;
  ControlPlanes& operator=(const ControlPlanes&) = delete;

  // Takes the node and ads_config of a bootstrap; the first time only. False on errors.
  // `has_cluster` tells which clusters a service can be called on.
  using HasCluster = std::function<bool(const std::string&)>;
  bool configure(const config::Bootstrap& bootstrap, const HasCluster& has_cluster,
                 config::Diagnostics& diagnostics);

  // Whether resources of that type can be had from there; if not, the reason is in `diagnostics`.
  bool check(const envoy::config::core::v3::ConfigSource& source, xds::ResourceType type,
             const config::FieldPath& path, const HasCluster& has_cluster,
             config::Diagnostics& diagnostics) const;
  // Of a source that was checked.
  xds::Source* source(const envoy::config::core::v3::ConfigSource& source, xds::ResourceType type);

  // Who is told of load (LRS): a cluster's lrs_server, or the bootstrap's load_stats_config. As
  // `check`; `is_static`: the cluster is the bootstrap's.
  bool check_load_server(const envoy::config::core::v3::ConfigSource& server, bool is_static,
                         const config::FieldPath& path, const HasCluster& has_cluster,
                         config::Diagnostics& diagnostics) const;
  static bool check_load_service(const envoy::config::core::v3::ApiConfigSource& api,
                                 const config::FieldPath& path, const HasCluster& has_cluster,
                                 config::Diagnostics& diagnostics);
  // Who orders health checks (HDS): the bootstrap's hds_config. As `check`.
  static bool check_health_service(const envoy::config::core::v3::ApiConfigSource& api,
                                   const config::FieldPath& path, const HasCluster& has_cluster,
                                   config::Diagnostics& diagnostics);
  // Null: there is no such service.
  std::shared_ptr<const envoy::config::core::v3::ApiConfigSource> load_service(
      const envoy::config::core::v3::ConfigSource& server) const;
  const std::shared_ptr<const envoy::config::core::v3::Node>& node() const { return node_; }

  // From now on streams are open.
  void start();

  struct Plane {
    std::string name;  // "ads", or what the source is
    bool connected = false;
    std::string identifier;
    std::vector<xds::ResourceStatus> resources;
  };
  std::vector<Plane> status() const;
  // Of the last answer of a type with all its resources (CDS, LDS) that was taken over as a whole;
  // empty: there was none.
  std::string version(xds::ResourceType type) const;

 private:
  // A control plane that is called or polled, or a file: one of the three.
  struct Link {
    std::string name;
    xds::ResourceType type = xds::ResourceType::kCluster;  // unless it is the aggregated one
    std::unique_ptr<GrpcWire> wire;
    std::unique_ptr<xds::Client> client;
    std::unique_ptr<RestLink> rest;
    std::unique_ptr<FileLink> file;

    xds::Source& source() const;
    void start() const;
    std::string version(xds::ResourceType of) const;
  };

  std::unique_ptr<Link> make(const envoy::config::core::v3::ApiConfigSource& api, bool aggregated,
                             std::string name);
  std::unique_ptr<Link> make_file(const envoy::config::core::v3::ConfigSource& source,
                                  xds::ResourceType type);
  std::unique_ptr<Link> make_rest(const envoy::config::core::v3::ApiConfigSource& api,
                                  xds::ResourceType type);
  static bool check_api(const envoy::config::core::v3::ApiConfigSource& api,
                        const config::FieldPath& path, const HasCluster& has_cluster,
                        config::Diagnostics& diagnostics);
  static void check_rest(const envoy::config::core::v3::ApiConfigSource& api,
                         const config::FieldPath& path, const HasCluster& has_cluster,
                         config::Diagnostics& diagnostics);
  void keep_services(const config::Bootstrap& bootstrap);
  void count(xds::ResourceType type, xds::Event event);

  Needs needs_;
  std::shared_ptr<const envoy::config::core::v3::Node> node_;
  // Where ADS and CDS come from; null: not from a service.
  std::shared_ptr<const envoy::config::core::v3::ApiConfigSource> ads_service_;
  std::shared_ptr<const envoy::config::core::v3::ApiConfigSource> cds_service_;
  std::unique_ptr<Link> ads_;
  std::map<std::string, std::unique_ptr<Link>> others_;  // by the source's bytes and the type
  stats::GaugeId connected_;
  int64_t connected_count_ = 0;
  bool configured_ = false;
  bool started_ = false;
};

}  // namespace weir
