// A browser through the proxy; see README.md.
//
// usage: node browser_test.mjs WEIR
import assert from "node:assert/strict";
import {execFileSync, spawn} from "node:child_process";
import {createHash, randomBytes} from "node:crypto";
import {once} from "node:events";
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import {createRequire} from "node:module";
import net from "node:net";
import {tmpdir} from "node:os";
import {dirname, join} from "node:path";
import {fileURLToPath} from "node:url";
import {gzipSync} from "node:zlib";
import {bootstrap, clusters} from "./weir_config.mjs";

const {WebSocket, WebSocketServer} = createRequire(import.meta.url)("ws");
const here = dirname(fileURLToPath(import.meta.url));
const home = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "browser-"));
const files = {cert: join(home, "cert.pem"), key: join(home, "key.pem")};
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
  "-nodes", "-keyout", files.key, "-out", files.cert, "-days", "2", "-subj", "/CN=app.test",
  "-addext", "subjectAltName=DNS:app.test"], {stdio: "ignore"});
const cert = readFileSync(files.cert), key = readFileSync(files.key);
const BROWSER_PATIENCE_MS = 80_000;
const CHECKS_OF_A_CLUSTER = 14;
const MOST_REQUESTS = 200;  // at once: more than streams may be open

// ---- the upstream ----

const large = randomBytes(8 << 20);
const seen = {givenUp: 0, notModified: 0};
let tellFound;

const pages = {
  page: (_, response) => page(response, "page.html", "text/html"),
  "page.js": (_, response) => page(response, "page.js", "text/javascript"),
  found: (request, response) => collect(request, (body) => {
    response.end();
    tellFound(JSON.parse(body));
  }),
  hello: (_, response) => response.end("hello"),
  echo: (request, response) => collect(request, (body) => response.end(body)),
  large: (_, response) => response.end(large),
  large_hash: (_, response) => response.end(createHash("sha256").update(large).digest("hex")),
  events: (_, response) => {
    response.setHeader("content-type", "text/event-stream");
    for (const [i, word] of ["one", "two", "three"].entries())
      setTimeout(() => response.write(`data: ${word}\n\n`), 20 * i);
  },
  endless: (_, response) => {
    const timer = setInterval(() => response.write("more"), 5);
    response.on("close", () => {
      clearInterval(timer);
      ++seen.givenUp;
    });
  },
  given_up: (_, response) => response.end(String(seen.givenUp)),
  cookies: (request, response) => response.end(request.headers.cookie),
  tagged: (request, response) => {
    response.setHeader("etag", '"one"');
    response.setHeader("cache-control", "max-age=60");
    const known = request.headers["if-none-match"] === '"one"';
    seen.notModified += known;
    response.writeHead(known ? 304 : 200);
    response.end(known ? undefined : "tagged");
  },
  not_modified: (_, response) => {
    response.end(String(seen.notModified));
    seen.notModified = 0;
  },
  redirect: (_, response) => {
    response.writeHead(302, {location: "hello"});
    response.end();
  },
  204: (_, response) => answerStatus(response, 204),
  404: (_, response) => answerStatus(response, 404),
  method: (request, response) => response.end(request.method),
  compressed: (_, response) => {
    response.setHeader("content-encoding", "gzip");
    response.end(gzipSync("compress me ".repeat(1000)));
  },
  Unary: (request, response) => collect(request, (body) => {
    response.writeHead(200, {"content-type": "application/grpc+proto"});
    response.write(body);
    response.addTrailers?.({"grpc-status": "0"});
    response.end();
  }),
};

function page(response, name, type) {
  response.setHeader("content-type", type);
  response.end(readFileSync(join(here, name)));
}

function answerStatus(response, status) {
  response.writeHead(status);
  response.end();
}

function collect(request, then) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => then(Buffer.concat(pieces)));
}

function answer(request, response) {
  const name = request.url.split("?")[0].split("/").at(-1);
  (pages[name] ?? ((_, other) => answerStatus(other, 404)))(request, response);
}

const sockets = new WebSocketServer({noServer: true});
const echo = (socket) => socket.on("message", (data, binary) => socket.send(data, {binary}));

function withWebSockets(server) {
  server.on("upgrade", (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, echo));
  // Over HTTP/2 a WebSocket is an extended CONNECT.
  server.on("connect", ({headers, stream}) => {
    stream.respond({":status": headers[":protocol"] === "websocket" ? 200 : 400});
    stream.setNoDelay = () => {};
    const socket = new WebSocket(null, undefined, {autoPong: true});
    socket.setSocket(stream, Buffer.alloc(0),
      {maxPayload: 1 << 20, skipUTF8Validation: false, allowSynchronousEvents: true});
    echo(socket);
  });
  return server;
}

