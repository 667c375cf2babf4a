// The configuration of versions_test.mjs: a listener in the clear, one with TLS, and a cluster for
// each way to speak to an upstream; /NAME leads to the cluster NAME.
const type = (name) => ({"@type": "type.googleapis.com/envoy.extensions." + name});
const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});

// What each cluster says of versions, and which of the upstreams it leads to.
export const clusters = {
  h1: {tls: false, upstream: "h1", say: {explicit_http_config: {http_protocol_options: {}}}},
  h2: {tls: false, upstream: "h2", say: {explicit_http_config: {http2_protocol_options: {}}}},
  tls1: {tls: true, upstream: "tls1", say: {explicit_http_config: {http_protocol_options: {}}}},
  tls2: {tls: true, upstream: "tls2", say: {explicit_http_config: {http2_protocol_options: {}}}},
  auto1: {tls: true, upstream: "tls1",
    say: {auto_config: {http_protocol_options: {}, http2_protocol_options: {}}}},
  auto2: {tls: true, upstream: "tls2",
    say: {auto_config: {http_protocol_options: {}, http2_protocol_options: {}}}},
  follow: {tls: true, upstream: "both",
    say: {use_downstream_protocol_config:
      {http_protocol_options: {}, http2_protocol_options: {}}}},
};

// An upstream that breaks HTTP/2.
const broken = {tls: false, upstream: "broken",
  say: {explicit_http_config: {http2_protocol_options: {}}}};

function cluster(name, {tls, upstream, say}, ports, files) {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name, type: "STATIC", connect_timeout: "2s",
    typed_extension_protocol_options: {[options]: {...type("upstreams.http.v3.HttpProtocolOptions"),
      ...say}},
    ...(tls && {transport_socket: {name: "tls", typed_config: {
      ...type("transport_sockets.tls.v3.UpstreamTlsContext"), sni: "app.test",
      common_tls_context: {validation_context: {trusted_ca: {filename: files.cert},
        match_typed_subject_alt_names: [{san_type: "DNS", matcher: {exact: "app.test"}}]}}}}}),
    load_assignment: {cluster_name: name,
      endpoints: [{lb_endpoints: [{endpoint: {address: address(ports[upstream])}}]}]},
  };
}

function chain(tls, files) {
  const manager = {
    ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "front",
    upgrade_configs: [{upgrade_type: "websocket"}],
    route_config: {virtual_hosts: [{name: "all", domains: ["*"],
      routes: ["broken", ...Object.keys(clusters)].map((name) => (
        {match: {path_separated_prefix: "/" + name}, route: {cluster: name}}))}]},
    http_filters: [{name: "router", typed_config: type("filters.http.router.v3.Router")}],
  };
  return {
    filters: [{name: "hcm", typed_config: manager}],
    ...(tls && {transport_socket: {name: "tls", typed_config: {
      ...type("transport_sockets.tls.v3.DownstreamTlsContext"),
      common_tls_context: {alpn_protocols: ["h2", "http/1.1"], tls_certificates: [
        {certificate_chain: {filename: files.cert}, private_key: {filename: files.key}}]}}}}),
  };
}

// `ports`: of the two listeners (plain, tls) and of each upstream. `files`: cert and key.
export function bootstrap(ports, files) {
  return {static_resources: {
    listeners: [
      {name: "plain", address: address(ports.plain), filter_chains: [chain(false, files)]},
      {name: "tls", address: address(ports.tls), filter_chains: [chain(true, files)]},
    ],
    clusters: Object.entries({broken, ...clusters})
      .map(([name, how]) => cluster(name, how, ports, files)),
  }};
}
