// What control planes that exist send, by hand in shapes/: all of it is acknowledged and serves;
// and types that nobody has are refused by name.
//
// usage: node shapes_test.mjs WEIR PROTOS
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {readdirSync, readFileSync} from "node:fs";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {Snapshot} from "./snapshot.mjs";
import {chain, cluster, inline, listener, manager, router} from "./resources.mjs";
import {body, check, eventually, finish, freePort, upstream, world} from "./world.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "shapes");
const app = await upstream("app");

function read(file, port) {
  const text = readFileSync(join(folder, file), "utf8").replaceAll("$PORT", port)
    .replaceAll("$UPSTREAM", app.port);
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
app.closeAllConnections();
app.close();
finish();
