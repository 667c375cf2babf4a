// What a proxy reports of load (LRS): to the server that its bootstrap names, to the control plane
// that its clusters come from, and to a server of a cluster's own.
import assert from "node:assert/strict";
import {spawnSync} from "node:child_process";
import {once} from "node:events";
import http from "node:http";
import {writeFileSync} from "node:fs";
import {join} from "node:path";
import {sleep} from "./control_plane.mjs";
import {LoadServer} from "./load_server.mjs";
import {assignment, chain, cluster, edsCluster, http2, inline, listener, socket} from
  "./resources.mjs";
import {check, eventually, finish, freePort, get, home, protos, Proxy, world} from "./world.mjs";

const grpc_services = [{envoy_grpc: {cluster_name: "reports",
  retry_policy: {retry_back_off: {base_interval: "0.1s", max_interval: "0.5s"}}}}];
const service = {api_type: "GRPC", transport_api_version: "V3", grpc_services};

// Answers with the status that the path names; /hold is answered when `release` is called.
async function app() {
  const held = [];
  const server = http.createServer((request, response) => {
    if (request.url === "/hold") return held.push(response);
    response.writeHead(Number(request.url.slice(1)) || 200).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {server, held, port: server.address().port, release: () => {
    for (const response of held.splice(0)) response.end();
  }};
}

const there = await app(), spare = await app();
const port = await freePort();
const group = (zone, to, more = {}) => ({locality: {region: "r", zone, sub_zone: "s"},
  load_balancing_weight: 1, lb_endpoints: [{endpoint: {address: socket(to)}}], ...more});
const route = (prefix, to) => ({match: {prefix}, route: {cluster: to, prefix_rewrite: "/"}});
const routeTable = [route("/tight/", "tight"), route("/other/", "other"), route("/", "app")];

function bootstrap(reportsPort, clusters = []) {
  return {
    node: {id: "node-1", cluster: "fleet"},
    admin: {address: socket(0)},
    cluster_manager: {load_stats_config: service},
    static_resources: {
      listeners: [listener("front", port, chain(inline(routeTable)))],
      clusters: [cluster("reports", reportsPort, {typed_extension_protocol_options: http2}),
        {name: "app", type: "STATIC", connect_timeout: "2s",
          common_lb_config: {locality_weighted_lb_config: {}}, load_assignment: {
            cluster_name: "app", endpoints: [group("a", there.port), group("b", spare.port)]}},
        cluster("other", there.port),
        cluster("tight", there.port, {circuit_breakers: {thresholds: [{max_requests: 1}]}}),
        ...clusters]},
  };
}

const ask = async (path, count = 1) => {
  for (let i = 0; i < count; ++i) await get(port, {path});
};
const kAll = {send_all_clusters: true, load_reporting_interval: "0.2s"};
// Until the reports of a stream say that of a cluster.
const says = (stream, name, what, from) => eventually(() => {
  what(stream.total(name, from));
  return true;
}, "the reports do not say it");

// ---- load_stats_config ----

{
  const reports = new LoadServer(protos);
  await reports.start();
  const proxy = new Proxy(bootstrap(reports.port));
  await proxy.serves();
  let stream = await reports.stream();

  await check("the first request says who it is and that it can send all clusters", async () => {
    const first = await stream.next();
    assert.equal(first.node.id, "node-1");
    assert.equal(first.node.user_agent_name, "weir");
    assert.deepEqual(first.node.client_features, ["envoy.lrs.supports_send_all_clusters"]);
    assert.deepEqual(first.cluster_stats, []);
  });
  await check("nothing is reported before the server says what it wants", async () => {
    await ask("/", 3);
    await sleep(300);
    assert.equal(stream.requests.length, 1);
  });
  await check("all clusters, at the interval; what was before the order does not count", async () => {
    stream.order(kAll);
    const began = Date.now();
    const first = await stream.next();
    assert.ok(Date.now() - began >= 190);
    assert.deepEqual(first.cluster_stats.map((one) => one.cluster_name).sort(),
      ["app", "other", "reports", "tight"]);
    for (const stats of first.cluster_stats) {
      assert.deepEqual(stats.upstream_locality_stats, []);
      const {seconds, nanos} = stats.load_report_interval;
      assert.ok(seconds > 0 || nanos >= 190e6, `${seconds} s, ${nanos} ns`);
    }
  });
  await check("successes and errors by locality; nothing is lost or told twice", async () => {
    await Promise.all([ask("/", 60), ask("/500", 20), ask("/404", 20)]);
    await says(stream, "app", (sum) => {
      assert.equal(sum.issued, 100);
      assert.equal(sum.success, 80, "404 is an answer");
      assert.equal(sum.error, 20);
      assert.ok(sum.zones["a/0"] > 10 && sum.zones["b/0"] > 10);
    });
    await sleep(600);
    assert.equal(stream.total("app").issued, 100);
    assert.equal(stream.total("other").issued, 0);
    const {locality} = stream.requests.flatMap((one) => one.cluster_stats).find((one) =>
      one.upstream_locality_stats.length > 0).upstream_locality_stats[0];
    assert.equal(locality.region, "r");
    assert.equal(locality.sub_zone, "s");
  });
  await check("requests under way are in progress, in each report", async () => {
    const from = stream.requests.length;
    const waits = get(port, {path: "/other/hold"});
    const inProgress = () => stream.requests.slice(from).map(({cluster_stats}) =>
      cluster_stats.find((one) => one.cluster_name === "other").upstream_locality_stats[0]
        ?.total_requests_in_progress ?? 0);
    await eventually(() => inProgress().filter((one) => one === 1).length >= 2);
    assert.equal(stream.total("other", from).issued, 1);
    assert.equal(stream.total("other", from).success, 0);
    there.release();
    await waits;
    await says(stream, "other", (sum) => assert.equal(sum.success, 1), from);
    await eventually(() => inProgress().at(-1) === 0);
  });
  await check("what the circuit breaker refuses is dropped", async () => {
    const holds = get(port, {path: "/tight/hold"});
    await eventually(() => there.held.length === 1);
    for (let i = 0; i < 4; ++i) assert.equal((await get(port, {path: "/tight/"})).status, 503);
    there.release();
    await holds;
    await says(stream, "tight", (sum) => {
      assert.equal(sum.dropped, 4);
      assert.equal(sum.issued, 1);
    });
  });
  await check("clusters that are named, by endpoint", async () => {
    const from = stream.requests.length;
    stream.order({clusters: ["app", "nobody"], load_reporting_interval: "0.2s",
      report_endpoint_granularity: true});
    await eventually(() => stream.requests.length > from &&
      stream.requests.at(-1).cluster_stats.length === 1);
    const begin = stream.requests.length;
    await ask("/", 20);
    await says(stream, "app", (sum) => assert.equal(sum.issued, 20), begin);
    const last = stream.requests.slice(begin).flatMap((one) => one.cluster_stats);
    assert.ok(last.every((one) => one.cluster_name === "app"));
    const ports = {};
    for (const one of last.flatMap((stats) => stats.upstream_locality_stats)) {
      const [endpoint] = one.upstream_endpoint_stats;
      assert.equal(endpoint.total_issued_requests, one.total_issued_requests);
      const {address, port_value} = endpoint.address.socket_address;
      assert.equal(address, "127.0.0.1");
      ports[port_value] = (ports[port_value] ?? 0) + endpoint.total_successful_requests;
    }
    assert.equal(ports[there.port] + ports[spare.port], 20);
  });
  await check("a stream that breaks off is opened again, and what happened meanwhile is told",
    async () => {
      const before = stream.total("app").issued;
      stream.fail(14, "go away");
      await ask("/", 10);
      const old = stream;
      stream = await reports.stream();
      assert.deepEqual((await stream.next()).cluster_stats, []);
      stream.order({clusters: ["app"], load_reporting_interval: "0.2s"});
      await says(stream, "app", (sum) =>
        assert.equal(old.total("app").issued + sum.issued, before + 10));
      assert.ok(await proxy.stat("load_reporter.errors") >= 1);
      assert.ok(await proxy.stat("load_reporter.requests") >= 3);
      assert.ok(await proxy.stat("load_reporter.responses") >= 5);
    });
  await check("bytes that are no message break it off, and no more", async () => {
    stream.call.write(Buffer.from([0xff]));
    stream = await reports.stream();
    await stream.next();
    stream.order(kAll);
    await ask("/", 1);
    await says(stream, "app", (sum) => assert.ok(sum.issued >= 1));
  });
  await proxy.stop();
  reports.stop();
}

// ---- lrs_server ----

const twoClusters = chain(inline([route("/other/", "other"), route("/", "app")]));

for (const variant of ["sotw", "delta"]) {
  const reports = new LoadServer(protos), own = new LoadServer(protos);
  await own.start();
  const {plane, proxy, close} = await world(variant, {more: [reports],
    clusters: [cluster("reports", own.port, {typed_extension_protocol_options: http2})]});
  const stream = await plane.stream();
  let load;

  await check(`${variant}: {self: {}} reports to the service that the cluster came from`, async () => {
    await stream.next("CDS");
    await stream.exchange("CDS", [edsCluster("app", {service: "eds-name", lrs_server: {self: {}}}),
      cluster("other", there.port)]);
    await stream.next("EDS");
    await stream.exchange("EDS", [assignment("eds-name", there.port)]);
    const ack = await stream.exchange("LDS", [listener("front", port, twoClusters)]);
    assert.equal(ack.error, null);
    await proxy.serves();
    load = await reports.stream();
    assert.equal((await load.next()).node.id, "node-1");
    load.order(kAll);
    await load.next();
    await ask("/", 5);
    await ask("/other/", 5);
    await says(load, "app", (sum) => assert.equal(sum.success, 5));
    const stats = load.requests.flatMap((one) => one.cluster_stats);
    assert.ok(stats.every((one) => one.cluster_name === "app"), "no cluster that did not ask for it");
    assert.equal(stats[0].cluster_service_name, "eds-name");
  });
  await check(`${variant}: a server of a cluster's own gets that cluster's`, async () => {
    await stream.exchange("CDS", [edsCluster("app", {service: "eds-name", lrs_server: {self: {}}}),
      cluster("other", there.port, {lrs_server: {api_config_source: service}})]);
    const second = await own.stream();
    await second.next();
    second.order(kAll);
    await second.next();
    await ask("/other/", 3);
    await says(second, "other", (sum) => assert.equal(sum.success, 3));
    assert.equal(second.total("app").issued, 0);
    assert.equal(load.total("other").issued, 0);
  });
  await check(`${variant}: the stream ends with the last cluster that wants it`, async () => {
    await stream.exchange("CDS", [edsCluster("app", {service: "eds-name"}),
      cluster("other", there.port)]);
    await stream.exchange("EDS", [assignment("eds-name", there.port)]);
    await eventually(() => load.ended && own.streams.every((one) => one.ended));
    await ask("/", 1);
  });
  await check(`${variant}: a source that is no gRPC service is refused`, async () => {
    const nack = await stream.exchange("CDS", [edsCluster("app", {service: "eds-name"}),
      cluster("other", there.port, {lrs_server: {path_config_source: {path: "/x"}}})]);
    assert.match(nack.error.message, /other: lrs_server: .*no gRPC service/);
  });
  await close();
  own.stop();
}

// ---- what is refused ----

for (const [name, place, error, change] of [
  ["self in the bootstrap", "clusters[1].lrs_server", /comes from no server/, (config) => {
    config.static_resources.clusters[1].lrs_server = {self: {}};
  }],
  ["a cluster that there is not", "grpc_services[0].envoy_grpc.cluster_name", /no cluster 'x'/,
    (config) => {
      config.cluster_manager.load_stats_config = {...service,
        grpc_services: [{envoy_grpc: {cluster_name: "x"}}]};
    }],
  ["REST", "load_stats_config.api_type", /over gRPC alone/, (config) => {
    config.cluster_manager.load_stats_config = {api_type: "REST", transport_api_version: "V3",
      cluster_names: ["reports"], refresh_delay: "1s"};
  }],
]) {
  await check("refused with its place: " + name, async () => {
    const config = bootstrap(1), file = join(home, "refused.json");
    change(config);
    writeFileSync(file, JSON.stringify(config));
    const {stdout} = spawnSync(process.argv[2], ["--mode", "validate", "--output", "json", "-c",
      file], {encoding: "utf8"});
    const found = JSON.parse(stdout).diagnostics;
    assert.equal(found.length, 1, stdout);
    assert.ok(found[0].path.endsWith(place), found[0].path);
    assert.match(found[0].message, error);
  });
}

for (const {server} of [there, spare]) {
  server.closeAllConnections();
  server.close();
}
finish();
