#include "proxy/admin/config_dump.h"

#include <re2/re2.h>

#include <map>
#include <memory>
#include <tuple>

#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/admin/client_status.h"
#include "proxy/admin/field_mask.h"
#include "proxy/admin/redact.h"
#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::BootstrapConfigDump;
using envoy::admin::v3::ClustersConfigDump;
using envoy::admin::v3::ConfigDump;
using envoy::admin::v3::EcdsConfigDump;
using envoy::admin::v3::EndpointsConfigDump;
using envoy::admin::v3::ListenersConfigDump;
using envoy::admin::v3::RoutesConfigDump;
using envoy::admin::v3::ScopedRoutesConfigDump;
using envoy::admin::v3::SecretsConfigDump;
using envoy::config::bootstrap::v3::Bootstrap;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using google::protobuf::Message;
using google::protobuf::Timestamp;

// Gathers the parts of one dump.
class Dumper {
 public:
  Dumper(const ConfigDumpInput& input, const re2::RE2* names)
      : input_(input), bootstrap_(input.bootstrap), names_(names) {
    updated_.set_seconds(input.updated_s);
  }

  BootstrapConfigDump bootstrap() const {
    BootstrapConfigDump out;
    *out.mutable_bootstrap() = bootstrap_;
    *out.mutable_last_updated() = updated_;
    return out;
  }

  ClustersConfigDump clusters() const {
    ClustersConfigDump out;
    out.set_version_info(input_.clusters_version);
    for (const auto& cluster : bootstrap_.static_resources().clusters()) {
      if (!wanted(cluster.name())) continue;
      auto& entry = *out.add_static_clusters();
      entry.mutable_cluster()->PackFrom(cluster);
      *entry.mutable_last_updated() = updated_;
    }
    each<envoy::config::cluster::v3::Cluster>([&](const DynamicResource& one) {
      if (one.content == nullptr) return;
      auto& entry =
          one.warming ? *out.add_dynamic_warming_clusters() : *out.add_dynamic_active_clusters();
      fill(one, entry, *entry.mutable_cluster());
      fill_verdict(one, entry);
    });
    return out;
  }

  // As they are in use, of every cluster that is.
  EndpointsConfigDump endpoints() const {
    EndpointsConfigDump out;
    for (const ClusterState& cluster : input_.clusters) {
      const ClusterLoadAssignment assignment = load_assignment(cluster);
      if (!wanted(assignment.cluster_name())) continue;
      if (!cluster.added_via_api) {
        auto& entry = *out.add_static_endpoint_configs();
        entry.mutable_endpoint_config()->PackFrom(assignment);
        *entry.mutable_last_updated() = updated_;
        continue;
      }
      auto& entry = *out.add_dynamic_endpoint_configs();
      each<ClusterLoadAssignment>([&](const DynamicResource& one) {
        if (one.name != assignment.cluster_name() || one.content == nullptr) return;
        fill(one, entry, *entry.mutable_endpoint_config());
        fill_verdict(one, entry);
      });
      entry.mutable_endpoint_config()->PackFrom(assignment);
    }
    return out;
  }

  ListenersConfigDump listeners() const {
    ListenersConfigDump out;
    out.set_version_info(input_.listeners_version);
    for (const auto& listener : bootstrap_.static_resources().listeners()) {
      if (!wanted(listener.name())) continue;
      auto& entry = *out.add_static_listeners();
      entry.mutable_listener()->PackFrom(listener);
      *entry.mutable_last_updated() = updated_;
    }
    std::map<std::string, ListenersConfigDump::DynamicListener*> by_name;
    each<envoy::config::listener::v3::Listener>([&](const DynamicResource& one) {
      auto*& entry = by_name[one.name];
      if (entry == nullptr) entry = out.add_dynamic_listeners();
      entry->set_name(one.name);
      fill_verdict(one, *entry);
      if (one.content == nullptr) return;
      auto& state = one.warming ? *entry->mutable_warming_state() : *entry->mutable_active_state();
      fill(one, state, *state.mutable_listener());
    });
    return out;
  }

