// A resource as a control plane may send it: the first byte chooses its type, the others are its
// message. Holds: it is taken, or it is refused with reasons; the reasons are text that a refusal
// can carry; and the same bytes come to the same end again.
#include <google/protobuf/any.pb.h>
#include <google/protobuf/text_format.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "config/message_check.h"
#include "config/utf8.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "filters/registry.h"
#include "proxy/filter_user.h"
#include "proxy/hcm_compile.h"
#include "proxy/listener_compile.h"
#include "proxy/resource_reader.h"
#include "proxy/route_user.h"
#include "proxy/runtime.h"
#include "proxy/scope_user.h"
#include "proxy/tls/secrets.h"
#include "proxy/upstream/cluster_config.h"

namespace {

using namespace weir;
using config::Diagnostics;
using config::FieldPath;
using Hcm = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

void require(bool holds) {
  if (!holds) std::abort();
}

config::MessageCheck new_check() {
  config::Support support = config::default_support();
  support.add(filters::own_messages());
  return config::MessageCheck(std::move(support));
}

template <class Message>
Message from_text(const std::string& text) {
  Message out;
  require(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

// What compiling needs of a process, anew for each resource.
class House {
 public:
  explicit House(config::MessageCheck& check) : reader_(check, false, stats_, log_) {
    log_.set_level(LogLevel::kOff);
    secrets_.set_remote({.check = [](const auto&, const auto&, auto&) { return true; },
                         .subscribe = [](const auto&, const auto&) {},
                         .unsubscribe = [](const auto&, const auto&) {}});
  }

  // Why it is refused; empty: it is taken.
  std::string take(uint8_t type, std::string_view bytes) {
    using namespace envoy::config;
    switch (type % 8) {
      case 0:
        return read<cluster::v3::Cluster>(bytes, [this](auto& in) { return cluster(in); });
      case 1:
        return read<endpoint::v3::ClusterLoadAssignment>(
            bytes, [this](auto& in) { return assignment(in); });
      case 2:
        return read<listener::v3::Listener>(
            bytes, [this](auto& in) { return compile_listener(in, root_, build()) != nullptr; });
      case 3:
        return read<route::v3::RouteConfiguration>(bytes, [this](auto& in) {
          return manager("rds { route_config_name: 'r' config_source { ads { } } }")
                     ->rds->compile(in, root_, diagnostics_) != nullptr;
        });
      case 4:
        return read<route::v3::ScopedRouteConfiguration>(bytes, [this](auto& in) {
          return manager(kScoped)->scopes->compile_scope(in, root_, diagnostics_).has_value();
        });
      case 5:
        return read<envoy::extensions::transport_sockets::tls::v3::Secret>(
            bytes, [this](auto& in) { return secrets_.put(ads(), in, diagnostics_); });
      case 6:
        return read<envoy::service::runtime::v3::Runtime>(bytes,
                                                          [](auto& in) { return runtime(in); });
      default:
        return read<core::v3::TypedExtensionConfig>(bytes, [this](auto& in) {
          const auto hcm = manager("route_config { }");
          const DiscoveredFilter& filter = hcm->ecds->discovered().front();
          return hcm->ecds->compile(filter, in, diagnostics_).config != nullptr;
        });
    }
  }

 private:
  static constexpr char kScoped[] = R"(scoped_routes {
    name: 's'
    scope_key_builder { fragments { header_value_extractor {
      name: 'x-a' element_separator: ';' element { key: 'k' separator: '=' } } } }
    rds_config_source { ads { } }
    scoped_rds { scoped_rds_config_source { ads { } } } })";

  template <class Message, class Compile>
  std::string read(std::string_view bytes, Compile compile) {
    google::protobuf::Any any;
    any.set_type_url("type.googleapis.com/" + Message::descriptor()->full_name());
    any.set_value(std::string(bytes));
    Message message;
    const bool taken = reader_.read(any, message, diagnostics_) && compile(message);
    require(taken != diagnostics_.has_errors());
    return diagnostics_.has_errors() ? error_text(diagnostics_) : "";
  }

  static const envoy::config::core::v3::ConfigSource& ads() {
    static const auto source = from_text<envoy::config::core::v3::ConfigSource>("ads { }");
    return source;
  }

  AppBuild build() {
    return {{.stats = stats_,
             .filter_types = filters::http_filters(),
             .has_cluster = [](std::string_view name) { return name != "missing"; },
             .logs = logs_,
             .secrets = &secrets_,
             .clusters_may_follow = true,
             .check_source = [](const auto&, auto, const auto&, auto&) { return true; }},
            diagnostics_};
  }

  std::shared_ptr<const upstream::ClusterConfig> compiled(
      const envoy::config::cluster::v3::Cluster& in) {
    return upstream::compile_cluster(in, root_, diagnostics_, {}, {&secrets_, &stats_, &logs_});
  }

  // Its hash tells whether a cluster has changed.
  bool cluster(const envoy::config::cluster::v3::Cluster& in) {
    const auto first = compiled(in);
    if (first != nullptr) require(compiled(in)->hash == first->hash);
    return first != nullptr;
  }

  bool assignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& in) {
    const auto of = compiled(from_text<envoy::config::cluster::v3::Cluster>(
        "name: 'c' type: EDS eds_cluster_config { eds_config { ads { } } }"));
    const auto hosts = upstream::compile_assignment(*of, in, root_, nullptr, 0, diagnostics_);
    if (hosts != nullptr)
      require(upstream::compile_assignment(*of, in, root_, hosts.get(), 1, diagnostics_) !=
              nullptr);
    return hosts != nullptr;
  }

  std::shared_ptr<const HcmConfig> manager(const std::string& routes) {
    const std::string router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    const std::string mutation =
        "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
    const auto message = from_text<Hcm>("stat_prefix: 'h' " + routes + R"(
      http_filters { name: 'f' config_discovery { config_source { ads { } } type_urls: ')" +
                                        mutation + R"(' } }
      http_filters { name: 'router' typed_config { type_url: ')" +
                                        router + "' } }");
    auto out = compile_hcm(message, root_, build());
    require(out != nullptr);
    return out;
  }

  static bool runtime(const envoy::service::runtime::v3::Runtime& in) {
    const Runtime values(runtime_values(in.layer()));
    for (const auto& [key, value] : values.values()) {
      values.number(key);
      values.limit(key, 1);
    }
    return true;
  }

  static constexpr stats::LogWritersOptions kOpensNothing{.open_files = false};

  const FieldPath root_ = FieldPath::root();
  Diagnostics diagnostics_;
  Logger log_;
  stats::Registry stats_;
  stats::LogWriters logs_{kOpensNothing, stats_};
  tls::Secrets secrets_{stats_, log_};
  ResourceReader reader_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static config::MessageCheck check = new_check();
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string said = House(check).take(data[0], bytes);
  require(config::utf8_valid_prefix(said) == said.size());
  require(House(check).take(data[0], bytes) == said);
  return 0;
}
