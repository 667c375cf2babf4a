// A control plane that is polled over HTTP (api_type REST), of all types, over HTTP/1 and HTTP/2.
import assert from "node:assert/strict";
import {spawnSync} from "node:child_process";
import {writeFileSync} from "node:fs";
import {join} from "node:path";
import {sleep} from "./control_plane.mjs";
import {assignment, chain, cluster, edsCluster, http2, listener, rds, routes, secret, socket, tls}
  from "./resources.mjs";
import {RestPlane} from "./rest_plane.mjs";
import {body, certificate, check, eventually, finish, freePort, get, home, Proxy, upstream} from
  "./world.mjs";
import https from "node:https";

const kDelay = "0.1s";
const restSource = (more = {}) => ({resource_api_version: "V3", api_config_source: {
  api_type: "REST", transport_api_version: "V3", cluster_names: ["control"], refresh_delay: kDelay,
  request_timeout: "0.5s", ...more}});

const bootstrap = (port, more = {}) => ({
  node: {id: "node-1", cluster: "fleet"},
  admin: {address: socket(0)},
  dynamic_resources: {cds_config: restSource(), lds_config: restSource()},
  layered_runtime: {layers: [{name: "sent", rtds_layer: {name: "sent",
    rtds_config: restSource()}}]},
  static_resources: {clusters: [cluster("control", port, more)]},
});

const app = await upstream("app"), other = await upstream("other");
const pair = certificate("rest.test");

