// What control planes that exist send, by hand in shapes/: all of it is acknowledged and serves;
// and types that nobody has are refused by name. A bootstrap as one of them writes it.
//
// usage: node shapes_test.mjs WEIR PROTOS
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {readdirSync, readFileSync} from "node:fs";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {ControlPlane} from "./control_plane.mjs";
import {checked, HealthServer, often} from "./health_server.mjs";
import {Snapshot} from "./snapshot.mjs";
import {chain, cluster, inline, listener, manager, router, socket} from "./resources.mjs";
import {body, certificate, check, eventually, finish, freePort, protos, Proxy, upstream, world} from
  "./world.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "shapes");
const app = await upstream("app");

// `more`: what stands for other words that begin with a dollar.
function read(file, port, more = {}) {
  let text = readFileSync(join(folder, file), "utf8");
  for (const [word, value] of Object.entries({PORT: port, UPSTREAM: app.port, ...more}))
    text = text.replaceAll("$" + word, value);
  return JSON.parse(execFileSync("/usr/bin/python3",
    ["-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"],
    {input: text}));
}

for (const variant of ["sotw", "delta"]) {
  const {plane, proxy, close} = await world(variant);
  const snapshot = new Snapshot(plane);
  const refusals = [];
  plane.listeners.push((_, {type, error}) => { if (error) refusals.push(type, error.message); });
  await proxy.serves();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".yaml")).sort())
    await check(`${variant}: ${file} is acknowledged as a whole, and serves`, async () => {
      const port = await freePort(), shape = read(file, port);
      for (const type of ["EDS", "RDS"]) snapshot.set(type, ...shape[type] ?? []);
      refusals.length = 0;
      try {
        for (const type of ["CDS", "LDS"]) {
          snapshot.set(type, ...shape[type]);
          const {error} = await snapshot.push(type);
          assert.equal(error?.message, undefined);
        }
        await eventually(async () => await body(port, {path: "/api"}) === "app",
          "it does not serve: " + refusals.join(" "));
        assert.deepEqual(refusals, []);
      } finally {
        for (const type of ["LDS", "CDS"]) {
          snapshot.remove(type, ...shape[type].map(({name}) => name));
          await snapshot.push(type);
        }
      }
    });

  const port = await freePort();
  const filter = (name) => ({name: "x", typed_config: {"@type": "type.googleapis.com/" + name}});
  const unknown = {
    "istio.alpn": {filters: [manager({...inline("app"), http_filters: [
      filter("istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"),
      {name: "router", typed_config: router}]})]},
    "wasm": {filters: [manager({...inline("app"), http_filters: [
      filter("envoy.extensions.filters.http.wasm.v3.Wasm"), {name: "router",
        typed_config: router}]})]},
    "a transport socket": chain(inline("app"), {transport_socket:
      filter("envoy.extensions.transport_sockets.alts.v3.Alts")}),
  };
  for (const [name, one] of Object.entries(unknown))
    await check(`${variant}: a type that is not there is refused by name: ${name}`, async () => {
      snapshot.set("LDS", listener("unknown", port, one));
      const {error} = await snapshot.push("LDS");
      const type = JSON.stringify(one).match(/googleapis.com.(istio[\w.]+|[\w.]+(Wasm|Alts))/)[1];
      assert.ok(error.message.startsWith("unknown: "), error.message);
      assert.ok(error.message.includes(type), error.message);
      snapshot.remove("LDS", "unknown");
      await snapshot.push("LDS");
    });
  await close();
}

await check("Kuma's bootstrap: ADS and HDS over TLS, and the health checks that it orders", async () => {
  const pair = certificate("localhost"), health = new HealthServer(protos);
  const plane = new ControlPlane(protos, [health], pair);
  await plane.start();
  const snapshot = new Snapshot(plane), port = await freePort(), shape = read("kuma.yaml", port);
  for (const type of ["CDS", "LDS"]) snapshot.set(type, ...shape[type]);
  const proxy = new Proxy(read("bootstraps/kuma.yaml", port, {CONTROL: plane.port,
    AUTHORITY: Buffer.from(pair.cert).toString("base64")}));
  await proxy.serves();
  await eventually(async () => await body(port, {path: "/api"}) === "app");
  const stream = await health.stream();
  const {health_check_request: first} = await stream.next();
  assert.equal(first.node.id, "default.app-1");
  assert.deepEqual(stream.call.metadata.get("authorization"), ["token"]);
  await proxy.admin("/ready");
  const admin = Number(readFileSync(proxy.addressFile, "utf8").split(":").pop());
  stream.order({interval: "0.1s", cluster_health_checks: [
    checked("kuma:envoy:admin", often({http_health_check: {path: "/ready"}}), [socket(admin)]),
    checked("localhost:8080", often({tcp_health_check: {}}), [socket(app.port)],
      {upstream_bind_config: {source_address: {address: "127.0.0.6", port_value: 0}}})]});
  await eventually(() => {
    assert.deepEqual(stream.statuses(), {[`kuma:envoy:admin/z/${admin}`]: "HEALTHY",
      [`localhost:8080/z/${app.port}`]: "HEALTHY"});
    return true;
  });
  await proxy.stop();
  plane.stop();
});

app.closeAllConnections();
app.close();
finish();
