#include "proxy/hcm_compile.h"

#include <google/protobuf/any.pb.h>

#include <algorithm>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"
#include "proxy/filter_compile.h"
#include "proxy/http/compile_duration.h"
#include "proxy/http/h1_compile.h"
#include "proxy/http/h2_compile.h"
#include "proxy/route_user.h"
#include "proxy/scope_user.h"
#include "proxy/stats/clean_name.h"

namespace weir {
namespace {

namespace hcmv3 = envoy::extensions::filters::network::http_connection_manager::v3;
namespace corev3 = envoy::config::core::v3;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using Hcm = hcmv3::HttpConnectionManager;

// The head must fit in front of a read.
constexpr uint32_t kMaxHeadersKb = 192;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// ---- the rest of the message, part by part ----

// An HTTP/1 connection ends after a malformed request: where the next one begins is in doubt.
void read_invalid_messages(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics) {
  const std::string_view message = "an HTTP/1 connection always ends after a malformed request";
  const corev3::Http1ProtocolOptions& http1 = in.http_protocol_options();
  const FieldPath options = path.field("http_protocol_options");
  if (http1.override_stream_error_on_invalid_http_message().value())
    diagnostics.error(Code::kNotSupported,
                      options.field("override_stream_error_on_invalid_http_message"),
                      std::string(message));
  const bool by_default = in.stream_error_on_invalid_http_message().value() &&
                          !http1.has_override_stream_error_on_invalid_http_message();
  if (by_default && in.codec_type() != Hcm::HTTP2)
    diagnostics.warning(Code::kNotSupported, path.field("stream_error_on_invalid_http_message"),
                        std::string(message), "it is in force for HTTP/2 alone");
}

void read_http1(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics, HcmConfig& out) {
  const corev3::Http1ProtocolOptions& http1 = in.http_protocol_options();
  out.h1.accept_http10 = http1.accept_http_10();
  out.h1.pass_trailers = http1.enable_trailers();
  out.h1.default_host_for_http10 = http1.default_host_for_http_10();
  if (http1.has_allow_absolute_url())
    out.h1.allow_absolute_url = http1.allow_absolute_url().value();
  const FieldPath options = path.field("http_protocol_options");
  if (http1.allow_chunked_length())
    diagnostics.error(Code::kNotSupported, options.field("allow_chunked_length"),
                      "a request with both Content-Length and Transfer-Encoding is always refused");
  read_invalid_messages(in, path, diagnostics);
  const http::HeaderKeys keys = http::compile_header_keys(http1, options, diagnostics);
  out.h1.header_case = keys.header_case;
  out.h1.spelling = keys.spelling;
}

// After everything that both versions have in common.
void read_http2(const Hcm& in, const FieldPath& path, const AppBuild& build, HcmConfig& out) {
  out.codec = in.codec_type() == Hcm::HTTP1   ? HcmConfig::Codec::kHttp1
              : in.codec_type() == Hcm::HTTP2 ? HcmConfig::Codec::kHttp2
                                              : HcmConfig::Codec::kAuto;
  out.h1.detect_http2 = out.codec == HcmConfig::Codec::kAuto;
  http::H2Options& h2 = out.h2;
  http::compile_http2(in.http2_protocol_options(), path.field("http2_protocol_options"),
                      build.diagnostics, h2);
  if (in.has_stream_error_on_invalid_http_message() &&
      !in.http2_protocol_options().has_override_stream_error_on_invalid_http_message())
    h2.invalid_message_ends_connection = !in.stream_error_on_invalid_http_message().value();
  h2.max_header_count = out.h1.limits.max_header_count;
  h2.max_header_bytes = out.h1.limits.max_head_bytes;
  h2.idle_timeout_ms = out.h1.idle_timeout_ms;
  h2.delayed_close_timeout_ms = out.h1.delayed_close_timeout_ms;
  h2.max_connection_duration_ms = out.h1.max_connection_duration_ms;
  h2.max_requests_per_connection = out.h1.max_requests_per_connection;
  h2.request_headers_timeout_ms = out.h1.request_headers_timeout_ms;
  if (in.has_drain_timeout())
    http::compile_duration_ms(in.drain_timeout(), path.field("drain_timeout"), build.diagnostics,
                              h2.drain_timeout_ms);
  if (in.has_stream_idle_timeout()) h2.stream_flush_timeout_ms = out.stream_idle_timeout_ms;
  h2.stats = http::H2Stats::create(build.stats, "http2.");
}

void read_common_http(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics,
                      HcmConfig& out) {
  const corev3::HttpProtocolOptions& common = in.common_http_protocol_options();
  const FieldPath options = path.field("common_http_protocol_options");
  const auto read = [&](const google::protobuf::Duration& from, std::string_view field,
                        int64_t& to) {
    http::compile_duration_ms(from, options.field(field), diagnostics, to);
  };
  if (common.has_idle_timeout())
    read(common.idle_timeout(), "idle_timeout", out.h1.idle_timeout_ms);
  if (common.has_max_connection_duration())
    read(common.max_connection_duration(), "max_connection_duration",
         out.h1.max_connection_duration_ms);
  if (common.has_max_stream_duration())
    read(common.max_stream_duration(), "max_stream_duration", out.max_stream_duration_ms);
  if (common.has_max_headers_count())
    out.h1.limits.max_header_count = common.max_headers_count().value();
  if (common.has_max_requests_per_connection())
    out.h1.max_requests_per_connection = common.max_requests_per_connection().value();
  out.underscores = static_cast<HcmConfig::Underscores>(common.headers_with_underscores_action());
  if (!in.has_max_request_headers_kb()) return;
  const uint32_t kb = in.max_request_headers_kb().value();
  if (kb > kMaxHeadersKb) {
    diagnostics.error(Code::kNotSupported, path.field("max_request_headers_kb"),
                      "more than 192 KiB of headers is not supported");
    return;
  }
  out.h1.limits.max_head_bytes = size_t{kb} * 1024;
}

void read_timeouts(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics, HcmConfig& out) {
  const auto read = [&](const google::protobuf::Duration& from, std::string_view field,
                        int64_t& to) {
    http::compile_duration_ms(from, path.field(field), diagnostics, to);
  };
  if (in.has_stream_idle_timeout())
    read(in.stream_idle_timeout(), "stream_idle_timeout", out.stream_idle_timeout_ms);
  if (in.has_request_timeout())
    read(in.request_timeout(), "request_timeout", out.request_timeout_ms);
  if (in.has_request_headers_timeout())
    read(in.request_headers_timeout(), "request_headers_timeout",
         out.h1.request_headers_timeout_ms);
  if (in.has_delayed_close_timeout())
    read(in.delayed_close_timeout(), "delayed_close_timeout", out.h1.delayed_close_timeout_ms);
}

void read_client_cert(const Hcm& in, ForwardClientCert& out) {
  out.mode = static_cast<ForwardClientCert::Mode>(in.forward_client_cert_details());
  const auto& details = in.set_current_client_cert_details();
  out.cert = details.cert();
  out.chain = details.chain();
  out.subject = details.subject().value();
  out.uri = details.uri();
  out.dns = details.dns();
}

void read_identity(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics, HcmConfig& out) {
  if (!in.server_name().empty()) out.server_name = in.server_name();
  out.server_header = static_cast<HcmConfig::ServerHeader>(in.server_header_transformation());
  out.via = in.via();
  out.use_remote_address = in.use_remote_address().value();
  out.xff_num_trusted_hops = in.xff_num_trusted_hops();
  out.skip_xff_append = in.skip_xff_append();
  if (in.has_generate_request_id()) out.generate_request_id = in.generate_request_id().value();
  out.preserve_external_request_id = in.preserve_external_request_id();
  out.always_set_request_id_in_response = in.always_set_request_id_in_response();
  out.append_forwarded_port = in.append_x_forwarded_port();
  out.scheme_to_overwrite = in.scheme_header_transformation().scheme_to_overwrite();
  read_client_cert(in, out.forward_client_cert);
  out.internal_unix_sockets = in.internal_address_config().unix_sockets();
  const FieldPath ranges = path.field("internal_address_config.cidr_ranges");
  int i = 0;
  for (const auto& range : in.internal_address_config().cidr_ranges()) {
    Result<net::Address> address = net::Address::ip(range.address_prefix(), 0);
    if (!address) {
      diagnostics.error(Code::kInvalidValue, ranges.at(i), address.error().message);
    } else {
      out.internal_cidrs.push_back({address.take(), range.prefix_len().value()});
    }
    ++i;
  }
}

// The one extension that Weir has says the same as two fields of the message itself. Both together
// are refused, as by Envoy.
void read_ip_detection(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics,
                       HcmConfig& out) {
  const FieldPath extensions = path.field("original_ip_detection_extensions");
  const auto refuse_mixed = [&](bool mixed, const std::string& field) {
    if (mixed && in.original_ip_detection_extensions_size() > 0)
      diagnostics.error(Code::kSemantic, extensions,
                        "original_ip_detection_extensions and " + field + " exclude each other",
                        "keep one of them");
  };
  refuse_mixed(in.use_remote_address().value(), "use_remote_address");
  refuse_mixed(in.xff_num_trusted_hops() > 0, "xff_num_trusted_hops");
  for (int i = 0; i < in.original_ip_detection_extensions_size(); ++i) {
    envoy::extensions::http::original_ip_detection::xff::v3::XffConfig xff;
    if (i > 0 || !in.original_ip_detection_extensions(i).typed_config().UnpackTo(&xff)) {
      diagnostics.error(Code::kNotSupported, extensions.at(i),
                        "only one extension, xff with xff_num_trusted_hops, is supported");
      continue;
    }
    out.xff_num_trusted_hops = xff.xff_num_trusted_hops();
  }
}

void read_path_options(const Hcm& in, HcmConfig& out) {
  using Escaped = http::PathOptions::EscapedSlashes;
  out.path.normalize = in.normalize_path().value();
  out.path.merge_slashes = in.merge_slashes();
  switch (in.path_with_escaped_slashes_action()) {
    case Hcm::REJECT_REQUEST:
      out.path.escaped_slashes = Escaped::kReject;
      break;
    case Hcm::UNESCAPE_AND_REDIRECT:
      out.path.escaped_slashes = Escaped::kUnescapeAndRedirect;
      break;
    case Hcm::UNESCAPE_AND_FORWARD:
      out.path.escaped_slashes = Escaped::kUnescapeAndForward;
      break;
    default:
      break;
  }
  out.strip_any_host_port = in.strip_any_host_port();
  out.strip_trailing_host_dot = in.strip_trailing_host_dot();
  out.proxy_100_continue = in.proxy_100_continue();
}

void read_upgrades(const Hcm& in, const FilterCompiler& filters, const FieldPath& path,
                   HcmConfig& out) {
  const FieldPath upgrades = path.field("upgrade_configs");
  for (int i = 0; i < in.upgrade_configs_size(); ++i) {
    const auto& config = in.upgrade_configs(i);
    const FieldPath at = upgrades.at(i);
    HcmConfig::Upgrade upgrade;
    upgrade.type = lower(config.upgrade_type());
    const bool is_known =
        std::any_of(out.upgrades.begin(), out.upgrades.end(),
                    [&](const HcmConfig::Upgrade& other) { return other.type == upgrade.type; });
    if (is_known)
      filters.build().diagnostics.error(Code::kSemantic, at.field("upgrade_type"),
                                        "the upgrade '" + upgrade.type + "' is configured twice",
                                        "keep one of them; case does not matter");
    if (config.has_enabled()) upgrade.enabled = config.enabled().value();
    if (config.filters_size() > 0) {
      const FieldPath list = at.field("filters");
      envoy::extensions::filters::http::router::v3::Router router;
      FilterCompiler::Chain chain;
      filters.compile_list(config.filters(), list, chain, router);
      if (!chain.discovered.empty())
        filters.build().diagnostics.error(Code::kNotSupported, list,
                                          "filters of an upgrade do not come by ECDS here",
                                          "give each of them a typed_config");
      upgrade.filters = std::move(chain.filters);
      upgrade.has_filters = true;
    }
    out.upgrades.push_back(std::move(upgrade));
  }
}

void read_router(const envoy::extensions::filters::http::router::v3::Router& router,
                 HcmConfig& out) {
  out.suppress_envoy_headers = router.suppress_envoy_headers();
  out.respect_expected_rq_timeout = router.respect_expected_rq_timeout();
  out.suppress_grpc_failure_codes = router.suppress_grpc_request_failure_code_stats();
}

void read_scopes(const Hcm& in, const FilterCompiler& filters, const FieldPath& path,
                 HcmConfig& out) {
  auto keys =
      ScopeKeyBuilder::compile(in.scoped_routes().scope_key_builder(),
                               path.field("scope_key_builder"), filters.build().diagnostics);
  out.scopes = ScopeUser::compile(in.scoped_routes(), path, filters);
  if (!keys || out.scopes == nullptr) return;
  out.scope_keys = std::make_shared<const ScopeKeyBuilder>(std::move(*keys));
  out.routes = out.scopes->feed();
}

void read_routes(const Hcm& in, const FilterCompiler& filters, const FieldPath& path,
                 const AppBuild& build, HcmConfig& out) {
  if (in.has_rds()) {
    const FieldPath rds = path.field("rds");
    const FieldPath source = rds.field("config_source");
    if (!build.check_source)
      return build.diagnostics.error(Code::kNotSupported, source, "there is no control plane here");
    if (!build.check_source(in.rds().config_source(), xds::ResourceType::kRoute, source,
                            build.diagnostics))
      return;
    out.rds = std::make_shared<const RouteUser>(filters, in.rds().config_source(),
                                                in.rds().route_config_name());
    out.routes = out.rds->feed();
    return;
  }
  if (in.has_scoped_routes()) return read_scopes(in, filters, path.field("scoped_routes"), out);
  if (!in.has_route_config())
    return build.diagnostics.error(
        Code::kNotSupported, path,
        "the routes must stand in route_config or come by rds or scoped_routes");
  auto table =
      compile_routes(in.route_config(), path.field("route_config"), filters, build.has_cluster);
  out.routes = std::make_shared<RouteFeed>(build.workers, RouteUse{std::move(table)});
}

}  // namespace

std::shared_ptr<const HcmConfig> compile_hcm(const Hcm& in, const FieldPath& path,
                                             const AppBuild& app_build) {
  Diagnostics& diagnostics = app_build.diagnostics;
  const size_t errors_before = diagnostics.error_count();
  auto out = std::make_shared<HcmConfig>();
  AppBuild build = app_build;
  build.used_secrets = &out->secrets;
  const std::string stat_prefix = stats::clean_name(in.stat_prefix());
  out->runtime = build.runtime;
  out->overload = build.overload;
  out->stats = HcmStats(build.stats, stat_prefix, build.listener_stat_prefix);
  const FilterCompiler filters(build, "http." + stat_prefix + ".", in.http_filters());
  envoy::extensions::filters::http::router::v3::Router router;
  FilterCompiler::Chain chain;
  filters.compile_list(in.http_filters(), path.field("http_filters"), chain, router);
  out->filters = chain.filters;
  if (!chain.discovered.empty()) {
    out->ecds = std::make_shared<const FilterUser>(filters, std::move(chain.filters),
                                                   std::move(chain.discovered));
    out->filter_feed = out->ecds->feed();
  }
  read_router(router, *out);
  read_routes(in, filters, path, build, *out);
  read_http1(in, path, diagnostics, *out);
  read_common_http(in, path, diagnostics, *out);
  read_timeouts(in, path, diagnostics, *out);
  read_http2(in, path, build, *out);
  read_identity(in, path, diagnostics, *out);
  read_ip_detection(in, path, diagnostics, *out);
  read_path_options(in, *out);
  if (in.strip_matching_host_port()) out->strip_matching_host_port = build.listener_port;
  read_upgrades(in, filters, path, *out);
  const http::RuntimeLookup runtime = lookup_in(build.runtime);
  out->local_replies = http::LocalReplies::compile(
      in.local_reply_config(), path.field("local_reply_config"), diagnostics, runtime);
  if (in.access_log_size() > 0)
    out->access_logs = http::AccessLogs::compile(in.access_log(), path.field("access_log"),
                                                 diagnostics, build.logs, runtime);
  if (diagnostics.error_count() != errors_before) return nullptr;
  const bool is_fed = out->rds != nullptr || out->scopes != nullptr || out->ecds != nullptr;
  if (is_fed && build.when_gone)
    out->gone = std::shared_ptr<void>(nullptr, [told = build.when_gone](void*) { told(); });
  return out;
}

}  // namespace weir
