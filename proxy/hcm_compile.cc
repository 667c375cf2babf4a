#include "proxy/hcm_compile.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>
#include <map>
#include <set>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"
#include "proxy/base/duration.h"
#include "proxy/http/h1_compile.h"
#include "proxy/http/h2_compile.h"

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

std::string_view type_name(const google::protobuf::Any& any) {
  const std::string& url = any.type_url();
  return std::string_view(url).substr(url.rfind('/') + 1);
}

// The message inside, of whatever type; the loader has made sure that it is known and well-formed.
std::unique_ptr<google::protobuf::Message> unpack(const google::protobuf::Any& any) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const auto* type = pool->FindMessageTypeByName(std::string(type_name(any)));
  if (type == nullptr) return nullptr;
  const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  std::unique_ptr<google::protobuf::Message> message(prototype->New());
  return message->ParseFromString(any.value()) ? std::move(message) : nullptr;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// ---- filters ----

class FilterCompiler {
 public:
  FilterCompiler(const AppBuild& build, std::string stat_prefix, const Hcm& hcm)
      : build_(build), stat_prefix_(std::move(stat_prefix)) {
    for (const hcmv3::HttpFilter& filter : hcm.http_filters())
      type_of_[filter.name()] = find(type_name(filter.typed_config()));
  }

  const http::FilterType* find(std::string_view message) const {
    for (const http::FilterType& type : build_.filter_types)
      if (type.message == message) return &type;
    return nullptr;
  }
  const http::FilterType* find_route(std::string_view message) const {
    for (const http::FilterType& type : build_.filter_types)
      if (type.route_message == message && !message.empty()) return &type;
    return nullptr;
  }

  std::shared_ptr<const http::FilterConfig> compile(http::FilterType::Compile how,
                                                    const google::protobuf::Any& any,
                                                    const FieldPath& path) const {
    const auto message = unpack(any);
    if (message == nullptr || how == nullptr) {
      build_.diagnostics.error(Code::kUnknownExtension, path,
                               "'" + std::string(type_name(any)) + "' is not an HTTP filter here");
      return nullptr;
    }
    http::FilterBuild build{.diagnostics = build_.diagnostics,
                            .path = path,
                            .stats = build_.stats,
                            .stat_prefix = stat_prefix_,
                            .workers = build_.workers,
                            .health_check_failing = build_.health_check_failing,
                            .kept = build_.kept_filter_state,
                            .service_cluster = build_.service_cluster,
                            .depends_on = build_.depends_on};
    if (build_.runtime != nullptr)
      build.runtime = [runtime = build_.runtime](std::string_view key, uint32_t fallback) {
        return runtime->number(key, fallback);
      };
    return how(*message, build);
  }

  // All filters of a list; the terminal router is checked and left out.
  bool compile_list(const google::protobuf::RepeatedPtrField<hcmv3::HttpFilter>& filters,
                    const FieldPath& path, http::FilterList& out,
                    envoy::extensions::filters::http::router::v3::Router& router) const {
    if (filters.empty()) {
      build_.diagnostics.error(Code::kSemantic, path,
                               "a chain of HTTP filters must end with the router",
                               "add envoy.filters.http.router as the last one");
      return false;
    }
    std::set<std::string> names;
    bool fine = true;
    for (int i = 0; i < filters.size(); ++i) {
      const FieldPath at = path.at(i);
      if (!names.insert(filters[i].name()).second) {
        build_.diagnostics.error(Code::kSemantic, at,
                                 "the filter name '" + filters[i].name() + "' is used twice");
        fine = false;
      }
      fine &= compile_one(filters[i], at, i + 1 == filters.size(), out, router);
    }
    return fine;
  }

