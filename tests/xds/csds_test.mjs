// What a proxy tells of itself: the ClientStatusDiscoveryService on its admin port, called by npm's
// @grpc/grpc-js, and the same as JSON.
import assert from "node:assert/strict";
import {createRequire} from "node:module";
import http2 from "node:http2";
import {readFileSync} from "node:fs";
import {assignment, chain, cluster, edsCluster, listener, rds, routes, secret, tls} from
  "./resources.mjs";
import {certificate, check, eventually, finish, freePort, protos, upstream, world} from "./world.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");
const kService = "envoy.service.status.v3.ClientStatusDiscoveryService";
const kStatus = "envoy.service.status.v3.";
const bytes = (message) => message;

class Caller {
  constructor(port) {
    this.client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  }

  fetch(request = {}, method = "FetchClientStatus") {
    return new Promise((resolve, reject) => this.client.makeUnaryRequest(`/${kService}/${method}`,
      bytes, bytes, protos.encode(kStatus + "ClientStatusRequest", request),
      (error, reply) => error ? reject(error) : resolve(this.decode(reply))));
  }

  stream() {
    return this.client.makeBidiStreamRequest(`/${kService}/StreamClientStatus`, bytes, bytes);
  }

  decode(reply) {
    const {config} = protos.decode(kStatus + "ClientStatusResponse", reply);
    assert.equal(config.length, 1);
    return config[0];
  }
}

const find = (config, type, name) => config.generic_xds_configs.find((one) =>
  one.type_url.endsWith("." + type) && one.name === name);
const content = (entry, type) => protos.decode(type, entry.xds_config.value);

