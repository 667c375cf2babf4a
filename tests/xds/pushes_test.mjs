// A hundred pushes of every kind while requests of every kind go through: none fails.
//
// usage: node pushes_test.mjs WEIR PROTOS sotw|delta
// XDS_RATE: requests a second (300); XDS_PUSHES: so many pushes (100).
import assert from "node:assert/strict";
import https from "node:https";
import http from "node:http";
import {ControlPlane, sleep} from "./control_plane.mjs";
import {assignment, bootstrap, chain, cluster, discovered, edsCluster, extension, http2, inline,
  listener, mutation, rds, router, routes, secret, tls} from "./resources.mjs";
import {Snapshot} from "./snapshot.mjs";
import {echoServer, Followers, keepAlive, LongStream, newConnections, overHttp2, Traffic} from "./traffic.mjs";
import {body, certificate, check, eventually, finish, freePort, protos, Proxy, refused} from
  "./world.mjs";

const variant = process.argv[4];
const rate = Number(process.env.XDS_RATE ?? 300), pushes = Number(process.env.XDS_PUSHES ?? 100);
const kSlowMs = 100;

async function application() {
  const server = http.createServer({keepAliveTimeout: 0}, (request, response) => {
    setTimeout(() => response.end("hello"), request.url === "/slow" ? kSlowMs : 0);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

// ---- what is served ----

const apps = [await application(), await application(), await application()];
const echo = await echoServer();
const ports = {plain: await freePort(), tls: await freePort(), grpc: await freePort(),
  framed: await freePort(), added: await freePort()};
const places = [await freePort(), await freePort()];
const pairs = [certificate("a.test"), certificate("b.test")];
const other = (body) => chain(inline({body}), {name: "other",
  filter_chain_match: {source_prefix_ranges: [{address_prefix: "127.0.0.2", prefix_len: 32}]}});

const resources = {
  cluster: (i) => edsCluster("app", {connect_timeout: `${2 + i}s`}),
  endpoints: (i) => assignment("app", ...[apps, [apps[0], apps[1]], [apps[1], apps[2]]][i % 3]),
  routes: (i) => routes("front", [
    {match: {prefix: "/"}, route: {cluster: "app", timeout: `${15 + i}s`}}]),
  // The chain that is asked stays; its sibling changes.
  plain: (i) => listener("plain", ports.plain, [other(`push ${i}`), chain({...rds("front"),
    http_filters: [discovered("marker"), {name: "router", typed_config: router}]})]),
  filter: (i) => extension("marker", mutation(`push ${i}`)),
  grpc: (i) => listener("grpc", ports.grpc, [other(`push ${i}`), chain(rds("grpc"))]),
  // Not in place: all connections drain.
  framed: (i) => listener("framed", ports.framed, chain(rds("front")),
    {per_connection_buffer_limit_bytes: 32768 + i}),
  secure: () => listener("tls", ports.tls, chain(rds("front"), tls("cert"))),
  moving: (i) => listener("moving", places[i % 2], chain(rds("front"))),
  added: (i) => listener("added", ports.added, chain(inline({body: `added ${i}`}))),
};

const plane = new ControlPlane(protos), snapshot = new Snapshot(plane);
snapshot.set("CDS", resources.cluster(0),
  cluster("echo", echo.port, {typed_extension_protocol_options: http2}));
snapshot.set("EDS", resources.endpoints(0));
snapshot.set("LDS", resources.plain(0), resources.grpc(0), resources.framed(0), resources.secure(),
  resources.moving(0));
snapshot.set("RDS", resources.routes(0), routes("grpc", [
  {match: {prefix: "/"}, route: {cluster: "echo", timeout: "0s"}}]));
snapshot.set("SDS", secret("cert", pairs[0]));
snapshot.set("ECDS", resources.filter(0));
await plane.start();
// Pushes come faster than real ones; the limit has a test of its own.
const limits = {rate_limit_settings: {max_tokens: 1000, fill_rate: 1000}};
const proxy = new Proxy(bootstrap({api_type: variant === "delta" ? "DELTA_GRPC" : "GRPC",
  port: plane.port, ads_more: limits}), {drain_s: 30});
await proxy.serves();

// ---- the pushes ----

const followers = new Followers(places[0], "/slow");
let place = 0, moved_under_way = 0;

async function move() {
  const [old, next] = [places[place], places[1 - place]];
  moved_under_way += await followers.move(next, async () => {
    await snapshot.apply("LDS", resources.moving(1 - place));
    await eventually(() => refused(old));
  });
  place = 1 - place;
}

const kinds = [
  ["routes", (i) => snapshot.apply("RDS", resources.routes(i))],
  ["endpoints", (i) => snapshot.apply("EDS", resources.endpoints(i))],
  ["a listener in place", async (i) => {
    await snapshot.apply("LDS", resources.plain(i), resources.grpc(i));
    await eventually(async () => await body(ports.plain, {localAddress: "127.0.0.2"}) ===
      `push ${i}`);
  }],
  ["a filter's configuration", (i) => snapshot.apply("ECDS", resources.filter(i))],
  ["a cluster", (i) => snapshot.apply("CDS", resources.cluster(i))],
  ["a secret", (i) => snapshot.apply("SDS", secret("cert", pairs[i % 2]))],
  ["a listener whole", (i) => snapshot.apply("LDS", resources.framed(i))],
  ["a listener added", async (i) => {
    await snapshot.apply("LDS", resources.added(i));
    await eventually(async () => await body(ports.added) === `added ${i}`);
  }],
  ["a listener moved", move],
  ["a cluster added, routes to it", async (i) => {
    await snapshot.apply("CDS", cluster("extra", apps[i % 3]));
    await snapshot.apply("RDS", routes("front", [{match: {prefix: "/"}, route: {weighted_clusters: {
      clusters: [{name: "app", weight: 50}, {name: "extra", weight: 50}]}}}]));
  }],
  ["routes from it, the cluster removed", async (i) => {
    await snapshot.apply("RDS", resources.routes(i));
    await snapshot.takeAway("CDS", "extra");
  }],
  ["a listener removed", () => snapshot.takeAway("LDS", "added")],
];

// ---- the traffic ----

const traffic = new Traffic(rate);
const trusting = {rejectUnauthorized: false};
traffic.add("HTTP/1 kept", 0.25, keepAlive(ports.plain));
traffic.add("HTTP/1 new", 0.1, newConnections(ports.plain));
traffic.add("HTTP/1 kept, listener replaced", 0.1, keepAlive(ports.framed));
traffic.add("HTTP/1 new, listener replaced", 0.05, newConnections(ports.framed));
traffic.add("HTTP/1 TLS", 0.05, keepAlive(ports.tls, {module: https, ...trusting}));
traffic.add("HTTP/2", 0.2, overHttp2(`http://127.0.0.1:${ports.plain}`));
traffic.add("HTTP/2, listener replaced", 0.1, overHttp2(`http://127.0.0.1:${ports.framed}`));
traffic.add("HTTP/2 TLS", 0.1, overHttp2(`https://127.0.0.1:${ports.tls}`, trusting));
traffic.add("listener moves", 0.05, () => followers.ask(), 4);

const stream = new LongStream(ports.grpc);
traffic.start();
const began = Date.now();
const done = {};
for (let i = 1; i <= pushes; ++i) {
  const [name, what] = kinds[i % kinds.length];
  await what(i).catch((error) => traffic.fail(`push ${i}, ${name}: ${error.stack}`));
  done[name] = (done[name] ?? 0) + 1;
  await sleep(50);
}
await traffic.stop();
const broken = await stream.close();
const took_s = (Date.now() - began) / 1000;

await check(`${variant}: ${pushes} pushes, ${traffic.asked} requests, ` +
  `${(traffic.asked / took_s).toFixed(0)} a second: no request failed`, () => {
  console.log(Object.entries(done).map(([name, count]) => `  ${count} of ${name}`).join("\n"));
  console.log(`  longest pause of the clients: ${traffic.longest_pause_ms.toFixed(0)} ms`);
  console.log(traffic.kinds.map(({name, asked}) => `  ${asked} by ${name}`).join("\n"));
  assert.deepEqual(traffic.failures(), []);
  assert.ok(traffic.kinds.every(({asked}) => asked > 0));
  assert.ok(moved_under_way > 0);
});
await check(`${variant}: one gRPC stream lasted through all pushes`, () => {
  assert.equal(broken, null);
  assert.ok(stream.received > 20);
});
await check(`${variant}: nothing is left behind`, async () => {
  await eventually(async () => await proxy.stat("listener_manager.total_listeners_active") ===
    snapshot.known.LDS.size);
  assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 0);
  assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 0);
});
await proxy.stop();
finish();
