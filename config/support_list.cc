#include "config/support.h"

namespace weir::config {
namespace {

// The format is described in support.h. A field that only informs, or that cannot change what a
// request gets (a stat's name, metadata, a memory hint), counts as supported. Weir's own extensions
// are added by whoever lists them.

constexpr std::string_view kBootstrap = R"(
package envoy.config.bootstrap.v3
Bootstrap: node node_context_params static_resources dynamic_resources cluster_manager
  stats_flush_interval stats_flush_on_admin watchdog watchdogs layered_runtime admin
  enable_dispatcher_stats deferred_stat_options use_tcp_for_dns_lookups dns_resolution_config
  typed_dns_resolver_config default_regex_engine memory_allocator_manager flags_path
  stats_server_version_override perf_tracing_file_path overload_manager
  stats_config application_log_config hds_config
Bootstrap.StaticResources: listeners clusters secrets
Bootstrap.DynamicResources: lds_config cds_config ads_config
Bootstrap.ApplicationLogConfig: *
Bootstrap.ApplicationLogConfig.LogFormat: *
Admin: address profile_path access_log ignore_global_conn_limit
ClusterManager: enable_deferred_cluster_creation load_stats_config local_cluster_name
RuntimeLayer: name static_layer admin_layer rtds_layer

package envoy.config.metrics.v3
StatsConfig: *
TagSpecifier: *
StatsMatcher: *
HistogramBucketSettings: *
package envoy.config.overload.v3
OverloadManager: refresh_interval resource_monitors actions
ResourceMonitor: *
OverloadAction: name triggers
Trigger: *
ThresholdTrigger: *
ScaledTrigger: *
package envoy.extensions.resource_monitors.downstream_connections.v3
extension DownstreamConnectionsConfig: *
package envoy.extensions.resource_monitors.fixed_heap.v3
extension FixedHeapConfig: *
package envoy.extensions.resource_monitors.injected_resource.v3
extension InjectedResourceConfig: *

package envoy.extensions.network.dns_resolver.cares.v3
extension CaresDnsResolverConfig: resolvers dns_resolver_options udp_max_queries
package envoy.extensions.regex_engines.v3
extension GoogleRE2: *
)";

constexpr std::string_view kListeners = R"(
package envoy.config.listener.v3
Listener: name address stat_prefix filter_chains default_filter_chain
  per_connection_buffer_limit_bytes metadata traffic_direction drain_type
  connection_balance_config reuse_port enable_reuse_port tcp_backlog_size
  max_connections_to_accept_per_socket_event bind_to_port ignore_global_conn_limit
  listener_filters_timeout continue_on_listener_filters_timeout freebind transparent
  tcp_fast_open_queue_length bypass_overload_manager listener_filters additional_addresses
  socket_options access_log
AdditionalAddress: address
FilterChain: filter_chain_match filters metadata transport_socket
  transport_socket_connect_timeout name use_proxy_proto
FilterChainMatch: * -address_suffix -suffix_len
ListenerFilter: name typed_config filter_disabled
Filter: name typed_config

package envoy.config.core.v3
Address: socket_address pipe
SocketOption: *
SocketAddress: address port_value protocol ipv4_compat -protocol=UDP
ConfigSource: * -authorities -resource_api_version=V2
ApiConfigSource: * -config_validators -transport_api_version=V2

package envoy.extensions.filters.listener.http_inspector.v3
extension HttpInspector: *
package envoy.extensions.filters.listener.original_dst.v3
extension OriginalDst: *
package envoy.extensions.filters.listener.proxy_protocol.v3
extension ProxyProtocol: allow_requests_without_proxy_protocol disallowed_versions stat_prefix
  pass_through_tlvs
package envoy.extensions.filters.listener.tls_inspector.v3
extension TlsInspector: initial_read_buffer_size

package envoy.extensions.transport_sockets.raw_buffer.v3
extension RawBuffer: *

package envoy.extensions.transport_sockets.proxy_protocol.v3
extension ProxyProtocolUpstreamTransport: *

package envoy.extensions.filters.network.tcp_proxy.v3
extension TcpProxy: stat_prefix cluster weighted_clusters idle_timeout
  access_log max_connect_attempts max_downstream_connection_duration
TcpProxy.WeightedCluster.ClusterWeight: name weight
)";

constexpr std::string_view kHttp = R"(
package envoy.extensions.filters.network.http_connection_manager.v3
extension HttpConnectionManager: codec_type stat_prefix route_config http_filters
  common_http_protocol_options http_protocol_options http2_protocol_options server_name
  server_header_transformation
  scheme_header_transformation max_request_headers_kb stream_idle_timeout request_timeout
  request_headers_timeout drain_timeout delayed_close_timeout access_log
  use_remote_address xff_num_trusted_hops original_ip_detection_extensions
  internal_address_config skip_xff_append rds scoped_routes via generate_request_id
  preserve_external_request_id
  always_set_request_id_in_response proxy_100_continue
  upgrade_configs normalize_path merge_slashes
  path_with_escaped_slashes_action request_id_extension local_reply_config
  strip_matching_host_port strip_any_host_port stream_error_on_invalid_http_message
  strip_trailing_host_dot append_x_forwarded_port forward_client_cert_details
  set_current_client_cert_details
  -codec_type=HTTP3
