#include "proxy/control_planes.h"

#include <algorithm>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/grpc_service.pb.h"
#include "proxy/base/duration.h"
#include "proxy/http/compile_duration.h"
#include "proxy/options.h"

namespace weir {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::ConfigSource;
using envoy::config::core::v3::Node;
using xds::Event;
using xds::ResourceType;

constexpr int64_t kDefaultFetchTimeoutMs = 15'000;
constexpr int64_t kDefaultPollTimeoutMs = 1000;

bool is_delta(const ApiConfigSource& api) {
  return api.api_type() == ApiConfigSource::DELTA_GRPC ||
         api.api_type() == ApiConfigSource::AGGREGATED_DELTA_GRPC;
}

// Positive, and within the type's bounds.
bool is_time(const google::protobuf::Duration& duration) {
  constexpr int64_t kMaxSeconds = 315'576'000'000;
  return duration.seconds() >= 0 && duration.seconds() <= kMaxSeconds && to_ms(duration) > 0;
}

std::shared_ptr<const Node> node_of(const config::Bootstrap& bootstrap) {
  auto node = std::make_shared<Node>(bootstrap.node());
  node->set_user_agent_name("weir");
  node->set_user_agent_version(version_text());
  return node;
}

// Envoy's names where it counts by type; "xds.rds." and so on for the others.
std::string stat_prefix_of(ResourceType type) {
  if (type == ResourceType::kCluster) return "cluster_manager.cds.";
  if (type == ResourceType::kListener) return "listener_manager.lds.";
  std::string name(xds::short_name(type));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return "xds." + name + ".";
}

std::string_view stat_of(Event event) {
  switch (event) {
    case Event::kAttempt:
      return "update_attempt";
    case Event::kSuccess:
      return "update_success";
    case Event::kRejected:
      return "update_rejected";
    case Event::kFailure:
      return "update_failure";
    case Event::kFetchTimeout:
      return "init_fetch_timeout";
    case Event::kRateLimited:
      break;
  }
  return "rate_limit_enforced";
}

}  // namespace

int64_t fetch_timeout_ms(const ConfigSource& source) {
  return source.has_initial_fetch_timeout() ? to_ms(source.initial_fetch_timeout())
                                            : kDefaultFetchTimeoutMs;
}

ControlPlanes::ControlPlanes(Needs needs)
    : needs_(std::move(needs)), connected_(needs_.stats.gauge("control_plane.connected_state")) {}

ControlPlanes::~ControlPlanes() = default;

bool ControlPlanes::configure(const config::Bootstrap& bootstrap, const HasCluster& has_cluster,
                              Diagnostics& diagnostics) {
  if (std::exchange(configured_, true)) return true;
  node_ = node_of(bootstrap);
  keep_services(bootstrap);
  if (!bootstrap.dynamic_resources().has_ads_config()) return true;
  const FieldPath path = FieldPath::root("dynamic_resources.ads_config");
  const ApiConfigSource& api = bootstrap.dynamic_resources().ads_config();
  if (api.api_type() == ApiConfigSource::REST)
    diagnostics.error(Code::kSemantic, path.field("api_type"), "ADS is one stream, not polls",
                      "use GRPC or DELTA_GRPC; REST is for a config source of one type");
  if (!check_api(api, path, has_cluster, diagnostics) || api.api_type() == ApiConfigSource::REST)
    return configured_ = false;
  ads_ = make(api, true, "ads");
  return true;
}

// ---- what can be asked for ----

bool ControlPlanes::check(const ConfigSource& source, ResourceType type, const FieldPath& path,
                          const HasCluster& has_cluster, Diagnostics& diagnostics) const {
  const size_t errors_before = diagnostics.error_count();
  http::compile_duration_ms(source.initial_fetch_timeout(), path.field("initial_fetch_timeout"),
                            diagnostics);
  switch (source.config_source_specifier_case()) {
    case ConfigSource::kAds:
    case ConfigSource::kSelf:
      if (ads_ == nullptr)
        diagnostics.error(Code::kReference, path, "the bootstrap has no ads_config",
                          "add dynamic_resources.ads_config");
      break;
    case ConfigSource::kApiConfigSource: {
      const FieldPath at = path.field("api_config_source");
      check_api(source.api_config_source(), at, has_cluster, diagnostics);
      break;
    }
    case ConfigSource::kPath:
    case ConfigSource::kPathConfigSource:
      break;
    default:
      diagnostics.error(
          Code::kConstraint, path,
          "it is not said where " + std::string(xds::short_name(type)) + " resources come from",
          "set ads, api_config_source or path_config_source");
  }
  return diagnostics.error_count() == errors_before;
}

