// Hot restarts by `weir upgrade` under load, from two workers to one and back: nothing fails,
// nothing leaks, and every request is counted once.
//
// usage: node load_test.mjs WEIR; RESTARTS (20) in the environment says how many.
import assert from "node:assert/strict";

import {Load, Stream, startUpstream} from "./clients.mjs";
import {alive, baseId, eventually, freePort, get, openFiles, run, sleep, startProxy, stat, upgrade,
  writeConfig} from "./proxy.mjs";

const kRestarts = Number(process.env.RESTARTS ?? 20);

await run({
  async "restarts under load"() {
    const [port, admin, app] = [await freePort(), await freePort(), await startUpstream()];
    const config = writeConfig("load",
      {listeners: [{name: "front", port}], admin, app: app.address().port});
    const args = (workers) => ["-c", config, "--concurrency", String(workers), "--drain-time-s",
      "1", "--parent-shutdown-time-s", "60", "-l", "warning"];
    const first = await startProxy(port, ["--base-id", String(baseId), ...args(2)]);
    await sleep(300);
    const filesBefore = openFiles(first.pid);
    const countedBefore = await stat(admin, "http.front.downstream_rq_total");
    const load = new Load(port);
    const old = [];
    let pid = first.pid;
    let stream = await Stream.open(port);
    let streams = 1;
    let counted = 0;
    for (let i = 1; i <= kRestarts; ++i) {
      const {status, err, out, pid: next} = await upgrade("--", ...args(i % 2 === 1 ? 1 : 2));
      assert.equal(status, 0, err + out);
      old.push(pid);
      pid = next;
      assert.equal((await get(admin, "/ready")).body, "LIVE\n");
      const now = await stat(admin, "http.front.downstream_rq_total");
      assert.ok(now > counted, `counters went from ${counted} to ${now}`);
      counted = now;
      await stream.say("restart " + i);  // through a process that was replaced
      if (i % 3 === 0) {
        assert.ok(alive(old.at(-1)), "a process waits for its stream");
        await stream.close();
        stream = await Stream.open(port);
        ++streams;
      }
      await sleep(150);
    }
    await stream.say("last");
    await stream.close();
    await load.stop();
    assert.deepEqual(load.failures, []);
    assert.ok(load.good > kRestarts * 10, `only ${load.good} requests`);
    for (const one of old)
      await eventually(`process ${one} ends`, () => !alive(one));
    assert.equal(await stat(admin, "http2.tx_reset"), 0, "the proxy refused a stream");
    assert.ok(load.goaways.length > 1, "HTTP/2 connections were asked to end");
    assert.ok(load.goaways.slice(0, -1).every((count) => count > 0), "by GOAWAY");
    await eventually("all is counted, once", async () =>
      await stat(admin, "http.front.downstream_rq_total") ===
        countedBefore + load.good + streams);
    app.closeAllConnections();
    await eventually(`${filesBefore} descriptors are open as before; ${openFiles(pid)} are`,
      () => openFiles(pid) <= filesBefore);
    console.log(`${kRestarts} restarts, ${load.good} requests, ${load.closed} asked to close, ` +
      `${load.goaways.length} HTTP/2 connections, ${streams} websockets, none failed`);
  },
});
