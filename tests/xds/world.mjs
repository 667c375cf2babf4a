// What every test here stands on: one proxy fed by one scripted control plane, an upstream, and
// cases that have names.
//
// usage: node X_test.mjs WEIR PROTOS
import {execFileSync, spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, readFileSync, writeFileSync} from "node:fs";
import http from "node:http";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {ControlPlane, sleep} from "./control_plane.mjs";
import {Protos} from "./proto_json.mjs";
import {bootstrap} from "./resources.mjs";

export const home = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "xds-"));
export const protos = new Protos(process.argv[3]);
const kPatienceMs = 20_000;

// ---- cases ----

let passed = 0;
const failed = [];

// Fails the run, but lets the other cases run.
export async function check(name, what) {
  try {
    await what();
    ++passed;
    console.log("ok " + name);
  } catch (error) {
    failed.push(name);
    console.log(`FAILED ${name}\n  ${error.stack.split("\n").join("\n  ")}`);
  }
}

const last = [];
export const atExit = (what) => last.push(what);
process.on("exit", () => last.forEach((what) => what()));

export function finish() {
  console.log(`${passed} passed, ${failed.length} failed`);
  for (const name of failed) console.log("  failed: " + name);
  process.exit(failed.length === 0 && passed > 0 ? 0 : 1);
}

// Until `what` gives something true, which is returned; what it throws counts as not yet.
export async function eventually(what, message = "it does not become true", ms = kPatienceMs) {
  const until = Date.now() + ms;
  let last_error;
  for (;;) {
    const result = await Promise.resolve().then(what).catch((error) => {
      last_error = error;
      return false;
    });
    if (result) return result;
    if (Date.now() > until) throw new Error(message, {cause: last_error});
    await sleep(20);
  }
}

// ---- the proxy ----

// Below the range that the kernel takes the ports of clients from: busy ones would take it away.
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = net.createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(() => true, () => false);
    await new Promise((resolve) => server.close(resolve));
    if (free) return port;
  }
}

let proxies = 0;

export class Proxy {
  constructor(config, {flags = [], drain_s = 2} = {}) {
    const base = join(home, "proxy-" + ++proxies);
    this.addressFile = base + ".admin";
    writeFileSync(base + ".json", JSON.stringify(config));
    this.log = "";
    this.process = spawn(process.argv[2], ["-c", base + ".json", "--concurrency", "2",
      "--drain-time-s", String(drain_s), "--admin-address-path", this.addressFile, ...flags],
    {stdio: ["ignore", "inherit", "pipe"]});
    this.process.stderr.on("data", (text) => { this.log += text; });
    this.exited = once(this.process, "exit");
    // What ended by itself has written why.
    this.exited.then(([code, signal]) => {
      if (code !== 0 && signal !== "SIGKILL") console.log(`ended by ${signal ?? code}:\n${this.log}`);
    });
    atExit(() => this.process.kill("SIGKILL"));
  }

  async admin(path, options = {}) {
    const address = await eventually(() => readFileSync(this.addressFile, "utf8"),
      "the proxy has no admin port: " + this.log);
    return (await get(Number(address.split(":").pop()), {path, ...options})).body;
  }

  // A counter or gauge by its name; 0 if there is none.
  async stat(name) {
    const text = await this.admin("/stats?filter=" + encodeURIComponent(`^${name}$`));
    return Number(text.split("\n").find((line) => line.startsWith(name + ":"))?.split(": ")[1] ?? 0);
  }

  async serves() {
    await eventually(async () => (await this.admin("/server_info")).includes('"LIVE"'),
      "the proxy does not serve");
  }

  async stop() {
    this.process.kill("SIGKILL");
    await this.exited;
  }
}

// A control plane, and a proxy that asks it. `variant`: "sotw" or "delta".
export async function world(variant, fields = {}) {
  const {flags, more, ...config} = fields;
  const plane = new ControlPlane(protos, more);
  await plane.start();
  const api_type = variant === "delta" ? "DELTA_GRPC" : "GRPC";
  const proxy = new Proxy(bootstrap({api_type, port: plane.port, ...config}), {flags});
  const close = async () => {
    await proxy.stop();
    plane.stop();
  };
  return {plane, proxy, close};
}

// ---- traffic ----

// One request; a connection of its own unless there is an agent.
export function get(port, {path = "/", agent = false, module = http, ...options} = {}) {
  return new Promise((resolve, reject) => {
    const request = module.request({host: "127.0.0.1", port, path, agent, timeout: kPatienceMs,
      ...options}, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => { body += piece; });
      response.on("end", () => resolve({status: response.statusCode, body,
        headers: response.headers, local: request.socket?.localPort}));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) => {
      error.reused = request.reusedSocket;
      reject(error);
    });
    request.end();
  });
}

export const body = async (port, options) => (await get(port, options)).body;
export const refused = (port) => get(port).then(() => false, (error) =>
  error.code === "ECONNREFUSED");

// An HTTP/1 upstream that answers with its name, and counts its connections.
export async function upstream(name) {
  const server = http.createServer((request, response) => response.end(name));
  server.connections = 0;
  server.on("connection", () => { ++server.connections; });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  server.keepAliveTimeout = 0;
  server.port = server.address().port;
  return server;
}

// A certificate for `name`, and its key, as text.
export function certificate(name) {
  const [cert, key] = [join(home, name + ".pem"), join(home, name + ".key")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=" + name, "-addext",
    "subjectAltName=DNS:" + name], {stdio: "ignore"});
  return {cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8")};
}
