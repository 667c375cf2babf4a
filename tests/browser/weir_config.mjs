// The configuration of browser_test.mjs: four listeners and a cluster for each way to speak to an
// upstream; /NAME leads to the cluster NAME.
const type = (name) => ({"@type": "type.googleapis.com/envoy.extensions." + name});
const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});

// What each cluster leads to: the upstream's name, which is also that of its port.
export const clusters = ["h1", "h2", "tls1", "tls2"];

function cluster(name, ports, files) {
  const say = name.endsWith("2") ? {http2_protocol_options: {allow_connect: true}} :
    {http_protocol_options: {}};
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name, type: "STATIC", connect_timeout: "2s",
    typed_extension_protocol_options: {[options]: {...type("upstreams.http.v3.HttpProtocolOptions"),
      explicit_http_config: say}},
    ...(name.startsWith("tls") && {transport_socket: {name: "tls", typed_config: {
      ...type("transport_sockets.tls.v3.UpstreamTlsContext"), sni: "app.test",
      common_tls_context: {validation_context: {trusted_ca: {filename: files.cert}}}}}}),
    load_assignment: {cluster_name: name,
      endpoints: [{lb_endpoints: [{endpoint: {address: address(ports[name])}}]}]},
  };
}

function manager(stat_prefix, more) {
  return {
    ...type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix, upgrade_configs: [{upgrade_type: "websocket"}],
    http2_protocol_options: {allow_connect: true}, ...more,
    route_config: {virtual_hosts: [{name: "all", domains: ["*"],
      routes: clusters.map((name) => (
        {match: {path_separated_prefix: "/" + name}, route: {cluster: name, timeout: "0s"}}))}]},
    http_filters: [
      {name: "grpc_web", typed_config: type("filters.http.grpc_web.v3.GrpcWeb")},
      {name: "router", typed_config: type("filters.http.router.v3.Router")}],
  };
}

function listener(name, port, files, alpn, more) {
  return {
    name, address: address(port),
    ...(alpn && {listener_filters: [{name: "tls",
      typed_config: type("filters.listener.tls_inspector.v3.TlsInspector")}]}),
    filter_chains: [{
      ...(alpn && {filter_chain_match: {server_names: ["app.test"]},
        transport_socket: {name: "tls", typed_config: {
          ...type("transport_sockets.tls.v3.DownstreamTlsContext"),
          common_tls_context: {alpn_protocols: alpn, tls_certificates: [
            {certificate_chain: {filename: files.cert}, private_key: {filename: files.key}}]}}}}),
      filters: [{name: "hcm", typed_config: manager(name, more)}]}],
  };
}

// `ports`: of the listeners (plain, secure1, secure2, leaving), of the admin port and of each
// upstream. `files`: cert and key.
export function bootstrap(ports, files) {
  return {
    admin: {address: address(ports.admin)},
    static_resources: {
      listeners: [
        listener("plain", ports.plain, files),
        listener("secure1", ports.secure1, files, ["http/1.1"]),
        listener("secure2", ports.secure2, files, ["h2", "http/1.1"]),
        // Few requests a connection, so that a GOAWAY comes in the middle of a page.
        listener("leaving", ports.leaving, files, ["h2", "http/1.1"],
          {common_http_protocol_options: {max_requests_per_connection: 150}}),
      ],
      clusters: clusters.map((name) => cluster(name, ports, files)),
    },
  };
}
