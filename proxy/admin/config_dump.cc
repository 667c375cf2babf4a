#include "proxy/admin/config_dump.h"

#include <re2/re2.h>

#include <map>
#include <vector>

#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/admin/redact.h"
#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::BootstrapConfigDump;
using envoy::admin::v3::ClustersConfigDump;
using envoy::admin::v3::ConfigDump;
using envoy::admin::v3::EndpointsConfigDump;
using envoy::admin::v3::ListenersConfigDump;
using envoy::admin::v3::RoutesConfigDump;
using envoy::admin::v3::SecretsConfigDump;
using envoy::config::bootstrap::v3::Bootstrap;
using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using google::protobuf::Message;
using google::protobuf::Timestamp;

// Gathers the parts of one dump.
class Dumper {
 public:
  Dumper(const Bootstrap& bootstrap, int64_t updated_s, std::span<const DynamicResource> dynamic,
         const re2::RE2* names)
      : bootstrap_(bootstrap), dynamic_(dynamic), names_(names) {
    updated_.set_seconds(updated_s);
  }

  BootstrapConfigDump bootstrap() const {
    BootstrapConfigDump out;
    *out.mutable_bootstrap() = bootstrap_;
    *out.mutable_last_updated() = updated_;
    return out;
  }

  ClustersConfigDump clusters() const {
    ClustersConfigDump out;
    for (const auto& cluster : bootstrap_.static_resources().clusters()) {
      if (!wanted(cluster.name())) continue;
      auto& entry = *out.add_static_clusters();
      entry.mutable_cluster()->PackFrom(cluster);
      *entry.mutable_last_updated() = updated_;
    }
    each<envoy::config::cluster::v3::Cluster>([&](const DynamicResource& one) {
      auto& entry =
          one.warming ? *out.add_dynamic_warming_clusters() : *out.add_dynamic_active_clusters();
      fill(one, entry, *entry.mutable_cluster());
      fill_error(one, *entry.mutable_error_state());
      if (one.error.empty()) entry.clear_error_state();
    });
    return out;
  }

  EndpointsConfigDump endpoints() const {
    EndpointsConfigDump out;
    for (const auto& cluster : bootstrap_.static_resources().clusters()) {
      if (!cluster.has_load_assignment() || !wanted(cluster.name())) continue;
      auto& entry = *out.add_static_endpoint_configs();
      entry.mutable_endpoint_config()->PackFrom(cluster.load_assignment());
      *entry.mutable_last_updated() = updated_;
    }
    each<envoy::config::endpoint::v3::ClusterLoadAssignment>([&](const DynamicResource& one) {
      auto& entry = *out.add_dynamic_endpoint_configs();
      fill(one, entry, *entry.mutable_endpoint_config());
    });
    return out;
  }

  ListenersConfigDump listeners() const {
    ListenersConfigDump out;
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
      auto& state = one.warming ? *entry->mutable_warming_state() : *entry->mutable_active_state();
      fill(one, state, *state.mutable_listener());
      if (!one.error.empty()) fill_error(one, *entry->mutable_error_state());
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
      auto& entry = *out.add_dynamic_active_secrets();
      entry.set_name(one.name);
      fill(one, entry, *entry.mutable_secret());
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
      auto& entry = *out.add_dynamic_route_configs();
      fill(one, entry, *entry.mutable_route_config());
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
    for (const DynamicResource& one : dynamic_)
      if (one.content->Is<Type>() && wanted(one.name)) visit(one);
  }

  template <class Entry>
  static void fill(const DynamicResource& one, Entry& entry, google::protobuf::Any& content) {
    content = *one.content;
    entry.set_version_info(one.version);
    entry.mutable_last_updated()->set_seconds(one.updated_s);
  }

  static void fill_error(const DynamicResource& one, envoy::admin::v3::UpdateFailureState& state) {
    state.set_details(one.error);
    state.set_version_info(one.rejected_version);
  }

  const Bootstrap& bootstrap_;
  std::span<const DynamicResource> dynamic_;
  Timestamp updated_;
  const re2::RE2* names_;
};

// The entries of the list `resource` of one dump; false when it has no such list.
bool add_resource(const Message& dump, const std::string& resource, ConfigDump& out) {
  const auto* field = dump.GetDescriptor()->FindFieldByName(resource);
  if (field == nullptr || field->cpp_type() != field->CPPTYPE_MESSAGE) return false;
  const auto& reflection = *dump.GetReflection();
  if (!field->is_repeated()) {
    out.add_configs()->PackFrom(reflection.GetMessage(dump, field));
    return true;
  }
  for (int i = 0; i < reflection.FieldSize(dump, field); ++i)
    out.add_configs()->PackFrom(reflection.GetRepeatedMessage(dump, field, i));
  return true;
}

// Adds the whole dumps, or the one list that was asked for.
class Selection {
 public:
  Selection(const ConfigDumpQuery& query, ConfigDump& out) : query_(query), out_(out) {}
  void add(const Message& dump) {
    if (query_.resource.empty())
      out_.add_configs()->PackFrom(dump);
    else
      found_ = add_resource(dump, query_.resource, out_) || found_;
  }
  bool complete() const { return query_.resource.empty() || found_; }

 private:
  const ConfigDumpQuery& query_;
  ConfigDump& out_;
  bool found_ = false;
};

}  // namespace

Result<std::string> config_dump_json(const Bootstrap& bootstrap, int64_t updated_s,
                                     std::span<const DynamicResource> dynamic,
                                     const ConfigDumpQuery& query) {
  const re2::RE2 names(query.name_regex, re2::RE2::Quiet);
  if (!names.ok())
    return Error{"bad-query", "'name_regex' is no regular expression: " + names.error()};
  const Dumper dumper(bootstrap, updated_s, dynamic, query.name_regex.empty() ? nullptr : &names);
  ConfigDump out;
  Selection selection(query, out);
  selection.add(dumper.bootstrap());
  selection.add(dumper.clusters());
  if (query.include_eds) selection.add(dumper.endpoints());
  selection.add(dumper.listeners());
  selection.add(dumper.routes());
  selection.add(dumper.secrets());
  if (!selection.complete())
    return Error{"bad-query", "'" + query.resource +
                                  "' is no list of the configuration dump; there are bootstrap, "
                                  "static_clusters, static_listeners, static_route_configs, "
                                  "static_secrets, with include_eds static_endpoint_configs, "
                                  "dynamic_active_clusters, dynamic_warming_clusters, "
                                  "dynamic_listeners, dynamic_route_configs, "
                                  "dynamic_endpoint_configs and dynamic_active_secrets"};
  redact(out);
  return message_json(out);
}

}  // namespace weir::admin