  SecretsConfigDump secrets() const {
    SecretsConfigDump out;
    for (const auto& secret : bootstrap_.static_resources().secrets()) {
      if (!wanted(secret.name())) continue;
      auto& entry = *out.add_static_secrets();
      entry.set_name(secret.name());
      entry.mutable_secret()->PackFrom(secret);
      *entry.mutable_last_updated() = updated_;
    }
    each<envoy::extensions::transport_sockets::tls::v3::Secret>([&](const DynamicResource& one) {
      if (one.content == nullptr) return;
      auto& entry = *out.add_dynamic_active_secrets();
      entry.set_name(one.name);
      fill(one, entry, *entry.mutable_secret());
      fill_verdict(one, entry);
    });
    return out;
  }

  EcdsConfigDump extensions() const {
    EcdsConfigDump out;
    each<envoy::config::core::v3::TypedExtensionConfig>([&](const DynamicResource& one) {
      auto& entry = *out.add_ecds_filters();
      if (one.content != nullptr) fill(one, entry, *entry.mutable_ecds_filter());
      fill_verdict(one, entry);
    });
    return out;
  }

  // All scopes that came stand together.
  ScopedRoutesConfigDump scopes() const {
    ScopedRoutesConfigDump out;
    each<envoy::config::route::v3::ScopedRouteConfiguration>([&](const DynamicResource& one) {
      if (one.content == nullptr) return;
      if (out.dynamic_scoped_route_configs().empty()) out.add_dynamic_scoped_route_configs();
      auto& entry = *out.mutable_dynamic_scoped_route_configs(0);
      fill(one, entry, *entry.add_scoped_route_configs());
    });
    return out;
  }

  RoutesConfigDump routes() const {
    RoutesConfigDump out;
    for (const auto& listener : bootstrap_.static_resources().listeners()) {
      for (const auto& chain : listener.filter_chains()) add_routes(chain, out);
      if (listener.has_default_filter_chain()) add_routes(listener.default_filter_chain(), out);
    }
    each<envoy::config::route::v3::RouteConfiguration>([&](const DynamicResource& one) {
      if (one.content == nullptr) return;
      auto& entry = *out.add_dynamic_route_configs();
      fill(one, entry, *entry.mutable_route_config());
      fill_verdict(one, entry);
    });
    return out;
  }

 private:
  bool wanted(const std::string& name) const {
    return names_ == nullptr || re2::RE2::FullMatch(name, *names_);
  }

  template <class Chain>
  void add_routes(const Chain& chain, RoutesConfigDump& out) const {
    for (const auto& filter : chain.filters()) {
      HttpConnectionManager manager;
      if (!filter.typed_config().template Is<HttpConnectionManager>()) continue;
      if (!filter.typed_config().UnpackTo(&manager) || !manager.has_route_config()) continue;
      if (!wanted(manager.route_config().name())) continue;
      auto& entry = *out.add_static_route_configs();
      entry.mutable_route_config()->PackFrom(manager.route_config());
      *entry.mutable_last_updated() = updated_;
    }
  }

  // Those of one type.
  template <class Type, class Visit>
  void each(Visit visit) const {
    const std::string url = "type.googleapis.com/" + Type::descriptor()->full_name();
    for (const DynamicResource& one : input_.dynamic)
      if (one.type_url == url && wanted(one.name)) visit(one);
  }

  template <class Entry>
  static void fill(const DynamicResource& one, Entry& entry, google::protobuf::Any& content) {
    content = *one.content;
    entry.set_version_info(one.version);
    entry.mutable_last_updated()->set_seconds(one.updated_s);
  }

  // What became of the last version.
  template <class Entry>
  static void fill_verdict(const DynamicResource& one, Entry& entry) {
    entry.set_client_status(client_resource_status(one.state));
    if (one.error.empty()) return;
    auto& state = *entry.mutable_error_state();
    state.set_details(one.error);
    state.set_version_info(one.rejected_version);
    state.mutable_last_update_attempt()->set_seconds(one.rejected_ms / 1000);
  }