bool ControlPlanes::check_api(const ApiConfigSource& api, const FieldPath& path,
                              const HasCluster& has_cluster, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  if (api.api_type() == ApiConfigSource::REST) {
    check_rest(api, path, has_cluster, diagnostics);
    return diagnostics.error_count() == errors_before;
  }
  if (api.api_type() != ApiConfigSource::GRPC &&
      api.api_type() != ApiConfigSource::AGGREGATED_GRPC && !is_delta(api))
    diagnostics.error(
        Code::kNotSupported, path.field("api_type"),
        "Weir speaks " + ApiConfigSource::ApiType_Name(api.api_type()) + " to no control plane",
        "GRPC, DELTA_GRPC and REST are supported");
  if (api.cluster_names_size() > 0)
    diagnostics.error(Code::kSemantic, path.field("cluster_names"),
                      "clusters by name are for REST, this source is called by gRPC",
                      "name the cluster in grpc_services");
  if (api.grpc_services_size() == 0) {
    diagnostics.error(Code::kConstraint, path.field("grpc_services"), "no service is named",
                      "add an envoy_grpc with the cluster_name of the control plane");
    return false;
  }
  const FieldPath services = path.field("grpc_services");
  upstream::GrpcServiceConfig::compile(api.grpc_services(0), services.at(0), has_cluster,
                                       diagnostics);
  return diagnostics.error_count() == errors_before;
}

void ControlPlanes::check_rest(const ApiConfigSource& api, const FieldPath& path,
                               const HasCluster& has_cluster, Diagnostics& diagnostics) {
  if (api.grpc_services_size() > 0)
    diagnostics.error(Code::kSemantic, path.field("grpc_services"), "REST is no gRPC service",
                      "name the cluster in cluster_names");
  if (api.cluster_names_size() != 1)
    return diagnostics.error(Code::kConstraint, path.field("cluster_names"),
                             "REST needs the name of one cluster", "give exactly one");
  const std::string& cluster = api.cluster_names(0);
  if (has_cluster && !has_cluster(cluster))
    diagnostics.error(Code::kReference, path.field("cluster_names", 0),
                      "there is no cluster '" + cluster + "'", "define it under clusters");
  if (!is_time(api.refresh_delay()))
    diagnostics.error(Code::kConstraint, path.field("refresh_delay"),
                      "REST needs a positive time between its polls", "give one, e.g. 5s");
  if (api.has_request_timeout() && !is_time(api.request_timeout()))
    diagnostics.error(Code::kOutOfRange, path.field("request_timeout"),
                      "the time is not positive or too long", "leave it out for 1s");
}

// ---- making them ----

xds::Source& ControlPlanes::Link::source() const {
  if (client != nullptr) return *client;
  if (rest != nullptr) return *rest;
  return *file;
}

std::string ControlPlanes::Link::version(ResourceType of) const {
  if (client != nullptr) return client->version(of);
  return rest != nullptr ? rest->version() : file->version();
}

void ControlPlanes::Link::start() const {
  if (client != nullptr) client->start();
  if (rest != nullptr) rest->start();
}

std::unique_ptr<ControlPlanes::Link> ControlPlanes::make(const ApiConfigSource& api,
                                                         bool aggregated, std::string name) {
  Diagnostics none;
  auto service =
      upstream::GrpcServiceConfig::compile(api.grpc_services(0), FieldPath::root(), {}, none);
  xds::ClientOptions options;
  options.node = node_;
  options.delta = is_delta(api);
  options.aggregated = aggregated;
  options.node_on_first_message_only = api.set_node_on_first_message_only();
  options.back_off_base_ms = service->back_off_base_ms;
  options.back_off_max_ms = service->back_off_max_ms;
  if (api.rate_limit_settings().has_max_tokens())
    options.max_tokens = api.rate_limit_settings().max_tokens().value();
  if (api.rate_limit_settings().has_fill_rate())
    options.tokens_per_s = api.rate_limit_settings().fill_rate().value();
  options.on_event = [this](ResourceType type, Event event) { count(type, event); };
  options.on_rejected = [this, name](ResourceType type, const std::string& errors) {
    needs_.log.warning(Component::kConfig, xds::short_name(type), " of control plane '", name,
                       "' is refused, what was in force of it stays: ", errors);
  };
  options.on_connected = [this, name](bool connected) {
    connected_count_ += connected ? 1 : -1;
    needs_.stats.set(connected_, connected_count_);
    if (connected) needs_.log.info(Component::kConfig, "control plane '", name, "' answers");
  };
  options.on_away = [this, name](const std::string& reason) {
    needs_.log.warning(Component::kConfig, "control plane '", name, "' is away: ", reason,
                       "; what it sent last stays in force");
  };
  auto link = std::make_unique<Link>();
  link->name = std::move(name);
  link->wire = std::make_unique<GrpcWire>(needs_.loop, needs_.find_cluster, std::move(*service));
  link->client = std::make_unique<xds::Client>(*link->wire, std::move(options));
  link->wire->set_tick([client = link->client.get()] { client->tick(); });
  if (started_) link->start();
  return link;
}

