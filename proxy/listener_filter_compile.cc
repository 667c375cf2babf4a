#include "proxy/listener_filter_compile.h"

#include <google/protobuf/any.pb.h>

#include <algorithm>

#include "envoy/config/core/v3/proxy_protocol.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "envoy/extensions/filters/listener/original_dst/v3/original_dst.pb.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "proxy/http/compile_duration.h"

namespace weir {
namespace {

namespace listenerv3 = envoy::config::listener::v3;
namespace filterv3 = envoy::extensions::filters::listener;
using config::Code;
using config::FieldPath;
namespace corev3 = envoy::config::core::v3;
using corev3::ProxyProtocolConfig;

TlsInspector new_tls_inspector(stats::Registry& stats) {
  const auto counter = [&](const char* name) {
    return stats.counter(std::string("tls_inspector.") + name);
  };
  TlsInspector out;
  out.client_hello_too_large = counter("client_hello_too_large");
  out.tls_found = counter("tls_found");
  out.tls_not_found = counter("tls_not_found");
  out.alpn_found = counter("alpn_found");
  out.alpn_not_found = counter("alpn_not_found");
  out.sni_found = counter("sni_found");
  out.sni_not_found = counter("sni_not_found");
  return out;
}

HttpInspector new_http_inspector(stats::Registry& stats) {
  HttpInspector out;
  out.http10_found = stats.counter("http_inspector.http10_found");
  out.http11_found = stats.counter("http_inspector.http11_found");
  out.http2_found = stats.counter("http_inspector.http2_found");
  out.http_not_found = stats.counter("http_inspector.http_not_found");
  return out;
}

ProxyProtocolFilter new_proxy_protocol(const filterv3::proxy_protocol::v3::ProxyProtocol& in,
                                       stats::Registry& stats) {
  std::string prefix = "proxy_proto.";
  if (!in.stat_prefix().empty()) prefix += in.stat_prefix() + ".";
  ProxyProtocolFilter out;
  out.allow_without_header = in.allow_requests_without_proxy_protocol();
  const auto& tlvs = in.pass_through_tlvs();
  out.kept_tlvs.all = in.has_pass_through_tlvs() &&
                      tlvs.match_type() == corev3::ProxyProtocolPassThroughTLVs::INCLUDE_ALL;
  for (const uint32_t type : tlvs.tlv_type()) out.kept_tlvs.types.set(type);
  for (const int version : in.disallowed_versions())
    out.disallowed[version == ProxyProtocolConfig::V1 ? 1 : 2] = true;
  for (const int version : {1, 2}) {
    const std::string name = prefix + "versions.v" + std::to_string(version) + ".";
    out.versions[static_cast<size_t>(version)] = {stats.counter(name + "found"),
                                                  stats.counter(name + "disallowed"),
                                                  stats.counter(name + "error")};
  }
  out.not_found_allowed = stats.counter(prefix + "not_found_allowed");
  out.not_found_disallowed = stats.counter(prefix + "not_found_disallowed");
  return out;
}

bool holds(const listenerv3::ListenerFilterChainMatchPredicate& rule, int32_t port) {
  const auto rule_holds = [port](const auto& inner) { return holds(inner, port); };
  switch (rule.rule_case()) {
    case listenerv3::ListenerFilterChainMatchPredicate::kOrMatch: {
      const auto& rules = rule.or_match().rules();
      return std::any_of(rules.begin(), rules.end(), rule_holds);
    }
    case listenerv3::ListenerFilterChainMatchPredicate::kAndMatch: {
      const auto& rules = rule.and_match().rules();
      return std::all_of(rules.begin(), rules.end(), rule_holds);
    }
    case listenerv3::ListenerFilterChainMatchPredicate::kNotMatch:
      return !holds(rule.not_match(), port);
    case listenerv3::ListenerFilterChainMatchPredicate::kDestinationPortRange:
      return port >= rule.destination_port_range().start() &&
             port < rule.destination_port_range().end();
    default:
      return rule.any_match();
  }
}

std::shared_ptr<const std::bitset<65536>> read_disabled(const listenerv3::ListenerFilter& in) {
  if (!in.has_filter_disabled()) return nullptr;
  auto ports = std::make_shared<std::bitset<65536>>();
  for (int32_t port = 0; port < 65536; ++port)
    if (holds(in.filter_disabled(), port)) ports->set(static_cast<size_t>(port));
  return ports;
}

void read_filter(const listenerv3::ListenerFilter& in, const FieldPath& path, const AppBuild& build,
                 ListenerConfig& out) {
  const google::protobuf::Any& any = in.typed_config();
  filterv3::proxy_protocol::v3::ProxyProtocol proxy;
  ListenerFilter filter;
  if (any.Is<filterv3::tls_inspector::v3::TlsInspector>()) {
    filter = new_tls_inspector(build.stats);
  } else if (any.Is<filterv3::http_inspector::v3::HttpInspector>()) {
    filter = new_http_inspector(build.stats);
  } else if (any.Is<filterv3::original_dst::v3::OriginalDst>()) {
    filter = OriginalDst();
  } else if (any.UnpackTo(&proxy)) {
    filter = new_proxy_protocol(proxy, build.stats);
  } else {
    const FieldPath config = path.field("typed_config");
    return build.diagnostics.error(
        Code::kNotSupported, config, "Weir has no listener filter of this type",
        "tls_inspector, http_inspector, proxy_protocol and original_dst are supported");
  }
  out.filters.push_back({std::move(filter), read_disabled(in)});
}

template <class Filter>
bool has(const ListenerConfig& config) {
  return std::any_of(config.filters.begin(), config.filters.end(),
                     [](const ConfiguredListenerFilter& configured) {
                       return std::holds_alternative<Filter>(configured.filter);
                     });
}

void add_missing(const listenerv3::Listener& in, const FieldPath& path, const AppBuild& build,
                 ListenerConfig& out) {
  if (in.filter_chains_size() > 0 && in.filter_chains(0).use_proxy_proto().value() &&
      !has<ProxyProtocolFilter>(out))
    out.filters.push_back({new_proxy_protocol({}, build.stats), nullptr});
  const bool needed = std::any_of(out.chains.begin(), out.chains.end(),
                                  [](const auto& c) { return c->match.needs_client_hello(); });
  if (!needed || has<TlsInspector>(out)) return;
  out.filters.push_back({new_tls_inspector(build.stats), nullptr});
  build.diagnostics.warning(
      Code::kSemantic, path,
      "a filter_chain_match asks for server names, protocols or TLS without the TLS inspector, "
      "which is added",
      "list envoy.filters.listener.tls_inspector in listener_filters");
}

}  // namespace

void compile_listener_filters(const listenerv3::Listener& in, const FieldPath& path,
                              const AppBuild& build, ListenerConfig& out) {
  if (in.has_listener_filters_timeout())
    http::compile_duration_ms(in.listener_filters_timeout(), path.field("listener_filters_timeout"),
                              build.diagnostics, out.filters_timeout_ms);
  out.continue_on_filters_timeout = in.continue_on_listener_filters_timeout();
  const FieldPath filters = path.field("listener_filters");
  for (int i = 0; i < in.listener_filters_size(); ++i) {
    const FieldPath at = filters.at(i);
    read_filter(in.listener_filters(i), at, build, out);
  }
  add_missing(in, path, build, out);
}

}  // namespace weir