  http::RouteFilter compile_route(const std::string& name, const google::protobuf::Any& any,
                                  const FieldPath& path) const {
    http::RouteFilter out;
    out.name = name;
    if (type_name(any) == "envoy.config.route.v3.FilterConfig") {
      envoy::config::route::v3::FilterConfig wrapper;
      any.UnpackTo(&wrapper);
      out.disabled = wrapper.disabled();
      if (wrapper.has_config() && !wrapper.config().type_url().empty())
        out.config = compile_route(name, wrapper.config(), path.field("config")).config;
      return out;
    }
    const http::FilterType* type = find_route(type_name(any));
    if (type != nullptr && !is_of_type(name, *type, path)) return out;
    out.config = compile(type == nullptr ? nullptr : type->compile_route, any, path);
    return out;
  }

 private:
  // A filter takes its per-route config for one of its own type without asking.
  bool is_of_type(const std::string& name, const http::FilterType& type,
                  const FieldPath& path) const {
    const auto found = type_of_.find(name);
    if (found == type_of_.end() || found->second == nullptr || found->second == &type) return true;
    const http::FilterType& wanted = *found->second;
    build_.diagnostics.error(
        Code::kSemantic, path,
        "the filter '" + name + "' is a '" + std::string(wanted.message) + "'",
        wanted.route_message.empty()
            ? "that filter has no per-route configuration"
            : "its per-route configuration is a '" + std::string(wanted.route_message) + "'");
    return false;
  }

  bool compile_one(const hcmv3::HttpFilter& filter, const FieldPath& path, bool last,
                   http::FilterList& out,
                   envoy::extensions::filters::http::router::v3::Router& router) const {
    if (!filter.has_typed_config()) {
      build_.diagnostics.error(Code::kSemantic, path, "the filter has no typed_config");
      return false;
    }
    const FieldPath config = path.field("typed_config");
    const http::FilterType* type = find(type_name(filter.typed_config()));
    if (type == nullptr) {
      if (filter.is_optional()) return true;
      build_.diagnostics.error(
          Code::kNotSupported, config,
          "Weir has no HTTP filter '" + std::string(type_name(filter.typed_config())) + "'");
      return false;
    }
    if (type->terminal != last) {
      build_.diagnostics.error(Code::kSemantic, path,
                               last ? "the last HTTP filter must be the router"
                                    : "the router must be the last HTTP filter");
      return false;
    }
    if (type->terminal) {
      filter.typed_config().UnpackTo(&router);
      return true;
    }
    http::ConfiguredFilter made{
        filter.name(), compile(type->compile, filter.typed_config(), config), filter.disabled()};
    const bool fine = made.config != nullptr;
    out.push_back(std::move(made));
    return fine;
  }

  const AppBuild& build_;
  std::string stat_prefix_;
  std::map<std::string, const http::FilterType*> type_of_;  // by the name in the chain
};

// ---- the rest of the message, part by part ----

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
  h2.max_header_count = out.h1.limits.max_header_count;
  h2.max_header_bytes = out.h1.limits.max_head_bytes;
  h2.idle_timeout_ms = out.h1.idle_timeout_ms;
  h2.delayed_close_timeout_ms = out.h1.delayed_close_timeout_ms;
  h2.max_connection_duration_ms = out.h1.max_connection_duration_ms;
  h2.max_requests_per_connection = out.h1.max_requests_per_connection;
  h2.request_headers_timeout_ms = out.h1.request_headers_timeout_ms;
  if (in.has_drain_timeout()) h2.drain_timeout_ms = to_ms(in.drain_timeout());
  if (in.has_stream_idle_timeout()) h2.stream_flush_timeout_ms = to_ms(in.stream_idle_timeout());
  h2.stats = http::H2Stats::create(build.stats, "http2.");
}