std::unique_ptr<ControlPlanes::Link> ControlPlanes::make_file(const ConfigSource& source,
                                                              ResourceType type) {
  const auto& config = source.path_config_source();
  auto link = std::make_unique<Link>();
  xds::FileSourceOptions options;
  options.path = source.has_path_config_source() ? config.path() : source.path();
  options.text.reject_unknown_fields = needs_.reject_unknown_fields;
  options.on_event = [this](ResourceType what, Event event) { count(what, event); };
  link->name = options.path;
  link->file = std::make_unique<FileLink>(needs_.loop, needs_.log, type, std::move(options),
                                          config.watched_directory().path());
  return link;
}

std::unique_ptr<ControlPlanes::Link> ControlPlanes::make_rest(const ApiConfigSource& api,
                                                              ResourceType type) {
  xds::RestSourceOptions options;
  options.node = node_;
  options.refresh_delay_ms = to_ms(api.refresh_delay());
  options.request_timeout_ms =
      api.has_request_timeout() ? to_ms(api.request_timeout()) : kDefaultPollTimeoutMs;
  options.text.reject_unknown_fields = needs_.reject_unknown_fields;
  options.on_event = [this](ResourceType what, Event event) { count(what, event); };
  const std::string& cluster = api.cluster_names(0);
  auto link = std::make_unique<Link>();
  link->name = std::string(xds::short_name(type)) + " of " + cluster;
  link->rest =
      std::make_unique<RestLink>(RestLink::Needs{needs_.loop, needs_.log, needs_.find_cluster},
                                 type, cluster, std::move(options));
  if (started_) link->start();
  return link;
}

xds::Source* ControlPlanes::source(const ConfigSource& source, ResourceType type) {
  if (source.has_ads() || source.has_self()) return ads_ == nullptr ? nullptr : ads_->client.get();
  ConfigSource where = source;
  where.clear_initial_fetch_timeout();
  const std::string key = where.SerializeAsString() + std::string(xds::short_name(type));
  std::unique_ptr<Link>& link = others_[key];
  if (link != nullptr) return &link->source();
  const ApiConfigSource& api = source.api_config_source();
  if (!source.has_api_config_source()) {
    link = make_file(source, type);
  } else if (api.api_type() == ApiConfigSource::REST) {
    link = make_rest(api, type);
  } else {
    link = make(api, false,
                std::string(xds::short_name(type)) + " of " +
                    api.grpc_services(0).envoy_grpc().cluster_name());
  }
  link->type = type;
  return &link->source();
}

void ControlPlanes::start() {
  if (std::exchange(started_, true)) return;
  if (ads_ != nullptr) ads_->start();
  for (auto& [key, link] : others_) link->start();
}

void ControlPlanes::count(ResourceType type, Event event) {
  const std::string name = event == Event::kRateLimited
                               ? "control_plane.rate_limit_enforced"
                               : stat_prefix_of(type) + std::string(stat_of(event));
  needs_.stats.main_shard().inc(needs_.stats.counter(name));
}

std::string ControlPlanes::version(ResourceType type) const {
  if (ads_ != nullptr)
    if (std::string found = ads_->version(type); !found.empty()) return found;
  for (const auto& [key, link] : others_)
    if (link->type == type) return link->version(type);
  return {};
}

std::vector<ControlPlanes::Plane> ControlPlanes::status() const {
  std::vector<Plane> out;
  const auto add = [&](const Link& link) {
    const bool connected = link.client != nullptr ? link.client->connected()
                           : link.rest != nullptr ? link.rest->connected()
                                                  : true;
    const std::string& identifier =
        link.client != nullptr ? link.client->control_plane() : link.name;
    out.push_back({link.name, connected, identifier, link.source().status()});
  };
  if (ads_ != nullptr) add(*ads_);
  for (const auto& [key, link] : others_) add(*link);
  return out;
}

}  // namespace weir
