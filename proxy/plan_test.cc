// What a bootstrap becomes, and what is refused of it.
#include "proxy/plan.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "config/bootstrap.h"
#include "config/message_check.h"
#include "config/resolve.h"
#include "filters/registry.h"
#include "proxy/control_planes.h"

namespace weir {
namespace {

// Lines of YAML, where they belong.
struct Parts {
  std::string bootstrap;
  std::string listener;
  std::string hcm;
  std::string filters;
  std::string router;
  std::string host;
};

std::string yaml_of(const Parts& parts) {
  return parts.bootstrap + R"(
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    )" + parts.listener +
         R"(
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          )" +
         parts.hcm + R"(
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, direct_response: {status: 200}}]
              )" +
         parts.host + R"(
          http_filters:
          )" +
         parts.filters + R"(
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, )" +
         parts.router + "}\n";
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() : logs_({}, registry_), check_(support()) {}

  static config::Support support() {
    config::Support out = config::default_support();
    out.add(filters::own_messages());
    return out;
  }

  bool compile_yaml(const std::string& yaml) {
    config::Diagnostics diagnostics;
    const auto message = config::load_bootstrap({.config_yaml = yaml}, check_, diagnostics);
    plan_ = nullptr;
    if (message != nullptr)
      plan_ = compile_plan(
          *message,
          AppBuild({.stats = registry_, .filter_types = filters::http_filters(), .logs = logs_},
                   diagnostics),
          {planes_, [](const std::string&) { return nullptr; }});
    said_.clear();
    for (const config::Diagnostic& d : diagnostics.items())
      said_ += d.field_path + ": " + d.message + "\n";
    return plan_ != nullptr;
  }
  bool compile(const Parts& parts) { return compile_yaml(yaml_of(parts)); }
  const HcmConfig& hcm() const {
    return *std::get<std::shared_ptr<const HcmConfig>>(plan_->listeners.at(0)->default_chain->app);
  }
  bool said(const std::string& text) const { return said_.find(text) != std::string::npos; }

  stats::Registry registry_;
  Logger log_;
  net::Loop loop_;
  ControlPlanes planes_{{loop_, log_, registry_, {}}};
  stats::LogWriters logs_;
  config::MessageCheck check_;
  std::unique_ptr<const Plan> plan_;
  std::string said_;
};

TEST_F(PlanTest, NegativeTimesAreRefused) {
  for (const std::string field :
       {"stream_idle_timeout", "request_timeout", "drain_timeout", "delayed_close_timeout"}) {
    EXPECT_FALSE(compile({.hcm = field + ": -1s"})) << field;
    EXPECT_TRUE(said("typed_config." + field + ": the duration is negative")) << said_;
  }
  for (const std::string field :
       {"idle_timeout", "max_connection_duration", "max_stream_duration"}) {
    EXPECT_FALSE(compile({.hcm = "common_http_protocol_options: {" + field + ": -0.5s}"})) << field;
    EXPECT_TRUE(said("common_http_protocol_options." + field + ": the duration is negative"))
        << said_;
  }
  EXPECT_FALSE(compile({.listener = "listener_filters_timeout: -1s"}));
  EXPECT_TRUE(said("listeners[0].listener_filters_timeout: the duration is negative")) << said_;
}

TEST_F(PlanTest, NegativeTimesOfSourcesAndOverloadAreRefused) {
  const std::string lds =
      "dynamic_resources: {lds_config: {path_config_source: {path: /x}, initial_fetch_timeout: ";
  EXPECT_FALSE(compile({.bootstrap = lds + "-1s}}"}));
  EXPECT_TRUE(said("lds_config.initial_fetch_timeout: the duration is negative")) << said_;
  EXPECT_TRUE(compile({.bootstrap = lds + "0s}}"})) << said_;
  const std::string overload =
      "overload_manager: {resource_monitors: [{name: r, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3."
      "InjectedResourceConfig, filename: /x}}], refresh_interval: ";
  EXPECT_FALSE(compile({.bootstrap = overload + "-1s}"}));
  EXPECT_TRUE(said("overload_manager.refresh_interval: the duration is negative")) << said_;
  EXPECT_TRUE(compile({.bootstrap = overload + "1s}"})) << said_;
}

