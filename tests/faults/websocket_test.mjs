// A websocket of npm `ws` through the proxy, both ends: text, binary, large and many messages,
// fragments, pings, and closes from either side.
//
// usage: node websocket_test.mjs WEIR
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";

const {WebSocket, WebSocketServer} = createRequire(import.meta.url)("ws");

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

function bootstrap(listen, upstream) {
  const extensions = "type.googleapis.com/envoy.extensions.filters.";
  const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});
  const manager = {
    "@type": extensions + "network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "ws",
    upgrade_configs: [{upgrade_type: "websocket"}],
    route_config: {virtual_hosts: [{name: "all", domains: ["*"], routes: [
      {match: {prefix: "/"}, route: {cluster: "app", timeout: "0s"}}]}]},
    http_filters: [{name: "router",
      typed_config: {"@type": extensions + "http.router.v3.Router"}}],
  };
  return {static_resources: {
    listeners: [{name: "front", address: address(listen),
      filter_chains: [{filters: [{name: "hcm", typed_config: manager}]}]}],
    clusters: [{name: "app", type: "STATIC", connect_timeout: "1s",
      load_assignment: {cluster_name: "app",
        endpoints: [{lb_endpoints: [{endpoint: {address: address(upstream)}}]}]}}],
  }};
}

async function startProxy(program, listen, upstream) {
  const config = join(mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "ws-")), "weir.json");
  writeFileSync(config, JSON.stringify(bootstrap(listen, upstream)));
  const proxy = spawn(program, ["-c", config], {stdio: "inherit"});
  for (let tries = 0; tries < 500; ++tries) {
    const up = await new Promise((resolve) => {
      const socket = net.connect(listen, "127.0.0.1", () => resolve(socket.destroy() && true));
      socket.on("error", () => resolve(false));
    });
    if (up) return proxy;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the proxy does not listen");
}

const listen = await freePort();
const server = new WebSocketServer({host: "127.0.0.1", port: 0});
await once(server, "listening");
server.on("connection", (peer, request) => {
  peer.on("message", (data, binary) => {
    if (request.url === "/close") return peer.close(4001, "said the server");
    peer.send(data, {binary});
  });
});
const proxy = await startProxy(process.argv[2], listen, server.address().port);
let passed = 0;

async function check(name, path, run) {
  const socket = new WebSocket(`ws://127.0.0.1:${listen}${path}`);
  await once(socket, "open");
  await run(socket);
  socket.terminate();
  console.log("ok " + name);
  ++passed;
}

async function echo(socket, message) {
  socket.send(message);
  const [data, binary] = await once(socket, "message");
  assert.equal(binary, typeof message !== "string");
  assert.deepEqual(data, Buffer.from(message));
}

try {
  await check("text", "/", (socket) => echo(socket, "grüße"));
  await check("binary", "/", (socket) => echo(socket, Buffer.from([0, 255, 13, 10])));
  await check("a large message", "/", (socket) => echo(socket, Buffer.alloc(5_000_000, 7)));
  await check("many messages", "/", async (socket) => {
    let received = 0;
    const all = new Promise((resolve) => socket.on("message", (data) => {
      assert.equal(String(data), String(received));
      if (++received === 5000) resolve();
    }));
    for (let i = 0; i < 5000; ++i) socket.send(String(i));
    await all;
  });
  await check("fragments", "/", async (socket) => {
    for (let i = 0; i < 3; ++i) socket.send("part " + i, {fin: i === 2});
    const [data] = await once(socket, "message");
    assert.equal(String(data), "part 0part 1part 2");
  });
  await check("a ping", "/", async (socket) => {
    socket.ping("are you there");
    const [data] = await once(socket, "pong");
    assert.equal(String(data), "are you there");
  });
  await check("the server closes", "/close", async (socket) => {
    socket.send("close me");
    const [code, reason] = await once(socket, "close");
    assert.equal(code, 4001);
    assert.equal(String(reason), "said the server");
  });
  await check("the client closes", "/", async (socket) => {
    const [peer] = server.clients;
    socket.close(4002, "said the client");
    const [code] = await once(peer, "close");
    assert.equal(code, 4002);
  });
  console.log(`${passed} passed`);
} finally {
  proxy.kill("SIGKILL");
  server.close();
  for (const peer of server.clients) peer.terminate();
}
