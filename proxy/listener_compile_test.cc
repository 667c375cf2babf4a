// What a listener's filters and matches become, and what is refused of them.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "config/bootstrap.h"
#include "config/message_check.h"
#include "filters/registry.h"
#include "proxy/control_planes.h"
#include "proxy/plan.h"

namespace weir {
namespace {

std::string filter(const std::string& kind, const std::string& fields = "") {
  const std::string type = kind == "ProxyProtocol"   ? "proxy_protocol"
                           : kind == "TlsInspector"  ? "tls_inspector"
                           : kind == "HttpInspector" ? "http_inspector"
                                                     : "original_dst";
  return "{name: f, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters."
         "listener." +
         type + ".v3." + kind + (fields.empty() ? "" : ", " + fields) + "}}";
}

std::string chain(const std::string& match, const std::string& more = "") {
  return "    - filter_chain_match: " + match + "\n" + more + R"(      filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: app
)";
}

class ListenerCompile : public testing::Test {
 protected:
  ListenerCompile() : logs_({}, registry_), check_(support()) {}

  static config::Support support() {
    config::Support out = config::default_support();
    out.add(filters::own_messages());
    return out;
  }

  // `listener` and `cluster` are lines of YAML, `chains` are made by chain().
  bool compile(const std::string& listener, const std::string& chains,
               const std::string& cluster = "load_assignment: {cluster_name: app}") {
    const std::string yaml = R"(
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    )" + listener + "\n    filter_chains:\n" +
                             chains + R"(
  clusters:
  - name: app
    )" + cluster + "\n";
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
  const ListenerConfig& listener() const { return *plan_->listeners.at(0); }
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

TEST_F(ListenerCompile, FiltersInTheirOrder) {
  ASSERT_TRUE(compile("listener_filters: [" + filter("ProxyProtocol", "disallowed_versions: [V2]") +
                          ", " + filter("OriginalDst") + ", " + filter("TlsInspector") + ", " +
                          filter("HttpInspector") + "]",
                      chain("{}")))
      << said_;
  const auto& filters = listener().filters;
  ASSERT_EQ(filters.size(), 4u);
  const auto& proxy = std::get<ProxyProtocolFilter>(filters[0].filter);
  EXPECT_FALSE(proxy.allow_without_header);
  EXPECT_FALSE(proxy.disallowed[1]);
  EXPECT_FALSE(proxy.kept_tlvs.passes(5));
  EXPECT_TRUE(proxy.disallowed[2]);
  EXPECT_TRUE(std::holds_alternative<OriginalDst>(filters[1].filter));
  EXPECT_TRUE(std::holds_alternative<TlsInspector>(filters[2].filter));
  EXPECT_TRUE(std::holds_alternative<HttpInspector>(filters[3].filter));
  EXPECT_EQ(listener().filters_timeout_ms, 15'000);
  EXPECT_TRUE(listener().greets());
}

TEST_F(ListenerCompile, TlvsThatArePassedOn) {
  const auto kept = [&](const std::string& config) -> net::TlvFilter {
    EXPECT_TRUE(compile("listener_filters: [" + filter("ProxyProtocol", config) + "]", chain("{}")))
        << said_;
    return std::get<ProxyProtocolFilter>(listener().filters.at(0).filter).kept_tlvs;
  };
  EXPECT_TRUE(kept("pass_through_tlvs: {}").passes(224));
  const net::TlvFilter some = kept("pass_through_tlvs: {match_type: INCLUDE, tlv_type: [5]}");
  EXPECT_TRUE(some.passes(5));
  EXPECT_FALSE(some.passes(6));
}

TEST_F(ListenerCompile, WithoutFiltersNobodyIsGreeted) {
  ASSERT_TRUE(compile("listener_filters_timeout: 0s", chain("{}"))) << said_;
  EXPECT_FALSE(listener().greets());
  EXPECT_EQ(listener().filters_timeout_ms, 0);
  EXPECT_EQ(said_, "");
}

TEST_F(ListenerCompile, TheTlsInspectorIsAddedWhereItIsNeeded) {
  for (const std::string match :
       {"{server_names: [a]}", "{transport_protocol: tls}", "{application_protocols: [h2]}"}) {
    ASSERT_TRUE(compile("", chain(match))) << said_;
    ASSERT_EQ(listener().filters.size(), 1u) << match;
    EXPECT_TRUE(std::holds_alternative<TlsInspector>(listener().filters[0].filter));
    EXPECT_TRUE(said("without the TLS inspector")) << said_;
  }
  ASSERT_TRUE(compile("", chain("{transport_protocol: raw_buffer}")));
  EXPECT_TRUE(listener().filters.empty());
  ASSERT_TRUE(
      compile("listener_filters: [" + filter("TlsInspector") + "]", chain("{server_names: [a]}")));
  EXPECT_EQ(listener().filters.size(), 1u);
  EXPECT_EQ(said_, "");
}

TEST_F(ListenerCompile, UseProxyProtoIsTheFilter) {
  ASSERT_TRUE(compile("", chain("{server_names: [a]}", "      use_proxy_proto: true\n"))) << said_;
  ASSERT_EQ(listener().filters.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<ProxyProtocolFilter>(listener().filters[0].filter))
      << "before who looks behind its header";
}

TEST_F(ListenerCompile, ServerNames) {
  ASSERT_TRUE(compile("", chain("{server_names: [\"*.Example.com\", A.b]}"))) << said_;
  EXPECT_EQ(listener().chains[0]->match.server_names,
            (std::vector<std::string>{".example.com", "a.b"}));
  for (const std::string name : {"*", "*.", "w*.a.com", "a.*", "*.*.com", ""}) {
    EXPECT_FALSE(compile("", chain("{server_names: [\"" + name + "\"]}"))) << name;
    EXPECT_TRUE(said("filter_chain_match.server_names[0]")) << said_;
  }
}

TEST_F(ListenerCompile, ChainsThatMatchAlikeAreRefused) {
  EXPECT_FALSE(compile("", chain("{server_names: [a, b]}") + chain("{server_names: [B, c]}")));
  EXPECT_TRUE(
      said("filter_chains[1].filter_chain_match: some connections match this chain and "
           "filter_chains[0] alike"))
      << said_;
  EXPECT_FALSE(compile("", chain("{}") + chain("{}")));
  EXPECT_TRUE(compile("", chain("{server_names: [a]}") + chain("{server_names: [\"*.a\"]}")))
      << said_;
}

TEST_F(ListenerCompile, WhatIsNotSupportedIsRefused) {
  EXPECT_FALSE(
      compile("listener_filters: [" + filter("ProxyProtocol", "rules: [{tlv_type: 2}]") + "]",
              chain("{}")));
  EXPECT_TRUE(said("rules")) << said_;
  EXPECT_FALSE(compile("", chain("{address_suffix: x}")));
  EXPECT_TRUE(said("address_suffix")) << said_;
}

constexpr char kSecondAddress[] =
    "additional_addresses: [{address: {socket_address: {address: '::1', port_value: 81}}}]";

TEST_F(ListenerCompile, AListenerMayHaveSeveralAddresses) {
  ASSERT_TRUE(compile(kSecondAddress, chain("{}"))) << said_;
  ASSERT_EQ(listener().addresses.size(), 2u);
  EXPECT_EQ(listener().addresses[1].text(), "[::1]:81");
  EXPECT_FALSE(
      compile("additional_addresses: [{address: {socket_address: {address: nose, "
              "port_value: 81}}}]",
              chain("{}")));
  EXPECT_TRUE(said("additional_addresses[0].address")) << said_;
}

TEST_F(ListenerCompile, TwoListenersCannotHaveOneAddress) {
  const auto second = [](const std::string& address, const std::string& more = "") {
    return chain("{}") + "  - name: back\n    address: {socket_address: " + address + "}\n" + more +
           "    filter_chains:\n" + chain("{}");
  };
  EXPECT_FALSE(compile(kSecondAddress, second("{address: '::1', port_value: 81}")));
  EXPECT_TRUE(
      said("listeners[1].address: listener 'front' accepts connections at [::1]:81 already"))
      << said_;
  EXPECT_TRUE(compile(kSecondAddress, second("{address: '::1', port_value: 82}"))) << said_;
  EXPECT_TRUE(compile(kSecondAddress,
                      second("{address: '::1', port_value: 81}", "    bind_to_port: false\n")))
      << said_;
}

TEST_F(ListenerCompile, SocketOptionsAreAsTheKernelTakesThem) {
  ASSERT_TRUE(
      compile("socket_options: [{level: 1, name: 9, int_value: 1, state: STATE_PREBIND},"
              " {level: 6, name: 13, buf_value: 'cmVubw==', state: STATE_LISTENING}]",
              chain("{}")))
      << said_;
  ASSERT_EQ(listener().socket_options.size(), 2u);
  EXPECT_EQ(listener().socket_options[0].value, std::string("\1\0\0\0", 4));
  EXPECT_TRUE(listener().socket_options[0].before_bind);
  EXPECT_EQ(listener().socket_options[1].value, "reno");
  EXPECT_FALSE(listener().socket_options[1].before_bind);
}

TEST_F(ListenerCompile, FiltersAreLeftOutByPort) {
  std::string line = filter("HttpInspector");
  line.insert(line.size() - 1,
              ", filter_disabled: {or_match: {rules: [{destination_port_range: {start: 10, end: "
              "20}}, {and_match: {rules: [{not_match: {destination_port_range: {start: 0, end: "
              "100}}}, {destination_port_range: {start: 90, end: 102}}]}}]}}");
  ASSERT_TRUE(compile("listener_filters: [" + line + "]", chain("{}"))) << said_;
  const ConfiguredListenerFilter& configured = listener().filters.at(0);
  const auto left_out = [&](uint16_t port) {
    return configured.is_disabled({.local = net::Address::ip("127.0.0.1", port).take()});
  };
  for (const uint16_t port : {10, 19, 100, 101}) EXPECT_TRUE(left_out(port)) << port;
  for (const uint16_t port : {9, 20, 99, 102, 65535}) EXPECT_FALSE(left_out(port)) << port;
}

TEST_F(ListenerCompile, AClusterThatIsWrongIsNotMissing) {
  EXPECT_FALSE(compile("", chain("{}"), "lb_policy: CLUSTER_PROVIDED"));
  EXPECT_TRUE(said("static_resources.clusters[0].lb_policy: ")) << said_;
  EXPECT_FALSE(said("there is no cluster")) << said_;
}

TEST_F(ListenerCompile, HandshakesAreBounded) {
  ASSERT_TRUE(compile("", chain("{source_ports: [1]}") +
                              chain("{}", "      transport_socket_connect_timeout: 0.5s\n")))
      << said_;
  EXPECT_EQ(listener().chains[0]->handshake_timeout_ms, 15'000);
  EXPECT_EQ(listener().chains[1]->handshake_timeout_ms, 500);
}

}  // namespace
}  // namespace weir