TEST_F(PlanTest, AnUpgradeStandsThereOnce) {
  EXPECT_FALSE(compile({.hcm = "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: "
                               "CONNECT}, {upgrade_type: WebSocket}]"}));
  EXPECT_TRUE(
      said("typed_config.upgrade_configs[2].upgrade_type: the upgrade 'websocket' is "
           "configured twice"))
      << said_;
  EXPECT_TRUE(
      compile({.hcm = "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT}]"}))
      << said_;
}

TEST_F(PlanTest, OneWayToFindTheClientsAddress) {
  const std::string xff =
      "original_ip_detection_extensions: [{name: x, typed_config: {\"@type\": type.googleapis.com/"
      "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig, xff_num_trusted_hops: 1}}]";
  for (const std::string other : {"use_remote_address: true", "xff_num_trusted_hops: 2"}) {
    EXPECT_FALSE(compile({.hcm = xff + "\n          " + other}));
    EXPECT_TRUE(said("original_ip_detection_extensions and " + other.substr(0, other.find(':')) +
                     " exclude each other"))
        << said_;
  }
  EXPECT_TRUE(compile({.hcm = xff + "\n          use_remote_address: false"})) << said_;
}

TEST_F(PlanTest, ASecretStandsThereOnce) {
  const std::string secrets =
      "static_resources:\n  secrets:\n  - {name: s, generic_secret: {secret: {inline_string: a}}}\n"
      "  - {name: t, generic_secret: {secret: {inline_string: a}}}\n";
  EXPECT_TRUE(compile_yaml(secrets)) << said_;
  EXPECT_FALSE(
      compile_yaml(secrets + "  - {name: s, generic_secret: {secret: {inline_string: b}}}\n"));
  EXPECT_EQ(said_, "static_resources.secrets[2]: there is another secret named 's'\n");
}

TEST_F(PlanTest, TimesOfConnectionManagers) {
  ASSERT_TRUE(compile({.hcm = "stream_idle_timeout: 0.0001s\n          drain_timeout: 2s"}))
      << said_;
  EXPECT_EQ(hcm().stream_idle_timeout_ms, 1) << "a short time is not none";
  EXPECT_EQ(hcm().h2.stream_flush_timeout_ms, 1);
  EXPECT_EQ(hcm().h2.drain_timeout_ms, 2000);
}

TEST_F(PlanTest, WhatAMalformedMessageEnds) {
  const auto ends_connection = [&](const std::string& fields) {
    EXPECT_TRUE(compile({.hcm = "codec_type: HTTP2\n          " + fields})) << said_;
    EXPECT_EQ(said_, "");
    return hcm().h2.invalid_message_ends_connection;
  };
  EXPECT_TRUE(ends_connection(""));
  EXPECT_FALSE(ends_connection("stream_error_on_invalid_http_message: true"));
  EXPECT_TRUE(ends_connection("stream_error_on_invalid_http_message: false"));
  EXPECT_TRUE(ends_connection(
      "stream_error_on_invalid_http_message: true\n"
      "          http2_protocol_options: {override_stream_error_on_invalid_http_message: false}"));
  EXPECT_FALSE(ends_connection(
      "http2_protocol_options: {override_stream_error_on_invalid_http_message: true}"));
}

TEST_F(PlanTest, HttpOneAlwaysEndsItsConnection) {
  EXPECT_TRUE(compile({.hcm = "stream_error_on_invalid_http_message: true"}));
  EXPECT_TRUE(said("stream_error_on_invalid_http_message: an HTTP/1 connection always ends"))
      << said_;
  EXPECT_FALSE(compile(
      {.hcm = "http_protocol_options: {override_stream_error_on_invalid_http_message: true}"}));
  EXPECT_TRUE(said("override_stream_error_on_invalid_http_message: an HTTP/1 connection")) << said_;
  EXPECT_TRUE(compile(
      {.hcm = "stream_error_on_invalid_http_message: true\n          http_protocol_options: "
              "{override_stream_error_on_invalid_http_message: false}"}));
  EXPECT_EQ(said_, "");
}

