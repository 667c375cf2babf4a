// A control plane that is polled: it answers POST /v3/discovery:* with JSON, and does what a test
// says. Over HTTP/1, and over HTTP/2 with prior knowledge.
import {once} from "node:events";
import http from "node:http";
import http2 from "node:http2";
import {sleep} from "./control_plane.mjs";

const kPaths = {clusters: "CDS", endpoints: "EDS", listeners: "LDS", routes: "RDS", secrets: "SDS",
  runtime: "RTDS"};
const kTypes = {
  CDS: "envoy.config.cluster.v3.Cluster",
  EDS: "envoy.config.endpoint.v3.ClusterLoadAssignment",
  LDS: "envoy.config.listener.v3.Listener",
  RDS: "envoy.config.route.v3.RouteConfiguration",
  SDS: "envoy.extensions.transport_sockets.tls.v3.Secret",
  RTDS: "envoy.service.runtime.v3.Runtime",
};
const kPatienceMs = 20_000;

export const typed = (type, resource) => (
  {"@type": "type.googleapis.com/" + kTypes[type], ...resource});

export class RestPlane {
  constructor(protocol = "http1") {
    // By type: {version, resources}, or a function (request) => {status, body}.
    Object.assign(this, {protocol, answers: {}, polls: [], waiting: [], sockets: new Set()});
  }

  async start(port = this.port ?? 0) {
    const module = this.protocol === "http2" ? http2 : http;
    this.server = module.createServer((request, response) => this.#serve(request, response));
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket)).on("error", () => {});
    });
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }

  // Breaks every connection off.
  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  set(type, version, resources) {
    this.answers[type] = {version, resources};
  }

  // The next poll for the type that nobody took yet.
  async poll(type, ms = kPatienceMs) {
    const until = Date.now() + ms;
    for (;;) {
      const at = this.polls.findIndex((one) => one.type === type);
      if (at >= 0) return this.polls.splice(at, 1)[0];
      if (Date.now() >= until) throw new Error(`no poll for ${type} came`);
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
  }

  // One that began after now.
  async freshPoll(type) {
    this.polls = this.polls.filter((one) => one.type !== type);
    return this.poll(type);
  }

  async #serve(request, response) {
    let text = "";
    request.on("error", () => {});
    response.on("error", () => {});
    for await (const piece of request) text += piece;
    const body = JSON.parse(text);
    const type = kPaths[/^\/v3\/discovery:(.*)$/.exec(request.url)?.[1]];
    const poll = {type, method: request.method, headers: request.headers, body, at: Date.now()};
    this.polls.push(poll);
    for (const look of this.waiting.splice(0)) look();
    const answer = this.answers[type];
    if (typeof answer === "function") {
      const given = await answer(poll);
      if (given === null) return;  // never
      return this.#answer(response, given.status, given.body ?? "");
    }
    if (answer === undefined) return this.#answer(response, 404, "");
    if (body.version_info === answer.version) return this.#answer(response, 304, "");
    const asked = new Set(body.resource_names ?? []);
    const resources = answer.resources.map((one) => typed(type, one)).filter((one) =>
      asked.size === 0 || asked.has(one.cluster_name ?? one.name));
    this.#answer(response, 200, JSON.stringify({version_info: answer.version, resources,
      type_url: "type.googleapis.com/" + kTypes[type]}));
  }

  #answer(response, status, body) {
    response.writeHead(status, {"content-type": "application/json"});
    response.end(body);
  }
}