HttpFilter: name typed_config config_discovery is_optional disabled
HttpConnectionManager.UpgradeConfig: upgrade_type enabled
ScopedRds: * -srds_resources_locator

package envoy.config.core.v3
HttpProtocolOptions: *
Http1ProtocolOptions: *
Http2ProtocolOptions: * -allow_metadata
SchemeHeaderTransformation: scheme_to_overwrite

package envoy.extensions.http.original_ip_detection.xff.v3
extension XffConfig: *
package envoy.extensions.request_id.uuid.v3
extension UuidRequestIdConfig: *
package envoy.extensions.http.header_formatters.preserve_case.v3
extension PreserveCaseFormatterConfig: *

package envoy.extensions.filters.http.router.v3
extension Router: dynamic_stats suppress_envoy_headers
  respect_expected_rq_timeout suppress_grpc_request_failure_code_stats
package envoy.extensions.filters.http.grpc_http1_bridge.v3
extension Config: *
package envoy.extensions.filters.http.grpc_json_transcoder.v3
extension GrpcJsonTranscoder: *
package envoy.extensions.filters.http.grpc_stats.v3
extension FilterConfig: * -emit_filter_state
package envoy.extensions.filters.http.grpc_web.v3
extension GrpcWeb: *
package envoy.extensions.filters.http.health_check.v3
extension HealthCheck: *
package envoy.extensions.filters.http.header_mutation.v3
extension HeaderMutation: *
extension HeaderMutationPerRoute: *
package envoy.extensions.filters.http.local_ratelimit.v3
extension LocalRateLimit: * -local_cluster_rate_limit
)";

constexpr std::string_view kRoutes = R"(
package envoy.config.route.v3
RouteConfiguration: name virtual_hosts response_headers_to_add response_headers_to_remove
  request_headers_to_add request_headers_to_remove most_specific_header_mutations_wins
  validate_clusters max_direct_response_body_size_bytes
  request_mirror_policies ignore_port_in_host_matching ignore_path_parameters_in_path_matching
  typed_per_filter_config metadata
ScopedRouteConfiguration: * -on_demand
VirtualHost: name domains routes require_tls rate_limits request_headers_to_add
  request_headers_to_remove response_headers_to_add response_headers_to_remove
  typed_per_filter_config include_request_attempt_count include_attempt_count_in_response
  retry_policy per_request_buffer_limit_bytes request_mirror_policies metadata
Route: name match route redirect direct_response metadata decorator tracing
  typed_per_filter_config request_headers_to_add request_headers_to_remove
  response_headers_to_add response_headers_to_remove per_request_buffer_limit_bytes stat_prefix
RouteMatch: prefix path safe_regex connect_matcher path_separated_prefix path_match_policy
  case_sensitive runtime_fraction headers query_parameters grpc
RouteAction: cluster cluster_header weighted_clusters cluster_not_found_response_code
  prefix_rewrite regex_rewrite path_rewrite_policy host_rewrite_literal auto_host_rewrite
  host_rewrite_header host_rewrite_path_regex append_x_forwarded_host timeout idle_timeout
  retry_policy request_mirror_policies priority rate_limits include_vh_rate_limits hash_policy
  upgrade_configs max_stream_duration max_grpc_timeout grpc_timeout_offset
RouteAction.UpgradeConfig: upgrade_type enabled
RouteAction.HashPolicy: header cookie connection_properties query_parameter terminal
RouteAction.MaxStreamDuration: *
RetryPolicy: retry_on num_retries per_try_timeout per_try_idle_timeout
  host_selection_retry_max_attempts retriable_status_codes retry_back_off retry_host_predicate
  rate_limited_retry_back_off retriable_headers retriable_request_headers
extension FilterConfig: *
RateLimit: stage disable_key actions
RateLimit.Action: * -dynamic_metadata -metadata -extension

package envoy.type.matcher.v3
StringMatcher: * -custom
ListStringMatcher: *

package envoy.extensions.path.match.uri_template.v3
extension UriTemplateMatchConfig: *
package envoy.extensions.path.rewrite.uri_template.v3
extension UriTemplateRewriteConfig: *
package envoy.extensions.retry.host.previous_hosts.v3
extension PreviousHostsPredicate: *
)";

constexpr std::string_view kClusters = R"(
package envoy.config.cluster.v3
Cluster: name alt_stat_name type cluster_type connect_timeout per_connection_buffer_limit_bytes
  transport_socket_matches
  lb_policy load_assignment max_requests_per_connection circuit_breakers
  upstream_http_protocol_options common_http_protocol_options http_protocol_options
  http2_protocol_options protocol_selection
  typed_extension_protocol_options dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl
  dns_lookup_family dns_resolvers use_tcp_for_dns_lookups dns_resolution_config
  typed_dns_resolver_config wait_for_warm_on_init cleanup_interval ring_hash_lb_config
  maglev_lb_config original_dst_lb_config least_request_lb_config round_robin_lb_config
  common_lb_config transport_socket metadata upstream_connection_options
  close_connections_on_host_health_failure ignore_health_on_host_removal load_balancing_policy
  upstream_bind_config eds_cluster_config lrs_server health_checks
  outlier_detection
