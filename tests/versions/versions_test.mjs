// Each version of HTTP on one side of the proxy against each on the other; see README.md.
//
// usage: node versions_test.mjs WEIR
import assert from "node:assert/strict";
import {execFile, execFileSync, spawn} from "node:child_process";
import {createHash, randomBytes} from "node:crypto";
import {once} from "node:events";
import {mkdtempSync, readFileSync, writeFileSync} from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {promisify} from "node:util";
import {bootstrap, clusters} from "./weir_config.mjs";

const run = promisify(execFile);
const home = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "versions-"));
const files = {cert: join(home, "cert.pem"), key: join(home, "key.pem")};
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
  "-nodes", "-keyout", files.key, "-out", files.cert, "-days", "2", "-subj", "/CN=app.test",
  "-addext", "subjectAltName=DNS:app.test,DNS:localhost"], {stdio: "ignore"});
const cert = readFileSync(files.cert), key = readFileSync(files.key);

const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const body = randomBytes(700_000);

// Answers with what it got; "/.../many" with a long body.
function answer(request, response) {
  const hash = createHash("sha256");
  request.on("data", (piece) => hash.update(piece));
  request.on("end", () => {
    response.setHeader("x-version", request.httpVersion);
    response.setHeader("x-method", request.method);
    response.setHeader("x-body", hash.digest("hex"));
    response.end(request.url.endsWith("/many") ? body : "hello");
  });
}

async function listening(server) {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server.address().port;
}

async function freePort() {
  const server = net.createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// SETTINGS, and soon after the first request DATA of stream 0, which ends the connection.
const breaker = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.write(Buffer.from("000000040000000000", "hex"));
  socket.once("data", () => setTimeout(
    () => socket.write(Buffer.from("00000100000000000078", "hex")), 20));
});

const secure = {cert, key};
const ports = {
  h1: await listening(http.createServer(answer)),
  h2: await listening(http2.createServer(answer)),
  tls1: await listening(https.createServer(secure, answer)),
  tls2: await listening(http2.createSecureServer(secure, answer)),
  broken: await listening(breaker),
  both: await listening(http2.createSecureServer({...secure, allowHTTP1: true}, answer)),
  plain: await freePort(),
  tls: await freePort(),
};

// ---- ways to reach the proxy: each gives {status, headers, body} ----

function overHttp1(module, port, agent) {
  return (path, method, payload) => new Promise((resolve, reject) => {
    const request = module.request({host: "127.0.0.1", port, path, method, agent, ca: cert,
      servername: "app.test", timeout: 10_000}, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve(
        {status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces)}));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.end(payload);
  });
}

function overHttp2(session) {
  return (path, method, payload) => new Promise((resolve, reject) => {
    const stream = session.request({":path": path, ":method": method});
    const pieces = [];
    let headers;
    stream.setTimeout(10_000, () => stream.destroy(new Error("timeout")));
    stream.on("response", (received) => { headers = received; });
    stream.on("data", (piece) => pieces.push(piece));
    stream.on("end", () => resolve(
      {status: headers[":status"], headers, body: Buffer.concat(pieces)}));
    stream.on("error", reject);
    stream.end(payload);
  });
}

async function connectHttp2(url, options) {
  const session = http2.connect(url, options);
  await once(session, "connect");
  return session;
}

// ---- the proxy ----

const config = join(home, "weir.json");
writeFileSync(config, JSON.stringify(bootstrap(ports, files)));
const proxy = spawn(process.argv[2], ["-c", config, "--concurrency", "1", "--drain-time-s", "1"],
  {stdio: "inherit"});

async function proxyListens() {
  for (let tries = 0; tries < 500; ++tries) {
    const socket = net.connect(ports.tls, "127.0.0.1");
    const up = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error")
      .then(() => false)]).catch(() => false);
    socket.destroy();
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the proxy does not listen");
}

let passed = 0;
async function check(name, what) {
  await what();
  ++passed;
  console.log("ok " + name);
}

// The version that the upstream of this cluster must be spoken to with.
function expectedVersion(name, client) {
  if (name === "follow") return client.endsWith("h2") ? "2.0" : "1.1";
  return clusters[name].upstream.endsWith("2") ? "2.0" : "1.1";
}