  const ConfigDumpInput& input_;
  const Bootstrap& bootstrap_;
  Timestamp updated_;
  const re2::RE2* names_;
};

// Adds the whole dumps, or the one list that was asked for; of each what the mask names.
class Selection {
 public:
  Selection(const ConfigDumpQuery& query, ConfigDump& out) : query_(query), out_(out) {}

  template <class Dump>
  void add(Dump dump) {
    if (!error_.message.empty()) return;
    if (!query_.resource.empty()) return add_list(dump);
    // Each dump has fields of its own, so a mask may be for another one.
    if (!query_.mask.empty() && !keep_masked(query_.mask, dump)) return;
    out_.add_configs()->PackFrom(dump);
  }

  Result<void> finish() const {
    if (!error_.message.empty()) return error_;
    if (!query_.resource.empty() && !found_)
      return Error{"not-found",
                   "'" + query_.resource +
                       "' is no list of the configuration dump; there are static_clusters, "
                       "static_listeners, static_route_configs, static_secrets, "
                       "dynamic_active_clusters, dynamic_warming_clusters, dynamic_listeners, "
                       "dynamic_route_configs, dynamic_active_secrets, ecds_filters, "
                       "dynamic_scoped_route_configs and, with "
                       "include_eds, static_endpoint_configs and dynamic_endpoint_configs"};
    if (query_.resource.empty() && out_.configs_size() == 0)
      return Error{"bad-query", "the mask '" + query_.mask + "' fits no part of the dump"};
    return {};
  }

 private:
  void add_list(const Message& dump) {
    const auto* field = dump.GetDescriptor()->FindFieldByName(query_.resource);
    if (field == nullptr) return;
    found_ = true;
    if (!field->is_repeated()) {
      error_ = {"bad-query", "'" + query_.resource + "' is no list; use ?mask=" + query_.resource};
      return;
    }
    const auto& reflection = *dump.GetReflection();
    for (int i = 0; i < reflection.FieldSize(dump, field); ++i)
      add_entry(reflection.GetRepeatedMessage(dump, field, i));
  }

  void add_entry(const Message& entry) {
    const std::unique_ptr<Message> kept(entry.New());
    kept->CopyFrom(entry);
    if (!query_.mask.empty() && !keep_masked(query_.mask, *kept)) {
      error_ = {"bad-query", "the mask '" + query_.mask + "' does not fit the entries of '" +
                                 query_.resource + "'"};
      return;
    }
    out_.add_configs()->PackFrom(*kept);
  }

  const ConfigDumpQuery& query_;
  ConfigDump& out_;
  bool found_ = false;
  Error error_{{}, {}};
};

}  // namespace

Result<std::string> config_dump_json(const ConfigDumpInput& input, const ConfigDumpQuery& query) {
  const re2::RE2 names(query.name_regex, re2::RE2::Quiet);
  if (!names.ok())
    return Error{"bad-query", "'name_regex' is no regular expression: " + names.error()};
  const Dumper dumper(input, query.name_regex.empty() ? nullptr : &names);
  ConfigDump out;
  Selection selection(query, out);
  selection.add(dumper.bootstrap());
  selection.add(dumper.clusters());
  if (query.include_eds) selection.add(dumper.endpoints());
  selection.add(dumper.listeners());
  selection.add(dumper.routes());
  selection.add(dumper.secrets());
  // As Envoy, these only where there are some.
  const EcdsConfigDump extensions = dumper.extensions();
  if (extensions.ecds_filters_size() > 0 || !query.resource.empty()) selection.add(extensions);
  const ScopedRoutesConfigDump scopes = dumper.scopes();
  if (scopes.dynamic_scoped_route_configs_size() > 0 || !query.resource.empty())
    selection.add(scopes);
  if (Result<void> fine = selection.finish(); !fine) return fine.error();
  redact(out);
  return message_json(out);
}

}  // namespace weir::admin
