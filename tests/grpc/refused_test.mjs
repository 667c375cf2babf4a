// An HTTP/2 upstream that refuses streams: what it did not look at is sent again by itself, body and
// all, and clients never learn of it.
//
// usage: node refused_test.mjs WEIR
import assert from "node:assert/strict";
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, writeFileSync} from "node:fs";
import http2 from "node:http2";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";

const {NGHTTP2_REFUSED_STREAM} = http2.constants;
const kEnvoy = "type.googleapis.com/envoy.extensions.";

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const {port} = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function bootstrap(listen, upstream) {
  const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});
  const manager = {
    "@type": kEnvoy + "filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "refused",
    route_config: {virtual_hosts: [{name: "all", domains: ["*"], routes: [
      {match: {prefix: "/"}, route: {cluster: "app"}}]}]},
    http_filters: [{name: "router",
      typed_config: {"@type": kEnvoy + "filters.http.router.v3.Router"}}],
  };
  const options = {"@type": kEnvoy + "upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: {http2_protocol_options: {}}};
  return {static_resources: {
    listeners: [{name: "front", address: address(listen),
      filter_chains: [{filters: [{name: "hcm", typed_config: manager}]}]}],
    clusters: [{name: "app", type: "STATIC", connect_timeout: "1s",
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
      load_assignment: {cluster_name: "app",
        endpoints: [{lb_endpoints: [{endpoint: {address: address(upstream)}}]}]}}],
  }};
}

async function startProxy(program, listen, upstream) {
  const folder = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "refused-"));
  const config = join(folder, "weir.json");
  writeFileSync(config, JSON.stringify(bootstrap(listen, upstream)));
  const proxy = spawn(program, ["-c", config, "--concurrency", "1"], {stdio: "inherit"});
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

let refusals = 0;  // so many of the next streams are refused
let asked = 0;
const server = http2.createServer();
server.on("stream", (stream) => {
  stream.on("error", () => {});
  ++asked;
  const body = [];
  stream.on("data", (piece) => body.push(piece));
  stream.on("end", () => {
    if (refusals > 0) {
      --refusals;
      return stream.close(NGHTTP2_REFUSED_STREAM);
    }
    stream.respond({":status": 200});
    stream.end(Buffer.concat(body));
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

async function ask(port, body) {
  const client = http2.connect(`http://127.0.0.1:${port}`);
  const stream = client.request({":method": "POST", ":path": "/"});
  stream.end(body);
  const [headers] = await once(stream, "response");
  let text = "";
  for await (const piece of stream) text += piece;
  client.close();
  return {status: headers[":status"], text};
}

const listen = await freePort();
const proxy = await startProxy(process.argv[2], listen, server.address().port);
process.on("exit", () => proxy.kill("SIGKILL"));
const limit = setTimeout(() => {
  throw new Error("the test takes too long");
}, 30000);
let passed = 0;

async function check(name, run) {
  asked = 0;
  await run();
  console.log(`ok ${name}`);
  ++passed;
}

await check("a refused stream is sent again, with its body", async () => {
  refusals = 1;
  assert.deepEqual(await ask(listen, "hello"), {status: 200, text: "hello"});
  assert.equal(asked, 2);
});
await check("once", async () => {
  refusals = 2;
  const {status} = await ask(listen, "hello");
  assert.equal(status, 503);
  assert.equal(asked, 2);
});
await check("a long body is not kept", async () => {
  refusals = 1;
  const {status} = await ask(listen, "x".repeat(200_000));
  assert.equal(status, 503);
  assert.equal(asked, 1);
});

clearTimeout(limit);
proxy.kill("SIGTERM");
const [code] = await once(proxy, "exit");
assert.equal(code, 0);
server.close();
console.log(`${passed} passed, 0 failed`);
process.exit(0);