for (const protocol of ["http1", "http2"]) {
  const plane = new RestPlane(protocol);
  await plane.start();
  const port = await freePort();
  const source = restSource();
  const told = (text, what) => check(`${protocol}: ${text}`, what);
  const secure = (path = "/") => get(port, {path, module: https, rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"]}).then((answer) => answer.body);

  plane.set("CDS", "c1", [edsCluster("app", {source})]);
  plane.set("EDS", "e1", [assignment("app", app.port)]);
  plane.set("LDS", "l1", [listener("front", port,
    chain(rds("front", undefined, source), tls("cert", {source})))]);
  plane.set("RDS", "r1", [routes("front", "app")]);
  plane.set("SDS", "s1", [secret("cert", pair)]);
  plane.set("RTDS", "t1", [{name: "sent", layer: {answer: 42}}]);
  const proxy = new Proxy(bootstrap(plane.port,
    protocol === "http2" ? {typed_extension_protocol_options: http2} : {}));

  await told("LDS, RDS, CDS, EDS, SDS and RTDS are polled for, and serve", async () => {
    await proxy.serves();
    await eventually(async () => await secure() === "app");
    assert.match(await proxy.admin("/runtime"), /42/);
    assert.equal(await proxy.stat("cluster_manager.cds.update_success"), 1);
  });
  await told("a poll is a DiscoveryRequest as JSON with node, type, version and names", async () => {
    const poll = await plane.freshPoll("EDS");
    assert.equal(poll.method, "POST");
    assert.equal(poll.headers["content-type"], "application/json");
    assert.equal(poll.headers.host ?? poll.headers[":authority"], "control");
    assert.equal(poll.body.node.id, "node-1");
    assert.equal(poll.body.node.user_agent_name, "weir");
    assert.equal(poll.body.version_info, "e1");
    assert.deepEqual(poll.body.resource_names, ["app"]);
    assert.equal(poll.body.type_url,
      "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment");
    const all = await plane.freshPoll("CDS");
    assert.equal(all.body.resource_names, undefined);
  });
  await told("304 means unchanged", async () => {
    const updates = await proxy.stat("cluster_manager.cds.update_success");
    for (let i = 0; i < 3; ++i) await plane.freshPoll("CDS");
    assert.equal(await proxy.stat("cluster_manager.cds.update_success"), updates);
    assert.equal(await secure(), "app");
  });
  await told("a change is there after the next poll", async () => {
    plane.set("EDS", "e2", [assignment("app", other.port)]);
    await eventually(async () => await secure() === "other");
    plane.set("EDS", "e3", [assignment("app", app.port)]);
    await eventually(async () => await secure() === "app");
  });
  await told("refresh_delay passes between two polls, and no more than twice of it", async () => {
    let last = await plane.freshPoll("CDS");
    for (let i = 0; i < 5; ++i) {
      const next = await plane.poll("CDS");
      const waited = next.at - last.at;
      assert.ok(waited >= 90 && waited < 1000, `${waited} ms`);
      last = next;
    }
  });
  await told("what is refused is named in the next poll, and its siblings are applied", async () => {
    plane.set("CDS", "c2", [edsCluster("app", {source}), cluster("bad", 1,
      {connect_timeout: "-1s"}), cluster("second", app.port)]);
    const nack = await eventually(async () => {
      const poll = await plane.freshPoll("CDS");
      return poll.body.error_detail && poll;
    });
    assert.equal(nack.body.version_info, "c1");
    assert.match(nack.body.error_detail.message, /bad: .*connect_timeout/);
    assert.match(await proxy.admin("/clusters"), /second::/);
    assert.match(await proxy.admin("/config_status"), /connect_timeout/);
    plane.set("CDS", "c3", [edsCluster("app", {source})]);
    await eventually(async () => !(await proxy.admin("/clusters")).includes("second::"));
  });
  await told("errors of the server, silence and nonsense keep what is there", async () => {
    const answers = [async () => ({status: 503}), async () => ({status: 200, body: "{"}),
      async () => null, async () => ({status: 200, body: "x".repeat(1000)})];
    for (const answer of answers) {
      plane.answers.RDS = answer;
      for (let i = 0; i < 2; ++i) await plane.freshPoll("RDS");
      assert.equal(await secure(), "app");
    }
    assert.ok(await proxy.stat("xds.rds.update_failure") >= 2);
    plane.set("RDS", "r2", [routes("front", {body: "again"})]);
    await eventually(async () => await secure() === "again");
    assert.ok((proxy.log.match(/within 500 ms/g) ?? []).length === 1, "logged once: " + proxy.log);
  });
  await told("a control plane that is away is polled again when it is back", async () => {
    await plane.stop();
    await eventually(async () => /"connected": false/.test(await proxy.admin("/config_status")));
    await sleep(500);
    assert.equal(await secure(), "again");
    plane.set("RDS", "r3", [routes("front", {body: "back"})]);
    await plane.start();
    await eventually(async () => await secure() === "back");
    await eventually(async () => !/"connected": false/.test(await proxy.admin("/config_status")));
  });
  await proxy.stop();
  await plane.stop();
}

await check("a process starts to serve when a silent control plane has had its time", async () => {
  const plane = new RestPlane();
  await plane.start();
  const config = bootstrap(plane.port);
  delete config.layered_runtime;
  for (const one of ["cds_config", "lds_config"])
    config.dynamic_resources[one].initial_fetch_timeout = "0.3s";
  const proxy = new Proxy(config);
  await proxy.serves();
  assert.ok(await proxy.stat("cluster_manager.cds.init_fetch_timeout") >= 1);
  await proxy.stop();
  await plane.stop();
});

// ---- what is refused ----

function validate(config) {
  const file = join(home, "refused.json");
  writeFileSync(file, JSON.stringify(config));
  const {status, stdout} = spawnSync(process.argv[2], ["--mode", "validate", "--output", "json",
    "-c", file], {encoding: "utf8"});
  return status === 0 ? [] : JSON.parse(stdout).diagnostics;
}

// One error at `place`, whose message is like `error`.
function refusedAt(config, place, error) {
  const found = validate(config);
  assert.equal(found.length, 1, JSON.stringify(found));
  assert.ok(found[0].path.endsWith(place), found[0].path);
  assert.match(found[0].message, error);
}

const grpc_services = [{envoy_grpc: {cluster_name: "control"}}];
for (const [name, more, place, error] of [
  ["no cluster", {cluster_names: []}, ".cluster_names", /the name of one cluster/],
  ["two clusters", {cluster_names: ["control", "control"]}, ".cluster_names", /one cluster/],
  ["an unknown cluster", {cluster_names: ["nobody"]}, ".cluster_names[0]", /no cluster 'nobody'/],
  ["no refresh_delay", {refresh_delay: undefined}, ".refresh_delay", /positive time/],
  ["a refresh_delay of 0", {refresh_delay: "0s"}, ".refresh_delay", /positive time/],
  ["a gRPC service", {grpc_services}, ".grpc_services", /REST is no gRPC service/],
  ["cluster_names of GRPC", {api_type: "GRPC", grpc_services}, ".cluster_names", /are for REST/],
]) {
  await check("refused with its place: " + name, async () => {
    const config = bootstrap(1);
    config.dynamic_resources.cds_config = restSource(more);
    refusedAt(config, "cds_config.api_config_source" + place, error);
  });
}
await check("refused with its place: ADS by REST", async () => {
  const config = bootstrap(1);
  config.dynamic_resources.ads_config = restSource().api_config_source;
  refusedAt(config, "ads_config.api_type", /ADS is one stream/);
});
await check("accepted: REST as it is used here", async () => {
  assert.deepEqual(validate(bootstrap(1)), []);
});

for (const server of [app, other]) {
  server.closeAllConnections();
  server.close();
}
finish();
