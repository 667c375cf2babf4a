// Health checks that a server orders (HDS): what is checked, what it is told, and what happens when
// it is wrong or away.
import assert from "node:assert/strict";
import {spawnSync} from "node:child_process";
import {once} from "node:events";
import {createRequire} from "node:module";
import {writeFileSync} from "node:fs";
import http from "node:http";
import net from "node:net";
import {join} from "node:path";
import {sleep} from "./control_plane.mjs";
import {checked, HealthServer, often} from "./health_server.mjs";
import {chain, cluster, http2, inline, listener, socket} from "./resources.mjs";
import {check, eventually, finish, freePort, get, home, protos, Proxy} from "./world.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");

const service = {api_type: "GRPC", transport_api_version: "V3", grpc_services: [{envoy_grpc: {
  cluster_name: "health", retry_policy: {retry_back_off: {base_interval: "0.1s",
    max_interval: "0.3s"}}}}]};

// An upstream that keeps the requests it gets, and can die and come again on its port.
class App {
  asked = [];

  async start() {
    this.server = http.createServer((request, response) => {
      this.asked.push({path: request.url, host: request.headers.host,
        from: request.socket.remoteAddress});
      response.end("app");
    });
    this.server.listen(this.port ?? 0, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const app = await new App().start(), other = await new App().start();
const up = often({http_health_check: {path: "/up"}});
const port = await freePort();
const health = new HealthServer(protos);
await health.start();

function bootstrap() {
  return {
    node: {id: "node-1", cluster: "fleet"},
    admin: {address: socket(0)},
    hds_config: service,
    static_resources: {
      listeners: [listener("front", port, chain(inline("app")))],
      // `app` is the name of something that is checked, too.
      clusters: [cluster("health", health.port, {typed_extension_protocol_options: http2}),
        cluster("app", other.port)]},
  };
}

const proxy = new Proxy(bootstrap());
await proxy.serves();
let stream = await health.stream();
// Until a report says exactly that.
const says = (wanted, of = stream) => eventually(() => {
  assert.deepEqual(of.statuses(), wanted);
  return true;
}, "the reports do not say it");
const order = (...cluster_health_checks) =>
  stream.order({cluster_health_checks, interval: "0.1s"});
const only = (status) => ({[`app/z/${app.port}`]: status});

// ---- what is checked, and told ----

await check("the first message says who it is and what it can check", async () => {
  const {health_check_request: first} = await stream.next();
  assert.equal(first.node.id, "node-1");
  assert.equal(first.node.user_agent_name, "weir");
  assert.deepEqual(first.capability.health_check_protocols, ["HTTP", "TCP"]);
  await sleep(300);
  assert.equal(stream.requests.length, 1, "nobody said what is to be checked");
});
await check("healthy, unhealthy when the upstream dies, healthy when it comes again", async () => {
  order(checked("app", up, [socket(app.port)]));
  await says(only("HEALTHY"));
  assert.deepEqual(app.asked.at(-1), {path: "/up", host: "app", from: "127.0.0.1"});
  await app.stop();
  await says(only("UNHEALTHY"));
  await app.start();
  await says(only("HEALTHY"));
});
await check("both lists say the same, at the interval", async () => {
  const from = stream.requests.length, began = Date.now();
  await eventually(() => stream.requests.length >= from + 5);
  assert.ok(Date.now() - began >= 350, "reports come too often");
  const {endpoints_health, cluster_endpoints_health: [one]} = stream.reports.at(-1);
  assert.deepEqual(endpoints_health, one.locality_endpoints_health[0].endpoints_health);
  assert.equal(endpoints_health[0].endpoint.address.socket_address.address, "127.0.0.1");
});
await check("a cluster of the same name has nothing to do with it", async () => {
  await app.stop();
  await says(only("UNHEALTHY"));
  assert.equal((await get(port)).body, "app");
  const line = (await proxy.admin("/clusters")).split("\n").find((one) =>
    one.startsWith(`app::127.0.0.1:${other.port}::health_flags`));
  assert.ok(line.endsWith("::healthy"), line);
  await app.start();
  await says(only("HEALTHY"));
});
await check("another order takes the place of the one before; who stays keeps its state",
  async () => {
    const from = stream.requests.length;
    order(checked("app", up, [socket(app.port), socket(other.port)]),
      checked("tcp", often({tcp_health_check: {}}), [socket(other.port)]));
    await says({...only("HEALTHY"), [`app/z/${other.port}`]: "HEALTHY",
      [`tcp/z/${other.port}`]: "HEALTHY"});
    for (const {endpoint_health_response: {endpoints_health}} of stream.requests.slice(from))
      assert.equal(endpoints_health.find(({endpoint}) =>
        endpoint.address.socket_address.port_value === app.port).health_status, "HEALTHY");
    order(checked("tcp", often({tcp_health_check: {}}), [socket(other.port)]));
    await says({[`tcp/z/${other.port}`]: "HEALTHY"});
    const asked = app.asked.length;
    await sleep(300);
    assert.equal(app.asked.length, asked, "nobody is to check it any more");
  });
await check("an endpoint's own port and host, and the address to ask from", async () => {
  stream.order({interval: "0.1s", cluster_health_checks: [{cluster_name: "app",
    health_checks: [up], upstream_bind_config: {source_address:
      {address: "127.0.0.9", port_value: 0}},
    locality_endpoints: [{endpoints: [{address: socket(1), health_check_config:
      {port_value: app.port, hostname: "app.test"}}]}]}]});
  await says({"app//1": "HEALTHY"});
  assert.deepEqual(app.asked.at(-1), {path: "/up", host: "app.test", from: "127.0.0.9"});
});
await check("by gRPC, with a server of npm's", async () => {
  const server = new grpc.Server();
  const bytes = (message) => message;
  server.addService({check: {path: "/grpc.health.v1.Health/Check", requestStream: false,
    responseStream: false, requestSerialize: bytes, requestDeserialize: bytes,
    responseSerialize: bytes, responseDeserialize: bytes}},
  {check: (call, answer) => answer(null, Buffer.from([8, 1]))});
  const at = await new Promise((resolve, reject) => server.bindAsync("127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(), (error, bound) => error ? reject(error)
      : resolve(bound)));
  order(checked("grpc", often({grpc_health_check: {}}), [socket(at)]));
  await says({[`grpc/z/${at}`]: "HEALTHY"});
  server.forceShutdown();
  await says({[`grpc/z/${at}`]: "UNHEALTHY"});
});
await check("who accepts and says nothing times out", async () => {
  const silent = net.createServer((one) => one.on("error", () => {})).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const at = silent.address().port;
  order(checked("silent", often({http_health_check: {path: "/"}}, {timeout: "0.1s"}),
    [socket(at)]));
  await says({[`silent/z/${at}`]: "TIMEOUT"});
  silent.close();
});

// ---- what is wrong ----

await check("an order that is wrong is refused by name, once, and the last good one stays",
  async () => {
    order(checked("app", up, [socket(app.port)]));
    await says(only("HEALTHY"));
    const errors = await proxy.stat("hds_delegate.errors");
    const updates = await proxy.stat("hds_delegate.updates");
    const wrong = checked("bad", often({custom_health_check: {name: "redis"}}),
      [socket(other.port)]);
    for (let i = 0; i < 3; ++i) order(checked("app", up, [socket(other.port)]), wrong);
    await eventually(async () => await proxy.stat("hds_delegate.errors") === errors + 3);
    assert.equal(await proxy.stat("hds_delegate.updates"), updates);
    const from = stream.requests.length;
    await eventually(() => stream.requests.length >= from + 3);
    await says(only("HEALTHY"));
    const lines = proxy.log.split("\n").filter((one) =>
      one.includes("cluster_health_checks[1].health_checks[0].custom_health_check"));
    assert.equal(lines.length, 1, proxy.log);
    assert.ok(proxy.log.includes("the health checks that 'health' wants are refused"));
  });
await check("bytes that are no message break the stream, and no more", async () => {
  stream.call.write(Buffer.from([0xff]));
  stream = await health.stream();
  assert.equal((await stream.next()).health_check_request.node.id, "node-1");
  order(checked("app", up, [socket(app.port)]));
  await says(only("HEALTHY"));
});

// ---- when the server is away ----

await check("a stream that breaks off is opened again; checks go on meanwhile", async () => {
  const away = () => proxy.log.split("health cannot be reported to 'health'").length;
  const told = away();
  stream.fail(14, "go away");
  health.stop();
  const asked = app.asked.length;
  await eventually(() => app.asked.length >= asked + 10);
  await app.stop();
  await sleep(500);
  await health.start();
  stream = await health.stream();
  await stream.next();
  await sleep(300);
  assert.equal(stream.requests.length, 1, "this stream has asked for nothing yet");
  order(checked("app", up, [socket(app.port)]));
  await stream.next();
  assert.deepEqual(stream.statuses(), only("UNHEALTHY"), "what happened while nobody listened");
  await app.start();
  await says(only("HEALTHY"));
  assert.equal(away(), told + 1, proxy.log);
});
await check("what is counted", async () => {
  const requests = await proxy.stat("hds_delegate.requests");
  const responses = await proxy.stat("hds_delegate.responses");
  assert.ok(requests >= 10 && responses >= 20, `${requests} requests, ${responses} responses`);
  assert.ok(await proxy.stat("cluster.app.health_check.attempt") > 10);
});
await proxy.stop();
health.stop();

// ---- bootstraps that are refused ----

for (const [name, place, error, change] of [
  ["REST", "hds_config.api_type", /over a gRPC stream of their own/, {api_type: "REST",
    grpc_services: [], cluster_names: ["health"], refresh_delay: "1s"}],
  ["delta", "hds_config.api_type", /not by DELTA_GRPC/, {api_type: "DELTA_GRPC"}],
  ["a cluster that there is not", "hds_config.grpc_services[0].envoy_grpc.cluster_name",
    /no cluster 'x'/, {grpc_services: [{envoy_grpc: {cluster_name: "x"}}]}],
  ["nobody to call", "hds_config.grpc_services", /no service is named/, {grpc_services: []}],
]) {
  await check("refused with its place: " + name, async () => {
    const config = bootstrap(), file = join(home, "refused.json");
    config.hds_config = {...service, ...change};
    writeFileSync(file, JSON.stringify(config));
    const {stdout} = spawnSync(process.argv[2], ["--mode", "validate", "--output", "json", "-c",
      file], {encoding: "utf8"});
    const found = JSON.parse(stdout).diagnostics;
    assert.equal(found.length, 1, stdout);
    assert.equal(found[0].path, place);
    assert.match(found[0].message, error);
  });
}

for (const one of [app, other]) await one.stop();
finish();
