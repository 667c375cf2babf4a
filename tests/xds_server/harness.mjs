// Starts `weir xds-server` on a directory of its own, and talks ADS to it with grpc-js and Envoy's
// .proto files, which npm's @grpc/grpc-js-xds brings.
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, renameSync, rmSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";

const require = createRequire(import.meta.url);
export const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

export const kDeadlineMs = 15_000;
export const kTypes = "type.googleapis.com/";
export const kUrls = {
  CDS: kTypes + "envoy.config.cluster.v3.Cluster",
  EDS: kTypes + "envoy.config.endpoint.v3.ClusterLoadAssignment",
  LDS: kTypes + "envoy.config.listener.v3.Listener",
  RDS: kTypes + "envoy.config.route.v3.RouteConfiguration",
};

export function makeFolder() {
  return mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "resources-"));
}

// Written beside and moved into place, as careful programs do.
export function write(folder, name, content) {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(join(folder, "." + name), text);
  renameSync(join(folder, "." + name), join(folder, name));
}

export function remove(folder, name) {
  rmSync(join(folder, name));
}

export async function until(what, holds) {
  const end = Date.now() + kDeadlineMs;
  while (Date.now() < end) {
    const value = await holds();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`waited in vain: ${what}`);
}

// A running server: `address`, `log` (all it said), `status()` and `stop()`.
export async function startServer(program, folder, ...options) {
  const child = spawn(program, ["xds-server", "--dir", folder, "--listen", "127.0.0.1:0",
    "--admin", "127.0.0.1:0", "--log-level", "debug", ...options]);
  process.on("exit", () => child.kill("SIGKILL"));
  const server = {child, log: "", out: ""};
  child.stderr.on("data", (piece) => (server.log += piece));
  child.stdout.on("data", (piece) => (server.out += piece));
  const said = await until("the server starts", () => {
    if (child.exitCode !== null) throw new Error(`the server ended: ${server.log}`);
    return /xds server on (\S+), status on (\S+)\n/.exec(server.out);
  });
  server.address = said[1];
  server.status = async () => (await fetch(said[2])).json();
  server.stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    return (await ended)[0];
  };
  return server;
}

// ---- a raw client ----

const protos = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
const definition = protoLoader.loadSync(
  ["ads", "discovery"].map((name) => `envoy/service/discovery/v3/${name}.proto`).concat(
    ["cluster/v3/cluster", "endpoint/v3/endpoint", "listener/v3/listener", "route/v3/route"].map(
      (name) => `envoy/config/${name}.proto`),
    ["cluster/v3/cds", "endpoint/v3/eds", "status/v3/csds"].map(
      (name) => `envoy/service/${name}.proto`)),
  {keepCase: true, arrays: true, enums: String, includeDirs: ["envoy-api", "xds", "googleapis",
    "protoc-gen-validate"].map((name) => join(protos, name))});
export const api = grpc.loadPackageDefinition(definition);
const Ads = api.envoy.service.discovery.v3.AggregatedDiscoveryService;

// What an Any holds.
export function unpack(any) {
  return definition[any.type_url.slice(kTypes.length)].deserialize(any.value);
}

// One ADS stream; `delta` or the state of the world.
export class AdsStream {
  constructor(address, delta, node = "tester") {
    this.client = new Ads(address, grpc.credentials.createInsecure());
    this.call = delta ? this.client.DeltaAggregatedResources() :
      this.client.StreamAggregatedResources();
    this.node = {id: node, cluster: "tests"};
    this.responses = [];
    this.call.on("data", (response) => this.responses.push(response));
    this.call.on("error", (error) => (this.error = error));
    this.call.on("end", () => (this.ended = true));
  }

  send(request) {
    this.call.write({node: this.node, ...request});
  }

  // The next response that was not looked at.
  async next(what = "a response") {
    await until(what, () => {
      if (this.error) throw this.error;
      return this.responses.length !== 0;
    });
    return this.responses.shift();
  }

  // Nothing comes for a moment.
  async silence(ms = 300) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (this.responses.length !== 0)
      throw new Error(`not expected: ${JSON.stringify(this.responses[0])}`);
  }

  ack(response, more = {}) {
    this.send({type_url: response.type_url, response_nonce: response.nonce,
      ...(response.version_info === undefined ? {} : {version_info: response.version_info}),
      ...more});
  }

  nack(response, message, more = {}) {
    this.send({type_url: response.type_url, response_nonce: response.nonce,
      error_detail: {code: 13, message}, ...more});
  }

  async failure() {
    return until("the stream fails", () => this.error);
  }

  close() {
    this.call.cancel();
    this.client.close();
  }
}

// ---- resources ----

export function cluster(name, more = {}) {
  return {"@type": kUrls.CDS, name, type: "EDS", connect_timeout: "1s",
    eds_cluster_config: {eds_config: {ads: {}, resource_api_version: "V3"}}, ...more};
}

export function endpoints(name, ...ports) {
  return {"@type": kUrls.EDS, cluster_name: name, endpoints: [{
    locality: {region: "here"}, load_balancing_weight: 1,
    lb_endpoints: ports.map((port) => ({endpoint: {address: {
      socket_address: {address: "127.0.0.1", port_value: port}}}}))}]};
}

export function routes(name, to) {
  return {"@type": kUrls.RDS, name, virtual_hosts: [{name: "all", domains: ["*"],
    routes: [{match: {prefix: ""}, route: {cluster: to}}]}]};
}

const kHcm =
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

export function manager(routeName) {
  return {"@type": kTypes + kHcm, stat_prefix: routeName,
    rds: {route_config_name: routeName,
      config_source: {ads: {}, resource_api_version: "V3"}},
    http_filters: [{name: "router", typed_config: {
      "@type": kTypes + "envoy.extensions.filters.http.router.v3.Router"}}]};
}

export function listener(name, routeName, port = 10000) {
  return {"@type": kUrls.LDS, name,
    address: {socket_address: {address: "127.0.0.1", port_value: port}},
    filter_chains: [{filters: [{name: "hcm", typed_config: manager(routeName)}]}]};
}

// Runs checks in their order; the first failure ends the program with 1.
export async function run(checks) {
  const limit = setTimeout(() => {
    console.error("the test takes too long");
    process.exit(1);
  }, 280_000);
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      console.error(`FAILED ${name}:`, error);
      process.exit(1);
    }
    console.log(`ok ${name}`);
  }
  clearTimeout(limit);
  process.exit(0);
}
