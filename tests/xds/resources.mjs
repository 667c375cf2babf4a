// Small Envoy resources in JSON, as control planes write them.
const kExtensions = "type.googleapis.com/envoy.extensions.";
const type = (name) => ({"@type": kExtensions + name});
const kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

export const ads = {resource_api_version: "V3", ads: {}};
export const socket = (port, address = "127.0.0.1") => (
  {socket_address: {address, port_value: port}});

export const http2 = {[kHttpOptions]: {...type("upstreams.http.v3.HttpProtocolOptions"),
  explicit_http_config: {http2_protocol_options: {}}}};

const endpoints = (ports) => [{lb_endpoints: ports.map((port) => (
  {endpoint: {address: socket(port)}}))}];

export const assignment = (cluster_name, ...ports) => ({cluster_name, endpoints: endpoints(ports)});

export const cluster = (name, port, more = {}) => ({name, type: "STATIC", connect_timeout: "2s",
  load_assignment: assignment(name, port), ...more});

export const edsCluster = (name, {service, timeout, source = ads, ...more} = {}) => ({name,
  type: "EDS", connect_timeout: "2s",
  eds_cluster_config: {...(service && {service_name: service}),
    eds_config: {...source, ...(timeout && {initial_fetch_timeout: timeout})}}, ...more});

// `routes`: a cluster's name, or {body}, or routes as Envoy has them.
export function routes(name, to, more = {}) {
  let list = to;
  if (typeof to === "string") list = [{match: {prefix: "/"}, route: {cluster: to}}];
  else if (to.body) list = [{match: {prefix: "/"},
    direct_response: {status: 200, body: {inline_string: to.body}}}];
  return {name, virtual_hosts: [{name: "all", domains: ["*"], routes: list}], ...more};
}

export const manager = (fields) => ({name: "hcm", typed_config: {
  ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"), stat_prefix: "front",
  http_filters: [{name: "router", typed_config: type("filters.http.router.v3.Router")}], ...fields}});

export const rds = (name, timeout, source = ads) => ({rds: {route_config_name: name,
  config_source: {...source, ...(timeout && {initial_fetch_timeout: timeout})}}});

export const inline = (to) => ({route_config: routes("inline", to)});

export const chain = (fields, more = {}) => ({filters: [manager(fields)], ...more});

export const listener = (name, port, chains, more = {}) => (
  {name, address: socket(port), filter_chains: [chains].flat(), ...more});

export const tls = (secret, {source = ads, timeout, ...more} = {}) => ({transport_socket: {
  name: "tls", typed_config: {...type("transport_sockets.tls.v3.DownstreamTlsContext"),
    common_tls_context: {alpn_protocols: ["h2", "http/1.1"], tls_certificate_sds_secret_configs: [{
      name: secret,
      sds_config: {...source, ...(timeout && {initial_fetch_timeout: timeout})}}], ...more}}}});

export const upstreamTls = (secret, source = ads) => ({transport_socket: {
  name: "tls", typed_config: {...type("transport_sockets.tls.v3.UpstreamTlsContext"),
    common_tls_context: {tls_certificate_sds_secret_configs: [{name: secret, sds_config: source}]}}}});

// `pair`: {cert, key} as text.
export const secret = (name, {cert, key}) => ({name, tls_certificate: {
  certificate_chain: {inline_string: cert}, private_key: {inline_string: key}}});

export const router = type("filters.http.router.v3.Router");

// A filter that says `text` in a header of responses.
export const kMutation = kExtensions + "filters.http.header_mutation.v3.HeaderMutation";
const saying = (text) => ({mutations: {response_mutations: [
  {append: {header: {key: "x-filter", value: text}}}]}});
export const mutation = (text) => ({"@type": kMutation, ...saying(text)});
export const mutationPerRoute = (text) => ({"@type": kMutation + "PerRoute", ...saying(text)});

// An HTTP filter whose configuration comes by ECDS, and that configuration.
export const discovered = (name, {source = ads, timeout, type_urls = [kMutation],
  fallback, at_once, ...more} = {}) => ({name, config_discovery: {
  config_source: {...source, ...(timeout && {initial_fetch_timeout: timeout})}, type_urls,
  ...(fallback && {default_config: fallback}),
  ...(at_once && {apply_default_config_without_warming: true})}, ...more});
export const extension = (name, typed_config) => ({name, typed_config});

// A source of its own, beside ADS.
export const grpcSource = (cluster_name, api_type = "GRPC") => ({resource_api_version: "V3",
  api_config_source: {api_type, transport_api_version: "V3",
    grpc_services: [{envoy_grpc: {cluster_name}}]}});

// `cds`, `lds`: sources; null for none.
export function bootstrap({api_type, port, cds = ads, lds = ads, clusters = [], listeners = [],
  ads_more = {}, runtime, back_off = {base_interval: "0.1s", max_interval: "1s"}}) {
  const service = {envoy_grpc: {cluster_name: "control",
    retry_policy: {retry_back_off: back_off}}};
  return {
    node: {id: "node-1", cluster: "fleet", metadata: {role: "edge"}, locality: {zone: "z1"}},
    admin: {address: socket(0)},
    ...(runtime && {layered_runtime: runtime}),
    dynamic_resources: {
      ads_config: {api_type, transport_api_version: "V3", grpc_services: [service], ...ads_more},
      ...(cds && {cds_config: cds}), ...(lds && {lds_config: lds})},
    static_resources: {listeners, clusters: [
      cluster("control", port, {typed_extension_protocol_options: http2}), ...clusters]},
  };
}