Cluster.TransportSocketMatch: *
Cluster.OriginalDstLbConfig: * -metadata_key
Cluster.CommonLbConfig: healthy_panic_threshold locality_weighted_lb_config zone_aware_lb_config
  update_merge_window ignore_new_hosts_until_first_hc consistent_hashing_lb_config
OutlierDetection: * -monitors
CircuitBreakers: thresholds
CircuitBreakers.Thresholds: priority max_connections max_pending_requests max_requests
  max_retries track_remaining retry_budget

package envoy.config.core.v3
HealthCheck: * -alt_port -custom_health_check -event_log_path -event_logger -event_service
HealthCheck.HttpHealthCheck: * -codec_client_type=HTTP3
HealthCheck.TcpHealthCheck: * -proxy_protocol_config

package envoy.config.endpoint.v3
ClusterLoadAssignment: cluster_name endpoints policy
ClusterLoadAssignment.Policy: *
ClusterLoadAssignment.Policy.DropOverload: *
LocalityLbEndpoints: locality metadata lb_endpoints load_balancing_weight priority proximity
LbEndpoint: endpoint health_status metadata load_balancing_weight
Endpoint: address hostname health_check_config

package envoy.extensions.clusters.dns.v3
extension DnsCluster: *

package envoy.extensions.upstreams.http.v3
extension HttpProtocolOptions: common_http_protocol_options upstream_http_protocol_options
  explicit_http_config use_downstream_protocol_config auto_config http_filters
HttpProtocolOptions.ExplicitHttpConfig: http_protocol_options http2_protocol_options
HttpProtocolOptions.UseDownstreamHttpConfig: http_protocol_options http2_protocol_options
HttpProtocolOptions.AutoHttpConfig: http_protocol_options http2_protocol_options

# What ends every chain of upstream filters; alone it changes nothing.
package envoy.extensions.filters.http.upstream_codec.v3
extension UpstreamCodec: *

package envoy.extensions.load_balancing_policies.round_robin.v3
extension RoundRobin: *
package envoy.extensions.load_balancing_policies.least_request.v3
extension LeastRequest: *
package envoy.extensions.load_balancing_policies.random.v3
extension Random: *
package envoy.extensions.load_balancing_policies.ring_hash.v3
extension RingHash: *
package envoy.extensions.load_balancing_policies.maglev.v3
extension Maglev: *
package envoy.extensions.load_balancing_policies.wrr_locality.v3
extension WrrLocality: *
package envoy.extensions.load_balancing_policies.cluster_provided.v3
extension ClusterProvided: *
package envoy.extensions.load_balancing_policies.common.v3
LocalityLbConfig: *
)";

constexpr std::string_view kLogs = R"(
package envoy.config.accesslog.v3
AccessLog: name filter typed_config
AccessLogFilter: status_code_filter duration_filter not_health_check_filter runtime_filter
  and_filter or_filter header_filter response_flag_filter grpc_status_filter

package envoy.extensions.access_loggers.file.v3
extension FileAccessLog: *
package envoy.extensions.access_loggers.stream.v3
extension StdoutAccessLog: *
extension StderrAccessLog: *
package envoy.extensions.formatter.req_without_query.v3
extension ReqWithoutQuery: *
)";

constexpr std::string_view kTls = R"(
package envoy.extensions.transport_sockets.tls.v3
extension DownstreamTlsContext: * -require_sni
extension UpstreamTlsContext: * -allow_renegotiation
CommonTlsContext: tls_params tls_certificates tls_certificate_sds_secret_configs
  validation_context validation_context_sds_secret_config combined_validation_context
  alpn_protocols key_log
TlsKeyLog: *
CommonTlsContext.CombinedCertificateValidationContext: default_validation_context
  validation_context_sds_secret_config
TlsParameters: *
TlsCertificate: certificate_chain private_key pkcs12 watched_directory password ocsp_staple
CertificateValidationContext: trusted_ca watched_directory verify_certificate_spki
  verify_certificate_hash match_typed_subject_alt_names match_subject_alt_names crl
  allow_expired_certificate trust_chain_verification custom_validator_config
  only_verify_leaf_cert_crl max_verify_depth
extension Secret: name tls_certificate session_ticket_keys validation_context generic_secret
GenericSecret: *
extension SPIFFECertValidatorConfig: *
)";

}  // namespace

Support default_support() {
  Support support;
  for (const std::string_view table :
       {kBootstrap, kListeners, kHttp, kRoutes, kClusters, kLogs, kTls}) {
    support.add(table);
  }
  return support;
}

}  // namespace weir::config