TEST_F(PlanTest, WhatWouldHaveNoEffectIsRefused) {
  EXPECT_FALSE(compile({.router = "strict_check_headers: [x-envoy-max-retries]"}));
  EXPECT_TRUE(said("'strict_check_headers'")) << said_;
  EXPECT_FALSE(compile({.hcm = "scheme_header_transformation: {match_upstream: true}"}));
  EXPECT_TRUE(said("'match_upstream'")) << said_;
  EXPECT_TRUE(compile({.hcm = "scheme_header_transformation: {scheme_to_overwrite: https}"}))
      << said_;
}

constexpr char kCors[] =
    "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors}";
constexpr char kNobodys[] = "{\"@type\": type.googleapis.com/no.such.Filter, x: 1}";

TEST_F(PlanTest, OptionalFiltersThatAreNotThereAreLeftOut) {
  for (const std::string config : {kCors, kNobodys}) {
    EXPECT_FALSE(compile({.filters = "- {name: x, typed_config: " + config + "}"})) << config;
    ASSERT_TRUE(
        compile({.filters = "- {name: x, is_optional: true, typed_config: " + config + "}"}))
        << said_;
    EXPECT_TRUE(hcm().filters.empty());
    EXPECT_TRUE(said("http_filters[0].typed_config: Weir has no extension")) << said_;
  }
  EXPECT_FALSE(compile({.router = "}\n          - {name: x, is_optional: true, typed_config: " +
                                  std::string(kCors)}));
  EXPECT_TRUE(said("the last HTTP filter must be the router")) << said_;
}

TEST_F(PlanTest, SoIsWhatRoutesSayOfThem) {
  const auto says = [](const std::string& optional) {
    return "typed_per_filter_config: {x: {\"@type\": "
           "type.googleapis.com/envoy.config.route.v3.FilterConfig, is_optional: " +
           optional + ", config: " + kNobodys + "}}";
  };
  EXPECT_FALSE(compile({.host = says("false")}));
  EXPECT_TRUE(compile({.host = says("true")})) << said_;
  EXPECT_TRUE(said("typed_per_filter_config[\"x\"].config: Weir has no extension")) << said_;
}

TEST_F(PlanTest, RuntimeLayersHaveNamesOfTheirOwn) {
  EXPECT_FALSE(compile({.bootstrap = "layered_runtime: {layers: [{name: a, static_layer: {}}, "
                                     "{name: b, admin_layer: {}}, {name: a, static_layer: {}}]}"}));
  EXPECT_TRUE(said("layers[2].name: there is another layer named 'a'")) << said_;
  EXPECT_FALSE(compile({.bootstrap = "layered_runtime: {layers: [{name: a, admin_layer: {}}, "
                                     "{name: b, admin_layer: {}}]}"}));
  EXPECT_TRUE(said("layers[1].admin_layer: there is another admin_layer")) << said_;
}

TEST_F(PlanTest, AnAccessLogOfTheAdminPortIsNotWritten) {
  const auto logs_to = [](const std::string& path) {
    return "admin: {access_log: [{name: f, typed_config: {\"@type\": "
           "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
           path + "}}]}";
  };
  ASSERT_TRUE(compile({.bootstrap = logs_to("/dev/null")})) << said_;
  EXPECT_EQ(said_, "");
  ASSERT_TRUE(compile({.bootstrap = logs_to("/tmp/admin.log")})) << said_;
  EXPECT_TRUE(said("admin.access_log[0]: Weir writes no access log")) << said_;
}

std::string with_socket(const std::string& fields) {
  return R"(
static_resources:
  clusters:
  - name: app
    type: STATIC
    load_assignment: {cluster_name: app}
    )" + fields +
         "\n";
}

TEST_F(PlanTest, ATransportSocketHasAType) {
  EXPECT_FALSE(compile_yaml(with_socket("transport_socket: {name: envoy.transport_sockets.tls}")));
  EXPECT_TRUE(said("clusters[0].transport_socket: ")) << said_;
  EXPECT_FALSE(compile_yaml(
      with_socket("transport_socket_matches: [{name: a, match: {}, transport_socket: {name: "
                  "envoy.transport_sockets.tls}}]")));
  EXPECT_TRUE(said("clusters[0].transport_socket_matches[0].transport_socket: ")) << said_;
  EXPECT_TRUE(
      compile_yaml(with_socket("transport_socket: {name: envoy.transport_sockets.raw_buffer}")))
      << said_;
}

}  // namespace
}  // namespace weir