async function checkPair(client, ask, name) {
  const get = await ask(`/${name}/one`, "GET");
  assert.equal(get.status, 200);
  assert.equal(String(get.body), "hello");
  assert.equal(get.headers["x-version"], expectedVersion(name, client));
  const head = await ask(`/${name}/one`, "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  const post = await ask(`/${name}/many`, "POST", body);
  assert.equal(post.headers["x-method"], "POST");
  assert.equal(post.headers["x-body"], sha(body));
  assert.equal(sha(post.body), sha(body));
  const all = await Promise.all(Array.from({length: 40}, () => ask(`/${name}/one`, "GET")));
  assert.ok(all.every(({status}) => status === 200));
}

// ---- what goes wrong ----

// What an HTTP/1 client gets that waits for nothing but the end of the connection.
async function bytesOf(port, lines) {
  const socket = net.connect(port, "127.0.0.1");
  socket.setTimeout(10_000, () => socket.destroy(new Error("timeout")));
  socket.write(lines.join("\r\n") + "\r\n\r\n");
  let text = "";
  for await (const piece of socket) text += piece;
  return text;
}

const upgrade = ["GET /h2/chat HTTP/1.1", "host: a", "connection: upgrade", "upgrade: websocket",
  "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];

// The upstream's `http2` does not announce extended CONNECT (RFC 8441).
async function checkUnknownUpgrade(ask) {
  for (let i = 0; i < 5; ++i)
    assert.match(await bytesOf(ports.plain, upgrade), /^HTTP\/1.1 502 /);
  assert.equal((await ask("/h2/one", "GET")).status, 200);
}

// The answer must not wait for something else to happen.
async function checkBrokenUpstream() {
  const lines = ["GET /broken HTTP/1.1", "host: broken", "connection: close"];
  for (let i = 0; i < 5; ++i)
    assert.match(await bytesOf(ports.plain, lines), /^HTTP\/1.1 502 /);
}

// ---- tools that people use ----

async function checkCurl(name, flags, scheme, port, version) {
  const {stdout} = await run("curl", ["-s", "--max-time", "10", "--cacert", files.cert, ...flags,
    "-o", join(home, "out"), "-w", "%{http_code} %{http_version}", "--data-binary",
    "@" + join(home, "body"), "--resolve", `app.test:${port}:127.0.0.1`,
    `${scheme}://app.test:${port}/${name}/many`]);
  assert.equal(stdout, "200 " + version);
  assert.equal(sha(readFileSync(join(home, "out"))), sha(body));
}

async function checkH2load(name, scheme, port) {
  const {stdout} = await run("h2load", ["-n", "2000", "-c", "4", "-m", "50",
    `${scheme}://127.0.0.1:${port}/${name}/one`], {timeout: 60_000});
  assert.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(stdout, /status codes: 2000 2xx/);
}

const sessions = [];
try {
  await proxyListens();
  writeFileSync(join(home, "body"), body);
  const trusting = {ca: cert, servername: "app.test"};
  sessions.push(await connectHttp2(`http://127.0.0.1:${ports.plain}`));
  sessions.push(await connectHttp2(`https://127.0.0.1:${ports.tls}`, trusting));
  const clients = {
    "plain h1": overHttp1(http, ports.plain, new http.Agent({keepAlive: true})),
    "plain h2": overHttp2(sessions[0]),
    "tls h1": overHttp1(https, ports.tls, new https.Agent({keepAlive: true})),
    "tls h2": overHttp2(sessions[1]),
  };
  for (const [client, ask] of Object.entries(clients))
    for (const name of Object.keys(clusters))
      await check(`${client} to ${name}`, () => checkPair(client, ask, name));
  for (const name of ["h1", "h2", "tls1", "tls2"]) {
    const via = (flags, scheme, port, version) => check(`curl ${flags} ${scheme} to ${name}`,
      () => checkCurl(name, flags, scheme, port, version));
    await via(["--http1.1"], "http", ports.plain, "1.1");
    await via(["--http2-prior-knowledge"], "http", ports.plain, "2");
    await via(["--http2"], "http", ports.plain, "1.1");  // h2c by Upgrade is not taken up
    await via(["--http1.1"], "https", ports.tls, "1.1");
    await via(["--http2"], "https", ports.tls, "2");
    await check(`h2load http to ${name}`, () => checkH2load(name, "http", ports.plain));
    await check(`h2load https to ${name}`, () => checkH2load(name, "https", ports.tls));
  }
  await check("a WebSocket to an upstream that knows none",
    () => checkUnknownUpgrade(clients["plain h1"]));
  await check("an upstream that breaks HTTP/2", checkBrokenUpstream);
  await check("nghttp", async () => {
    const {stdout} = await run("nghttp", [`https://127.0.0.1:${ports.tls}/h2/one`],
      {timeout: 10_000});
    assert.equal(stdout, "hello");
  });
  console.log(`${passed} checks passed`);
} finally {
  for (const session of sessions) session.destroy();
  proxy.kill("SIGTERM");
  setTimeout(() => process.exit(), 100);
}