void read_common_http(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics,
                      HcmConfig& out) {
  const corev3::HttpProtocolOptions& common = in.common_http_protocol_options();
  if (common.has_idle_timeout()) out.h1.idle_timeout_ms = to_ms(common.idle_timeout());
  if (common.has_max_connection_duration())
    out.h1.max_connection_duration_ms = to_ms(common.max_connection_duration());
  if (common.has_max_headers_count())
    out.h1.limits.max_header_count = common.max_headers_count().value();
  if (common.has_max_requests_per_connection())
    out.h1.max_requests_per_connection = common.max_requests_per_connection().value();
  if (common.has_max_stream_duration())
    out.max_stream_duration_ms = to_ms(common.max_stream_duration());
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

void read_timeouts(const Hcm& in, HcmConfig& out) {
  if (in.has_stream_idle_timeout()) out.stream_idle_timeout_ms = to_ms(in.stream_idle_timeout());
  if (in.has_request_timeout()) out.request_timeout_ms = to_ms(in.request_timeout());
  if (in.has_request_headers_timeout())
    out.h1.request_headers_timeout_ms = to_ms(in.request_headers_timeout());
  if (in.has_delayed_close_timeout())
    out.h1.delayed_close_timeout_ms = to_ms(in.delayed_close_timeout());
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

// The one extension that Weir has says the same as two fields of the message itself.
void read_ip_detection(const Hcm& in, const FieldPath& path, Diagnostics& diagnostics,
                       HcmConfig& out) {
  const FieldPath extensions = path.field("original_ip_detection_extensions");
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
    HcmConfig::Upgrade upgrade;
    upgrade.type = lower(config.upgrade_type());
    if (config.has_enabled()) upgrade.enabled = config.enabled().value();
    if (config.filters_size() > 0) {
      const FieldPath at = upgrades.at(i);
      envoy::extensions::filters::http::router::v3::Router router;
      filters.compile_list(config.filters(), at.field("filters"), upgrade.filters, router);
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

bool read_routes(const Hcm& in, const FilterCompiler& filters, const FieldPath& path,
                 const AppBuild& build, HcmConfig& out) {
  if (!in.has_route_config()) {
    build.diagnostics.error(Code::kNotSupported, path,
                            "the routes must stand in route_config: rds and scoped_routes come "
                            "with the xDS client");
    return false;
  }
  http::RouteBuild routes{build.diagnostics,
                          [&](const std::string& name, const google::protobuf::Any& any,
                              const FieldPath& at) { return filters.compile_route(name, any, at); },
                          build.has_cluster};
  out.routes = http::RouteTable::compile(in.route_config(), path.field("route_config"), routes);
  return out.routes != nullptr;
}

}  // namespace

std::shared_ptr<const HcmConfig> compile_hcm(const Hcm& in, const FieldPath& path,
                                             const AppBuild& build) {
  Diagnostics& diagnostics = build.diagnostics;
  const size_t errors_before = diagnostics.error_count();
  auto out = std::make_shared<HcmConfig>();
  out->stat_prefix = in.stat_prefix();
  out->runtime = build.runtime;
  out->stats = HcmStats(build.stats, in.stat_prefix());
  const FilterCompiler filters(build, "http." + in.stat_prefix() + ".", in);
  envoy::extensions::filters::http::router::v3::Router router;
  filters.compile_list(in.http_filters(), path.field("http_filters"), out->filters, router);
  read_router(router, *out);
  read_routes(in, filters, path, build, *out);
  read_http1(in, path, diagnostics, *out);
  read_common_http(in, path, diagnostics, *out);
  read_timeouts(in, *out);
  read_http2(in, path, build, *out);
  read_identity(in, path, diagnostics, *out);
  read_ip_detection(in, path, diagnostics, *out);
  read_path_options(in, *out);
  if (in.strip_matching_host_port()) out->strip_matching_host_port = build.listener_port;
  read_upgrades(in, filters, path, *out);
  out->local_replies = http::LocalReplies::compile(in.local_reply_config(),
                                                   path.field("local_reply_config"), diagnostics);
  if (in.access_log_size() > 0)
    out->access_logs = http::AccessLogs::compile(in.access_log(), path.field("access_log"),
                                                 diagnostics, build.logs);
  if (diagnostics.error_count() != errors_before) return nullptr;
  return out;
}

}  // namespace weir
