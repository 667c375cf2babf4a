// What Istio sends with its own extensions: refused by name, with the option that leaves them out;
// with that option, or from a node that says it is Istio's, acknowledged as a whole and served.
//
// usage: node istio_test.mjs WEIR PROTOS
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {readFileSync} from "node:fs";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {ControlPlane} from "./control_plane.mjs";
import {bootstrap} from "./resources.mjs";
import {Snapshot} from "./snapshot.mjs";
import {body, check, eventually, finish, freePort, protos, Proxy, upstream} from "./world.mjs";

const file = join(dirname(fileURLToPath(import.meta.url)), "istio", "sidecar.yaml");
const app = await upstream("app");

// Of Istio's bootstrap: tags by expressions that look ahead.
const statsConfig = {use_all_default_tags: false, stats_tags: [
  {tag_name: "cluster_name", regex: "^cluster\\.((.+?(\\..+?\\.svc\\.cluster\\.local)?)\\.)"},
  {tag_name: "http_conn_manager_listener_prefix",
    regex: "^listener(?=\\.).*?\\.http\\.(((?:[_.[:digit:]]*|[_\\[\\]aAbBcCdDeEfF[:digit:]]*))\\.)"}],
stats_matcher: {inclusion_list: {patterns: [{prefix: "cluster_manager"}]}}};

function read(ports) {
  let text = readFileSync(file, "utf8").replaceAll("$UPSTREAM", app.port);
  for (const [name, port] of Object.entries(ports)) text = text.replaceAll("$" + name, port);
  return JSON.parse(execFileSync("/usr/bin/python3",
    ["-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"],
    {input: text}));
}

async function begin(variant, {flags = [], metadata = {}, more = {}} = {}) {
  const plane = new ControlPlane(protos), snapshot = new Snapshot(plane);
  const ports = {OUTBOUND: await freePort(), INBOUND: await freePort()}, shape = read(ports);
  const errors = [];
  plane.listeners.push((_, {error}) => { if (error) errors.push(error.message); });
  for (const [type, list] of Object.entries(shape)) snapshot.set(type, ...list);
  await plane.start();
  const config = bootstrap({api_type: variant === "delta" ? "DELTA_GRPC" : "GRPC",
    port: plane.port});
  Object.assign(config.node.metadata, metadata);
  const proxy = new Proxy({...config, ...more}, {flags});
  return {proxy, ports, errors, close: async () => {
    await proxy.stop();
    plane.stop();
  }};
}

const istio = {metadata: {ISTIO_VERSION: "1.24.0"}};
for (const variant of ["sotw", "delta"])
  for (const [text, how] of [["--istio-compat", {flags: ["--istio-compat"]}],
    ["a node with ISTIO_VERSION", istio]]) {
    const {proxy, ports, errors, close} = await begin(variant, how);
    await check(`${variant}: ${text}: a sidecar is acknowledged as a whole, and serves`, async () => {
      await proxy.serves();
      for (const port of Object.values(ports))
        await eventually(async () => await body(port) === "app").catch((error) => {
          throw new Error(`${error.message}; refused: ${errors}`);
        });
      assert.deepEqual(errors, []);
      assert.match(proxy.log, /'stats\.PluginConfig' is Istio's own, and left out/);
    });
    await close();
  }

{
  const {proxy, errors, close} = await begin("delta");
  await check("without the option each of Istio's types is refused by name, with a hint",
    async () => {
      for (const type of ["envoy.tcp.metadataexchange.config.MetadataExchange",
        "io.istio.http.peer_metadata.Config", "io.istio.network.authn.Config", "stats.PluginConfig",
        "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"])
        await eventually(() => errors.some((error) => error.split("\n").some((line) =>
          line.includes(`'${type}'`) && line.includes("--istio-compat"))), `${type}: ${errors}`);
    });
  await proxy.stop();
  await close();
}

{
  const {proxy, close} = await begin("delta", {...istio, more: {stats_config: statsConfig}});
  await check("stats_tags that look ahead are left out with a warning, the others count",
    async () => {
      await proxy.serves();
      assert.match(proxy.log, /warning: the tag 'http_conn_manager_listener_prefix' is left out/);
      assert.ok(!proxy.log.includes("'cluster_name'"));
    });
  await close();
}
app.closeAllConnections();
app.close();
finish();
