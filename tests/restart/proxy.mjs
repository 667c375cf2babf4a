// Starts proxies with a configuration of two listeners, and looks at what they do.
import {execFile, spawn} from "node:child_process";
import {randomInt} from "node:crypto";
import {mkdtempSync, readFileSync, readdirSync, writeFileSync} from "node:fs";
import http from "node:http";
import net from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";

export const program = process.argv[2];
const folder = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "restart-"));
const pids = new Set();

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function eventually(what, condition, patienceMs = 20_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error("this did not come true: " + what);
    await sleep(20);
  }
}

export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const {port} = server.address();
      server.close(() => resolve(port));
    });
  });
}

const extensions = "type.googleapis.com/envoy.extensions.filters.";
const address = (port) => ({socket_address: {address: "127.0.0.1", port_value: port}});

function listener(name, port, more) {
  const manager = {
    "@type": extensions + "network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: name, codec_type: "AUTO", drain_timeout: "1s",
    upgrade_configs: [{upgrade_type: "websocket"}],
    route_config: {virtual_hosts: [{name: "all", domains: ["*"], routes: [
      {match: {path: "/hi"}, direct_response: {status: 200, body: {inline_string: "hi"}}},
      {match: {prefix: "/"}, route: {cluster: "app", timeout: "0s"}}]}]},
    http_filters: [{name: "router",
      typed_config: {"@type": extensions + "http.router.v3.Router"}}],
  };
  return {name, address: address(port), ...more,
    filter_chains: [{filters: [{name: "hcm", typed_config: manager}]}]};
}

// `listeners`: {name, port, more}, where `more` are further fields of the listener.
export function writeConfig(name, {listeners, admin, app}) {
  const path = join(folder, name + ".json");
  writeFileSync(path, JSON.stringify({
    admin: {address: address(admin)},
    static_resources: {
      listeners: listeners.map((one) => listener(one.name, one.port, one.more)),
      clusters: [{name: "app", type: "STATIC", connect_timeout: "1s",
        load_assignment: {cluster_name: "app",
          endpoints: [{lb_endpoints: [{endpoint: {address: address(app)}}]}]}}],
    }}));
  return path;
}

// A base id that no other test has at this time. Processes of several sandboxes have the same pids.
export const baseId = randomInt(2 ** 27) * 16 + 7;

export function start(args, {command = program, before = [], env = {}} = {}) {
  const child = spawn(command, [...before, ...args],
    {stdio: ["ignore", "inherit", "inherit"], env: {...process.env, ...env}});
  pids.add(child.pid);
  child.ended = new Promise((resolve) => child.on("exit", (status, signal) => {
    pids.delete(child.pid);
    resolve(signal ?? status);
  }));
  return child;
}

export async function startProxy(port, args) {
  const proxy = start(args);
  await eventually("the proxy serves", () => get(port).then(() => true, () => false));
  return proxy;
}

// {status, out, err} of `weir upgrade`; the process that it started is ended by cleanUp.
export function upgrade(...args) {
  return new Promise((resolve) => {
    execFile(program, ["upgrade", "--base-id", String(baseId), ...args], (error, out, err) => {
      const started = /^process (\d+) serves/.exec(out);
      if (started) pids.add(Number(started[1]));
      resolve({status: error ? error.code : 0, out, err, pid: started && Number(started[1])});
    });
  });
}

export function alive(pid) {
  try {
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

export function cleanUp() {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

export const openFiles = (pid) => readdirSync(`/proc/${pid}/fd`).length;

// A request on a connection of its own.
export function get(port, path = "/hi", {method = "GET", agent = false} = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({host: "127.0.0.1", port, path, method, agent}, (response) => {
      let body = "";
      response.on("data", (bytes) => body += bytes);
      response.on("end", () => resolve({status: response.statusCode, headers: response.headers,
        body}));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

export const accepts = (port) => new Promise((resolve) => {
  const socket = net.connect(port, "127.0.0.1", () => resolve(socket.destroy() && true));
  socket.on("error", () => resolve(false));
});

export async function stat(admin, name) {
  const {body} = await get(admin, "/stats");
  const found = new RegExp(`^${name.replaceAll(".", "\\.")}: (\\d+)$`, "m").exec(body);
  return found ? Number(found[1]) : 0;
}

// Runs tests in turn; ends the process with what came of them.
export async function run(tests) {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log("passed: " + name);
    } catch (error) {
      ++failed;
      console.log("FAILED: " + name, error);
    }
    cleanUp();
  }
  process.exit(failed === 0 ? 0 : 1);
}
