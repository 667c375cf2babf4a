// What goes wrong in a hot restart harms nobody.
//
// usage: node faults_test.mjs WEIR
import assert from "node:assert/strict";
import {existsSync, readFileSync} from "node:fs";
import net from "node:net";

import {Load, startUpstream} from "./clients.mjs";
import {accepts, alive, baseId, eventually, freePort, get, run, sleep, start, startProxy, upgrade,
  writeConfig} from "./proxy.mjs";

const app = await startUpstream();

async function scene() {
  const [port, admin] = [await freePort(), await freePort()];
  const config = writeConfig("faults",
    {listeners: [{name: "front", port}], admin, app: app.address().port});
  const base = ["--base-id", String(baseId), "--drain-time-s", "1", "-l", "warning"];
  return {port, admin, config, base};
}

await run({
  async "a successor that is refused"() {
    const {port, admin, config, base} = await scene();
    const proxy = await startProxy(port, ["-c", config, ...base, "--concurrency", "1"]);
    const load = new Load(port);
    const bad = await upgrade("--", "-c", "/nowhere/at/all.yaml", ...base);
    assert.equal(bad.status, 1);
    assert.match(bad.err, /nowhere\/at\/all\.yaml/);
    assert.match(bad.err, /serves on/);
    // It starts, but a port of its own is taken.
    const taken = net.createServer();
    await new Promise((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const blocked = writeConfig("blocked", {admin, app: app.address().port, listeners:
      [{name: "front", port}, {name: "more", port: taken.address().port}]});
    const late = await upgrade("--", "-c", blocked, ...base);
    assert.equal(late.status, 1);
    assert.match(late.err, /listener 'more' cannot bind/);
    taken.close();
    assert.ok(alive(proxy.pid));
    assert.equal((await get(admin, "/ready")).body, "LIVE\n");
    const good = await upgrade();
    assert.equal(good.status, 0, good.err);
    assert.equal(await proxy.ended, 0);
    await load.stop();
    assert.deepEqual(load.failures, []);
  },

  async "successors that are killed while they start"() {
    const {port, admin, config, base} = await scene();
    const proxy = await startProxy(port, ["-c", config, ...base, "--concurrency", "1"]);
    const load = new Load(port);
    let killed = 0;
    for (let delay = 0; delay < 200; delay += 5) {
      const failures = load.failures.length;
      const log = `${config}.${delay}.log`;
      const child = start(["-c", config, ...base, "--concurrency", "2", "--restart-epoch", "1",
        "-l", "info", "--log-path", log]);
      await sleep(delay);
      // Who answers the admin port is who serves.
      const {body} = await get(admin, "/server_info").catch(() => ({body: "{}"}));
      child.kill("SIGKILL");
      await child.ended;
      await sleep(20);
      if (JSON.parse(body).command_line_options?.restart_epoch !== 0) break;  // it took over
      if (proxy.exitCode !== null || !(await accepts(port))) break;           // it just did
      // It was about to: what had come in to it ended with it.
      if (existsSync(log) && readFileSync(log, "utf8").includes("serving with")) break;
      assert.deepEqual(load.failures.slice(failures), []);
      ++killed;
    }
    await load.stop();
    assert.ok(killed > 0);
  },

  async "a process that is killed while its successor starts"() {
    for (const delay of [0, 5, 10, 20, 40, 80]) {
      const {port, admin, config, base} = await scene();
      const proxy = await startProxy(port, ["-c", config, ...base, "--concurrency", "2"]);
      const child = start(["-c", config, ...base, "--restart-epoch", "1",
        "--skip-hot-restart-on-no-parent"]);
      await sleep(delay);
      proxy.kill("SIGKILL");
      await proxy.ended;
      await eventually("the successor serves", () => get(port).then(() => true, () => false));
      await eventually("its admin port answers", () =>
        get(admin, "/ready").then(({body}) => body === "LIVE\n", () => false));
      child.kill("SIGTERM");
      assert.equal(await child.ended, 0);
    }
  },

  async "a successor without anybody to follow"() {
    const {config, base} = await scene();
    const child = start(["-c", config, ...base, "--restart-epoch", "1"]);
    assert.equal(await child.ended, 1);
    const none = await upgrade();
    assert.equal(none.status, 1);
    assert.match(none.err, /no weir with base id/);
  },

  async "a wait that is longer than there may be"() {
    for (const seconds of ["0", "86401", "9223372036854775807"]) {
      const long = await upgrade("--wait-s", seconds);
      assert.equal(long.status, 2);
      assert.match(long.err, /cannot use '--wait-s' with the value/);
    }
    assert.equal((await upgrade("--wait-s", "86400")).status, 1, "there is nobody to follow");
  },

  async "two processes of one base id"() {
    const {port, config, base} = await scene();
    await startProxy(port, ["-c", config, ...base]);
    const other = writeConfig("other", {listeners: [{name: "front", port: await freePort()}],
      admin: await freePort(), app: app.address().port});
    assert.equal(await start(["-c", other, ...base]).ended, 1, "asked for, and not to be had");
  },
});
