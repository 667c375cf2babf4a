// A stream of its own for each type (ApiConfigSource with GRPC or DELTA_GRPC, no ADS), as control
// planes of one type at a time serve it; and one of them that goes away.
import assert from "node:assert/strict";
import {ControlPlane} from "./control_plane.mjs";
import {assignment, chain, cluster, edsCluster, grpcSource, http2, listener, rds, routes, secret,
  socket, tls, upstreamTls} from "./resources.mjs";
import {certificate, check, eventually, finish, freePort, get, protos, Proxy, upstream} from
  "./world.mjs";
import https from "node:https";

const kTypes = ["CDS", "EDS", "LDS", "RDS", "SDS"];
const app = await upstream("app"), other = await upstream("other");

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const source = (type) => grpcSource(type, variant === "delta" ? "DELTA_GRPC" : "GRPC");
  const port = await freePort();
  const planes = {};
  for (const type of kTypes) {
    planes[type] = new ControlPlane(protos);
    await planes[type].start();
  }
  const fast = {retry_policy: {retry_back_off: {base_interval: "0.1s", max_interval: "0.5s"}}};
  const from = (type) => {
    const out = source(type);
    Object.assign(out.api_config_source.grpc_services[0].envoy_grpc, fast);
    return out;
  };
  const proxy = new Proxy({
    node: {id: "node-1", cluster: "fleet"},
    admin: {address: socket(0)},
    dynamic_resources: {cds_config: from("CDS"), lds_config: from("LDS")},
    static_resources: {clusters: kTypes.map((type) =>
      cluster(type, planes[type].port, {typed_extension_protocol_options: http2}))},
  });
  const streams = {};
  const resources = {
    CDS: [edsCluster("app", {source: from("EDS")})],
    EDS: [assignment("app", app.port)],
    LDS: [listener("front", port, chain(rds("front", undefined, from("RDS")),
      tls("cert", {source: from("SDS")})))],
    RDS: [routes("front", "app")],
    SDS: [secret("cert", certificate("own.test"))],
  };
  const ask = async () => (await get(port, {module: https, rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"]})).body;

  await told("each type comes over a stream of its own service", async () => {
    for (const type of kTypes) {
      streams[type] = await planes[type].stream(type);
      const first = await streams[type].next(type);
      assert.equal(first.node.id, "node-1");
      const names = {EDS: ["app"], RDS: ["front"], SDS: ["cert"]}[type] ?? [];
      assert.deepEqual(first.names ?? first.subscribe, names);
      const ack = await streams[type].exchange(type, resources[type], {version: type + "-1"});
      assert.equal(ack.error, null);
    }
    await eventually(async () => await ask() === "app");
    for (const type of kTypes) {
      assert.equal(planes[type].streams.length, 1);
      assert.ok(streams[type].requests.every((one) => one.type === type));
    }
    const {control_planes} = JSON.parse(await proxy.admin("/config_status"));
    assert.equal(control_planes.filter((one) => one.connected).length, 5);
  });
  await told("what one of them refuses is refused there alone", async () => {
    const nack = await streams.CDS.exchange("CDS", [...resources.CDS,
      cluster("bad", 1, {connect_timeout: "-1s"})], {version: "CDS-2"});
    assert.match(nack.error.message, /bad: .*connect_timeout/);
    for (const type of ["EDS", "LDS", "RDS", "SDS"]) await streams[type].nothing(type, 100);
    await streams.CDS.exchange("CDS", resources.CDS, {version: "CDS-3"});
    assert.equal(await ask(), "app");
  });
  await told("one that goes away stops nothing, and is asked from where it was", async () => {
    planes.EDS.stop();
    await eventually(async () => JSON.parse(await proxy.admin("/config_status")).control_planes
      .filter((one) => one.connected).length === 4);
    assert.equal(await ask(), "app");
    await streams.RDS.exchange("RDS", [routes("front", {body: "new"})], {version: "RDS-2"});
    await eventually(async () => await ask() === "new");
    await planes.EDS.start();
    streams.EDS = await planes.EDS.stream("EDS");
    const again = await streams.EDS.next("EDS");
    assert.equal(again.nonce, "");
    if (variant === "sotw") assert.equal(again.version, "EDS-1");
    else assert.deepEqual(again.initial, {app: "EDS-1"});
    await streams.EDS.exchange("EDS", [assignment("app", other.port)], {version: "EDS-2"});
    await streams.RDS.exchange("RDS", resources.RDS, {version: "RDS-3"});
    await eventually(async () => await ask() === "other");
  });
  await told("a cluster that goes takes its stream's subscription along", async () => {
    await streams.CDS.exchange("CDS", [], {version: "CDS-4",
      removed: ["app"]});
    const seen = streams.EDS.requests.length;
    await streams.CDS.exchange("CDS", resources.CDS, {version: "CDS-5"});
    await eventually(() => streams.EDS.requests.slice(seen).some((one) =>
      (one.names ?? one.subscribe).includes("app")));
    await streams.EDS.exchange("EDS", resources.EDS, {version: "EDS-3"});
    await eventually(async () => await ask() === "app");
  });
  await proxy.stop();
  for (const type of kTypes) planes[type].stop();

  await told("listeners and clusters of the bootstrap may ask one beside them", async () => {
    const plane = {}, at = await freePort();
    // Says who asks it.
    const secure = https.createServer({...certificate("app.test"), requestCert: true,
      rejectUnauthorized: false}, (request, response) =>
      response.end(request.socket.getPeerCertificate().subject?.CN ?? "nobody"));
    await new Promise((resolve) => secure.listen(0, "127.0.0.1", resolve));
    for (const type of ["RDS", "SDS"]) await (plane[type] = new ControlPlane(protos)).start();
    const own = new Proxy({
      node: {id: "node-1", cluster: "fleet"},
      admin: {address: socket(0)},
      static_resources: {
        listeners: [listener("front", at, chain(rds("front", undefined, from("RDS")),
          tls("cert", {source: from("SDS")})))],
        clusters: [cluster("app", secure.address().port, upstreamTls("client", from("SDS"))),
          ...Object.keys(plane).map((type) =>
            cluster(type, plane[type].port, {typed_extension_protocol_options: http2}))],
      },
    });
    const started = Date.now();
    const sent = {RDS: resources.RDS,
      SDS: [...resources.SDS, secret("client", certificate("client.test"))]};
    for (const type of ["RDS", "SDS"]) {
      const stream = await plane[type].stream(type);
      const first = await stream.next(type);
      if (type === "SDS")
        assert.deepEqual([...(first.names ?? first.subscribe)].sort(), ["cert", "client"]);
      assert.equal((await stream.exchange(type, sent[type])).error, null);
    }
    await eventually(async () => (await get(at, {module: https, rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"]})).body === "client.test");
    // Names of clusters are waited for that long before a control plane is asked.
    assert.ok(Date.now() - started < 5000, "it is asked at once");
    await own.stop();
    secure.closeAllConnections();
    secure.close();
    for (const one of Object.values(plane)) one.stop();
  });
}

for (const server of [app, other]) {
  server.closeAllConnections();
  server.close();
}
finish();
