// A control plane that is killed, stopped, silent or flapping: requests go on as before, and what
// changed meanwhile is there within one back-off after it is back.
//
// usage: node outages_test.mjs WEIR PROTOS sotw|delta
// XDS_OUTAGE_S: how long each outage lasts (2); the flapping lasts four times as long.
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {readFileSync, renameSync, writeFileSync} from "node:fs";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {ControlPlane, sleep} from "./control_plane.mjs";
import {bootstrap, chain, cluster, listener, rds, routes} from "./resources.mjs";
import {Snapshot} from "./snapshot.mjs";
import {keepAlive, newConnections, overHttp2, Traffic} from "./traffic.mjs";
import {atExit, body, check, eventually, finish, freePort, home, protos, Proxy, upstream} from
  "./world.mjs";

const variant = process.argv[4];
const outage_s = Number(process.env.XDS_OUTAGE_S ?? 2);
// The longest back-off that the bootstrap allows, and what a busy machine adds to it.
const kBackOffMs = 1000, kSlackMs = 4000;

const here = dirname(fileURLToPath(import.meta.url));
const app = await upstream("app");
const front = await freePort(), probe = await freePort(), port = await freePort();
const file = join(home, "resources.json");

const resources = (version) => ({
  CDS: [cluster("app", app.port)],
  LDS: [listener("front", front, chain(rds("front"))), listener("probe", probe,
    chain(rds("probe")))],
  RDS: [routes("front", "app"), routes("probe", {body: `version ${version}`})],
});

// Never half written: the other process looks at any time.
function say(version) {
  writeFileSync(file + ".new", JSON.stringify(resources(version)));
  renameSync(file + ".new", file);
}

async function startControl() {
  const control = spawn(process.execPath, [join(here, "snapshot.mjs"), process.argv[3],
    `127.0.0.1:${port}`, file], {stdio: ["ignore", "pipe", "inherit"]});
  atExit(() => control.kill("SIGKILL"));
  await once(control.stdout, "data");
  control.stdout.resume();
  return control;
}

async function kill(control) {
  control.kill("SIGKILL");
  await once(control, "exit");
}

const recovers = (version, ms = kBackOffMs + kSlackMs) => eventually(
  async () => await body(probe) === `version ${version}`, `version ${version} is not there`, ms);

// Requests all through what `happens`.
async function under(name, happens) {
  const traffic = new Traffic(80);
  traffic.add("HTTP/1 kept", 0.5, keepAlive(front));
  traffic.add("HTTP/1 new", 0.2, newConnections(front));
  traffic.add("HTTP/2", 0.3, overHttp2(`http://127.0.0.1:${front}`));
  await check(name, async () => {
    traffic.start();
    try {
      await happens();
    } finally {
      await traffic.stop();
    }
    assert.deepEqual(traffic.failures(), []);
    assert.ok(traffic.asked > 50, `${traffic.asked} requests`);
  });
}

say(1);
let control = await startControl();
const proxy = new Proxy(bootstrap({api_type: variant === "delta" ? "DELTA_GRPC" : "GRPC", port}));
await proxy.serves();
await recovers(1);

await under(`${variant}: killed, and started again`, async () => {
  await kill(control);
  say(2);
  await sleep(outage_s * 1000);
  assert.equal(await body(probe), "version 1");
  assert.equal(await proxy.stat("control_plane.connected_state"), 0);
  control = await startControl();
  await recovers(2);
  assert.equal(await proxy.stat("control_plane.connected_state"), 1);
});

await under(`${variant}: stopped by SIGSTOP, and continued`, async () => {
  control.kill("SIGSTOP");
  say(3);
  await sleep(outage_s * 1000);
  assert.equal(await body(probe), "version 2");
  control.kill("SIGCONT");
  await recovers(3);
});

await under(`${variant}: half-open: connections are accepted, nothing is said`, async () => {
  await kill(control);
  const silent = new ControlPlane(protos);
  silent.address = `127.0.0.1:${port}`;
  await silent.startSilent();
  await eventually(() => silent.sockets.size > 0, "it does not try again");
  say(4);
  await sleep(outage_s * 1000);
  assert.ok(silent.sockets.size <= 3, `${silent.sockets.size} connections`);
  assert.equal(await body(probe), "version 3");
  await silent.stopSilent();
  control = await startControl();
  await recovers(4);
});
await kill(control);

await under(`${variant}: flapping each second`, async () => {
  const plane = new ControlPlane(protos), snapshot = new Snapshot(plane);
  plane.versions = 1000;
  for (const [type, list] of Object.entries(JSON.parse(readFileSync(file, "utf8"))))
    snapshot.set(type, ...list);
  for (let i = 0; i < 4 * outage_s; ++i) {
    snapshot.set("RDS", routes("probe", {body: `version ${100 + i}`}));
    await plane.start(`127.0.0.1:${port}`);
    await sleep(500);
    plane.stop();
    await sleep(500);
  }
  snapshot.set("RDS", routes("probe", {body: "version 5"}));
  await plane.start(`127.0.0.1:${port}`);
  await recovers(5);
  plane.stop();
});
await proxy.stop();
finish();
