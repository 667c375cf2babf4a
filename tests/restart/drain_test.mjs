// Draining without a restart.
//
// usage: node drain_test.mjs WEIR
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";

import {startUpstream} from "./clients.mjs";
import {accepts, eventually, freePort, get, run, sleep, startProxy, writeConfig} from "./proxy.mjs";

const app = await startUpstream();

async function scene(...args) {
  const [inside, outside, admin] = [await freePort(), await freePort(), await freePort()];
  const config = writeConfig("drain", {admin, app: app.address().port, listeners: [
    {name: "inside", port: inside, more: {traffic_direction: "INBOUND"}},
    {name: "outside", port: outside,
      more: {traffic_direction: "OUTBOUND", drain_type: "MODIFY_ONLY"}}]});
  const proxy = await startProxy(inside,
    ["-c", config, "--concurrency", "2", "--disable-hot-restart", ...args]);
  const post = async (path) => assert.equal((await get(admin, path, {method: "POST"})).status, 200);
  return {inside, outside, proxy, post, admin};
}

// Of so many requests on connections that would stay, how many were asked to end.
async function asked(port, count) {
  let closed = 0;
  for (let i = 0; i < count; ++i) {
    const agent = new http.Agent({keepAlive: true});
    const {headers} = await get(port, "/hi", {agent});
    if (headers.connection === "close") ++closed;
    agent.destroy();
  }
  return closed;
}

await run({
  async "a graceful drain goes on accepting until its time is over"() {
    const {inside, outside, post} = await scene("--drain-time-s", "4");
    const began = Date.now();
    await post("/drain_listeners?graceful&inboundonly");
    const early = await asked(inside, 40);
    const earlyEnd = Date.now() - began;
    if (earlyEnd < 1500) assert.ok(early < 36, `${early} of 40 within ${earlyEnd} ms`);
    await sleep(Math.max(0, 3000 - (Date.now() - began)));
    if (Date.now() - began < 3800) assert.ok(await accepts(inside));
    await eventually("the listener closes", async () => !(await accepts(inside)));
    assert.ok(Date.now() - began > 3900);
    assert.equal(await asked(outside, 5), 0, "an outbound listener is not concerned");
  },

  async "immediately, all responses ask at once"() {
    const {inside, outside, post} =
      await scene("--drain-time-s", "60", "--drain-strategy", "immediate");
    await post("/drain_listeners?graceful&skip_exit");
    await eventually("all workers know", async () => await asked(inside, 20) === 20);
    assert.equal(await asked(outside, 20), 20);
  },

  async "with skip_exit the listeners stay"() {
    const {inside, outside, post} = await scene("--drain-time-s", "1");
    await post("/drain_listeners?graceful&skip_exit");
    await sleep(1500);
    assert.equal(await asked(inside, 10), 10);
    assert.ok(await accepts(outside));
  },

  async "without graceful they close at once"() {
    const {inside, outside, post, admin} = await scene();
    const slow = get(inside, "/slow");
    await sleep(100);
    await post("/drain_listeners?inboundonly");
    await eventually("it closes", async () => !(await accepts(inside)));
    assert.equal((await slow).status, 200, "what is under way gets its response");
    assert.ok(await accepts(outside));
    await post("/drain_listeners");
    await eventually("they all close", async () => !(await accepts(outside)));
    assert.equal((await get(admin, "/server_info")).status, 200);
  },

  async "failing health checks ask connections to end"() {
    const {inside, outside, post} = await scene();
    assert.equal(await asked(inside, 5), 0);
    await post("/healthcheck/fail");
    assert.equal(await asked(inside, 5), 5);
    assert.equal(await asked(outside, 5), 0, "drain_type MODIFY_ONLY");
    await post("/healthcheck/ok");
    assert.equal(await asked(inside, 5), 0);
  },

  async "an HTTP/2 connection gets GOAWAY twice, and its stream its end"() {
    const {inside, post} = await scene("--drain-time-s", "60", "--drain-strategy", "immediate");
    // The preface, SETTINGS, and on stream 1 GET http://a/slow without Huffman or the table.
    const path = "/slow";
    const block = Buffer.concat([Buffer.from([0x82, 0x86, 0x04, path.length]), Buffer.from(path),
      Buffer.from([0x01, 1]), Buffer.from("a")]);
    const socket = net.connect(inside, "127.0.0.1");
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      Buffer.from([0, 0, block.length, 1, 5, 0, 0, 0, 1]), block]));
    let bytes = Buffer.alloc(0);
    let ended = false;
    socket.on("data", (some) => bytes = Buffer.concat([bytes, some]));
    socket.on("end", () => ended = true);
    await sleep(150);
    await post("/drain_listeners?graceful&skip_exit");
    await eventually("the connection ends", () => ended);
    const frames = [];
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      frames.push({type: bytes[3], last: bytes.length >= 13 ? bytes.readUInt32BE(9) : 0,
        body: bytes.subarray(9, 9 + length).toString()});
      bytes = bytes.subarray(9 + length);
    }
    assert.deepEqual(frames.filter(({type}) => type === 7).map(({last}) => last),
      [0x7fffffff, 1], "first nothing is excluded, then what came later");
    assert.ok(frames.some(({type, body}) => type === 0 && body === "from upstream"));
    socket.destroy();
  },

  async "idle connections are let go in the drain's time, not at once"() {
    const {inside, post} = await scene("--drain-time-s", "2");
    const ends = [];
    const sockets = await Promise.all(Array.from({length: 30}, () => new Promise((resolve) => {
      const socket = net.connect(inside, "127.0.0.1", () => {
        socket.write("GET /hi HTTP/1.1\r\nHost: a\r\n\r\n");
      });
      socket.once("data", () => resolve(socket));
      socket.on("end", () => ends.push(Date.now()));
      socket.on("error", () => ends.push(Date.now()));
    })));
    await post("/drain_listeners?graceful&skip_exit");
    await eventually("all are let go", () => ends.length === 30);
    assert.ok(ends.at(-1) - ends[0] > 500, "spread over the drain time");
    for (const socket of sockets) socket.destroy();
  },

  async "what waits in the queue at SIGTERM is served"() {
    const {inside, proxy} = await scene();
    proxy.kill("SIGSTOP");
    const waiting = Array.from({length: 50}, () => get(inside));
    await sleep(300);  // the kernel has accepted them
    proxy.kill("SIGTERM");
    proxy.kill("SIGCONT");
    for (const one of await Promise.all(waiting)) assert.equal(one.status, 200);
    assert.equal(await proxy.ended, 0);
  },
});
