// npm's standardwebhooks against `weir webhook` and against the filter in a running proxy.
//
// usage: node standardwebhooks_test.mjs WEIR
import assert from "node:assert/strict";
import {spawn, spawnSync} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, writeFileSync} from "node:fs";
import http from "node:http";
import {createRequire} from "node:module";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";

const {Webhook} = createRequire(import.meta.url)("standardwebhooks");

const weir = process.argv[2];
const folder = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "webhook-"));
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const secretFile = join(folder, "secret");
writeFileSync(secretFile, secret + "\n");
const sender = new Webhook(secret);
let passed = 0;

async function check(name, run) {
  await run();
  console.log("ok " + name);
  ++passed;
}

// The headers that a sender adds.
function signed(id, body, by = sender, when = new Date()) {
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(when.getTime() / 1000)),
    "webhook-signature": by.sign(id, when, body),
  };
}

function command(name, more, body) {
  const scheme = ["--preset", "standard_webhooks", "--secret-file", secretFile];
  return spawnSync(weir, ["webhook", name, ...scheme, ...more], {input: body, encoding: "utf8"});
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

function bootstrap(listen, upstream) {
  const envoy = "type.googleapis.com/envoy.extensions.filters.";
  const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});
  const webhook = {
    "@type": "type.googleapis.com/weir.filters.http.webhook_hmac.v1.WebhookHmac",
    preset: "standard_webhooks",
    secrets: [{data: {filename: secretFile}}],
    max_body_bytes: 100_000,
    forward_verified_header: true,
  };
  const manager = {
    "@type": envoy + "network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "hooks",
    route_config: {virtual_hosts: [{name: "all", domains: ["*"], routes: [
      {match: {prefix: "/"}, route: {cluster: "app"}}]}]},
    http_filters: [
      {name: "webhook", typed_config: webhook},
      {name: "router", typed_config: {"@type": envoy + "http.router.v3.Router"}}],
  };
  return {static_resources: {
    listeners: [{name: "front", address: address(listen),
      filter_chains: [{filters: [{name: "hcm", typed_config: manager}]}]}],
    clusters: [{name: "app", type: "STATIC", connect_timeout: "1s",
      load_assignment: {cluster_name: "app",
        endpoints: [{lb_endpoints: [{endpoint: {address: address(upstream)}}]}]}}],
  }};
}

async function startProxy(listen, upstream) {
  const config = join(folder, "weir.json");
  writeFileSync(config, JSON.stringify(bootstrap(listen, upstream)));
  const proxy = spawn(weir, ["-c", config], {stdio: "inherit"});
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

// What the upstream saw; it answers with `answer`.
const seen = [];
let answer = 204;
const upstream = http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    seen.push({headers: request.headers, body: Buffer.concat(pieces)});
    response.writeHead(answer).end();
  });
}).listen(0, "127.0.0.1");
await once(upstream, "listening");

// Sends the pieces of a body, chunked when there are several; resolves to the response's status.
async function post(listen, headers, pieces) {
  const request = http.request(
    {port: listen, host: "127.0.0.1", method: "POST", headers, agent: false});
  const ended = new Promise((resolve, reject) => {
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject);
  });
  for (const piece of pieces.slice(0, -1)) {
    request.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  request.end(pieces[pieces.length - 1]);
  return ended;
}

async function testCommandLine() {
  const body = '{"test": 2432232314}';
  await check("the library verifies what weir signs", () => {
    const made = command("sign", ["--id", "msg_1"], body);
    assert.equal(made.status, 0, made.stderr);
    const headers = Object.fromEntries(
      made.stdout.trim().split("\n").map((line) => line.split(": ")));
    sender.verify(body, headers);
    assert.throws(() => sender.verify(body + " ", headers));
  });
  await check("weir verifies what the library signs", () => {
    const headers = Object.entries(signed("msg_2", body))
      .flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
    assert.equal(command("verify", headers, body).status, 0);
    const refused = command("verify", headers, body + "\n");
    assert.equal(refused.status, 1);
    assert.match(refused.stdout, /without the line break at its end/);
  });
}

async function testProxy(listen) {
  const body = JSON.stringify({text: "grüße ".repeat(1000)});
  await check("a signed event reaches the upstream", async () => {
    assert.equal(await post(listen, signed("msg_3", body), [body]), 204);
    assert.equal(String(seen[0].body), body);
    assert.equal(seen[0].headers["x-weir-webhook-verified"], "standard_webhooks");
  });
  await check("also in pieces", async () => {
    const bytes = Buffer.from(body);
    const pieces = [bytes.subarray(0, 1), bytes.subarray(1, 4000), bytes.subarray(4000)];
    assert.equal(await post(listen, signed("msg_4", body), pieces), 204);
    assert.equal(String(seen[1].body), body);
  });
  await check("refused events never reach it", async () => {
    const now = Date.now();
    const stranger = new Webhook("whsec_" + Buffer.alloc(24, 1).toString("base64"));
    assert.equal(await post(listen, signed("msg_3", body), [body]), 409);
    assert.equal(await post(listen, signed("msg_5", body), [body.slice(1)]), 401);
    assert.equal(await post(listen, signed("msg_5", body, stranger), [body]), 401);
    for (const seconds of [-330, 330]) {
      const headers = signed("msg_5", body, sender, new Date(now + seconds * 1000));
      assert.equal(await post(listen, headers, [body]), 401);
    }
    assert.equal(await post(listen, {"x-weir-webhook-verified": "github"}, [body]), 401);
    const large = "x".repeat(100_001);
    assert.equal(await post(listen, signed("msg_5", large), [large]), 413);
    const halves = [large.slice(0, 60_000), large.slice(60_000)];
    assert.equal(await post(listen, signed("msg_5", large), halves).catch(() => 413), 413);
    assert.equal(seen.length, 2);
  });
  await check("an event that failed may come again", async () => {
    answer = 500;
    assert.equal(await post(listen, signed("msg_6", body), [body]), 500);
    answer = 204;
    assert.equal(await post(listen, signed("msg_6", body), [body]), 204);
    assert.equal(await post(listen, signed("msg_6", body), [body]), 409);
    assert.equal(seen.length, 4);
  });
}

await testCommandLine();
const listen = await freePort();
const proxy = await startProxy(listen, upstream.address().port);
try {
  await testProxy(listen);
  console.log(`${passed} passed`);
} finally {
  proxy.kill("SIGKILL");
  upstream.close();
  upstream.closeAllConnections();
}