for (const variant of ["sotw", "delta"]) {
  const {plane, proxy, close} = await world(variant);
  const app = await upstream("app"), port = await freePort();
  const told = (text, what) => check(`${variant}: ${text}`, what);
  await proxy.admin("/ready");
  const adminPort = Number(readFileSync(proxy.addressFile, "utf8").split(":").pop());
  const caller = new Caller(adminPort);
  const stream = await plane.stream();

  await told("before anything came, what was asked for is REQUESTED", async () => {
    await stream.next("CDS");
    await stream.exchange("CDS", [edsCluster("app")], {version: "c1"});
    await stream.next("EDS");
    const config = await caller.fetch();
    assert.equal(config.node.id, "node-1");
    assert.equal(config.node.user_agent_name, "weir");
    assert.equal(find(config, "ClusterLoadAssignment", "app").client_status, "REQUESTED");
    const warming = find(config, "Cluster", "app");
    assert.equal(warming.client_status, "ACKED");
    assert.equal(warming.version_info, "c1");
    assert.ok(find(config, "Cluster", "control").is_static_resource);
  });
  await told("what is in force is ACKED, with version, time and content", async () => {
    await stream.exchange("EDS", [assignment("app", app.port)], {version: "e1"});
    await stream.next("LDS");
    await stream.exchange("LDS", [listener("front", port, chain(rds("front"), tls("cert")))],
      {version: "l1"});
    await stream.exchange("RDS", [routes("front", "app")], {version: "r1"});
    await stream.exchange("SDS", [secret("cert", certificate("csds.test"))], {version: "s1"});
    await proxy.serves();
    const config = await caller.fetch();
    for (const [type, name, version] of [["Cluster", "app", "c1"],
      ["ClusterLoadAssignment", "app", "e1"], ["Listener", "front", "l1"],
      ["RouteConfiguration", "front", "r1"], ["Secret", "cert", "s1"]]) {
      const entry = find(config, type, name);
      assert.equal(entry.client_status, "ACKED", type);
      assert.equal(entry.version_info, version);
      assert.ok(Math.abs(entry.last_updated.seconds - Date.now() / 1000) < 60);
      assert.ok(entry.xds_config.type_url.endsWith("." + type));
    }
    assert.equal(content(find(config, "Cluster", "app"), "envoy.config.cluster.v3.Cluster").name,
      "app");
  });
  await told("secrets are redacted", async () => {
    const {xds_config} = find(await caller.fetch(), "Secret", "cert");
    const text = Buffer.from(xds_config.value).toString("latin1");
    assert.ok(text.includes("[redacted]") && !text.includes("PRIVATE KEY"));
  });
  await told("what was refused is NACKED, with the reason beside what is in force", async () => {
    await stream.exchange("CDS", [edsCluster("app", {connect_timeout: "-1s"})], {version: "c2"});
    const entry = find(await caller.fetch(), "Cluster", "app");
    assert.equal(entry.client_status, "NACKED");
    assert.equal(entry.version_info, "c1");
    assert.match(entry.error_state.details, /connect_timeout/);
    assert.equal(entry.error_state.version_info, "c2");
    assert.ok(Math.abs(entry.error_state.last_update_attempt.seconds - Date.now() / 1000) < 60);
    assert.equal(content(entry, "envoy.config.cluster.v3.Cluster").connect_timeout.seconds, 2);
    await stream.exchange("CDS", [edsCluster("app")], {version: "c3"});
    const after = find(await caller.fetch(), "Cluster", "app");
    assert.equal(after.client_status, "ACKED");
    assert.equal(after.error_state, null);
  });
  await told("exclude_resource_contents leaves them out", async () => {
    const config = await caller.fetch({exclude_resource_contents: true});
    assert.ok(config.generic_xds_configs.length >= 5);
    for (const entry of config.generic_xds_configs) assert.equal(entry.xds_config, null);
  });
  await told("node_matchers, and methods that there are not, are refused", async () => {
    await assert.rejects(caller.fetch({node_matchers: [{}]}), {code: grpc.status.INVALID_ARGUMENT});
    await assert.rejects(caller.fetch({}, "Nothing"), {code: grpc.status.UNIMPLEMENTED});
  });
  await told("StreamClientStatus answers each request", async () => {
    const call = caller.stream();
    const replies = [];
    const ended = new Promise((resolve) => call.on("status", resolve));
    call.on("data", (reply) => replies.push(caller.decode(reply))).on("error", () => {});
    for (let i = 1; i <= 3; ++i) {
      call.write(Buffer.alloc(0));
      await eventually(() => replies.length === i);
    }
    await stream.exchange("CDS", [edsCluster("app", {connect_timeout: "3s"})], {version: "c4"});
    await stream.exchange("EDS", [assignment("app", app.port)], {version: "e2"});
    call.write(Buffer.alloc(0));
    await eventually(() => replies.length === 4);
    assert.equal(find(replies[3], "Cluster", "app").version_info, "c4");
    call.end();
    assert.equal((await ended).code, grpc.status.OK);
  });
  await told("a client that floods it with requests is turned away", async () => {
    const call = caller.stream();
    const ended = new Promise((resolve) => call.on("status", resolve));
    call.on("error", () => {}).pause();
    for (let i = 0; i < 2000; ++i) call.write(Buffer.alloc(0));
    call.resume();
    call.end();
    assert.equal((await ended).code, grpc.status.RESOURCE_EXHAUSTED);
    assert.equal((await caller.fetch()).node.id, "node-1");
  });
  await told("the same is there as JSON", async () => {
    const {config} = JSON.parse(await proxy.admin("/csds"));
    const entry = config[0].generic_xds_configs.find((one) => one.name === "front" &&
      one.type_url.endsWith(".Listener"));
    assert.equal(entry.client_status, "ACKED");
    assert.equal(entry.xds_config.name, "front");
    assert.ok(!(await proxy.admin("/csds?exclude_resource_contents")).includes('"xds_config"'));
  });
  await told("other admin requests come over HTTP/2 too; a web page's do not", async () => {
    const session = http2.connect(`http://127.0.0.1:${adminPort}`);
    const ask = (headers) => new Promise((resolve, reject) => {
      const request = session.request(headers);
      let status = 0, text = "";
      request.on("response", (head) => { status = head[":status"]; });
      request.on("data", (piece) => { text += piece; });
      request.on("end", () => resolve({status, text})).on("error", reject);
      request.end();
    });
    const ready = await ask({":path": "/ready"});
    assert.deepEqual(ready, {status: 200, text: "LIVE\n"});
    assert.equal((await ask({":path": "/ready", ":authority": "evil.example.com"})).status, 403);
    session.close();
  });
  caller.client.close();
  await close();
  app.close();
}

finish();