// ---- ports ----

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

const settings = {enableConnectProtocol: true};
const ports = {
  h1: await listening(withWebSockets(http.createServer(answer))),
  h2: await listening(withWebSockets(http2.createServer({settings}, answer))),
  tls1: await listening(withWebSockets(https.createServer({cert, key}, answer))),
  tls2: await listening(withWebSockets(http2.createSecureServer({cert, key, settings}, answer))),
};
for (const name of ["plain", "secure1", "secure2", "leaving", "admin"])
  ports[name] = await freePort();

// ---- the proxy and the browser ----

const config = join(home, "weir.json");
writeFileSync(config, JSON.stringify(bootstrap(ports, files)));
const proxy = spawn(process.argv[2], ["-c", config, "--concurrency", "1"], {stdio: "inherit"});
process.on("exit", () => proxy.kill("SIGKILL"));

async function stats() {
  const response = await fetch(`http://127.0.0.1:${ports.admin}/stats?format=json`);
  const {stats: all} = await response.json();
  return Object.fromEntries(all.map(({name, value}) => [name, value]));
}

async function proxyIsReady() {
  for (let tries = 0; tries < 500; ++tries) {
    const ready = await fetch(`http://127.0.0.1:${ports.admin}/ready`)
      .then(({ok}) => ok, () => false);
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the proxy is not ready");
}

// The hash of the certificate's key, which the browser is told to trust.
function pinnedKey() {
  const der = execFileSync("openssl", ["x509", "-in", files.cert, "-noout", "-pubkey"]);
  const spki = execFileSync("openssl", ["pkey", "-pubin", "-outform", "der"], {input: der});
  return createHash("sha256").update(spki).digest("base64");
}

async function browse(url) {
  const found = new Promise((resolve) => { tellFound = resolve; });
  const browser = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu",
    "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--no-proxy-server", "--http2-grease-settings",
    "--host-resolver-rules=MAP app.test 127.0.0.1", "--user-data-dir=" + join(home, "profile"),
    "--ignore-certificate-errors-spki-list=" + pinnedKey(), url],
  {stdio: "ignore", detached: true, env: {...process.env, HOME: home}});
  const kill = () => process.kill(-browser.pid, "SIGKILL");
  process.on("exit", kill);
  const ended = once(browser, "exit");
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the page told nothing: " + url)),
      BROWSER_PATIENCE_MS);
  });
  try {
    return await Promise.race([found, late]);
  } finally {
    clearTimeout(timer);
    process.off("exit", kill);
    kill();
    await ended;
  }
}

// ---- what is expected ----

let failed = 0;
function report(what, error) {
  console.log(error === null ? `ok ${what}` : `FAILED ${what}: ${error}`);
  failed += error !== null;
}

async function checkPage(name, origin, version, at_once = MOST_REQUESTS) {
  const found = await browse(
    `${origin}/h1/page?version=${version}&at_once=${at_once}` +
      `&requests=${MOST_REQUESTS}&clusters=${clusters}`);
  for (const {what, error} of found) report(`${name}: ${what}`, error);
  assert.equal(found.length, clusters.length * CHECKS_OF_A_CLUSTER);
}

try {
  await proxyIsReady();
  await checkPage("cleartext", `http://app.localhost:${ports.plain}`, "http/1.1");
  await checkPage("TLS", `https://app.test:${ports.secure1}`, "http/1.1");
  await checkPage("TLS with HTTP/2", `https://app.test:${ports.secure2}`, "h2");
  // One by one: Chromium fails requests that have no stream yet at the moment when GOAWAY comes.
  await checkPage("HTTP/2 and GOAWAY", `https://app.test:${ports.leaving}`, "h2", 1);
  const counted = await stats();
  assert.equal(counted["http.secure2.downstream_cx_http1_total"], 0);
  assert.equal(counted["http.leaving.downstream_cx_http1_total"], 0);
  assert.ok(counted["http.leaving.downstream_cx_http2_total"] > 1, "no GOAWAY was sent");
  assert.equal(counted["http.secure1.downstream_cx_http2_total"], 0);
  assert.equal(counted["http.secure2.downstream_rq_5xx"], 0);
  assert.equal(failed, 0);
  console.log("all checks passed");
} finally {
  proxy.kill("SIGTERM");
  rmSync(home, {recursive: true, force: true});
  setTimeout(() => process.exit(), 100);
}
