// A control plane that does what a test says and nothing else, on npm's @grpc/grpc-js: it keeps
// each request that comes, and sends what it is told to, right or wrong.
import {createRequire} from "node:module";
import {once} from "node:events";
import net from "node:net";
import {typeUrl} from "./proto_json.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");

export const kMessages = {
  CDS: "envoy.config.cluster.v3.Cluster",
  EDS: "envoy.config.endpoint.v3.ClusterLoadAssignment",
  LDS: "envoy.config.listener.v3.Listener",
  RDS: "envoy.config.route.v3.RouteConfiguration",
  SDS: "envoy.extensions.transport_sockets.tls.v3.Secret",
  ECDS: "envoy.config.core.v3.TypedExtensionConfig",
  SRDS: "envoy.config.route.v3.ScopedRouteConfiguration",
};
const kServices = {
  ADS: ["envoy.service.discovery.v3.AggregatedDiscoveryService", "AggregatedResources"],
  CDS: ["envoy.service.cluster.v3.ClusterDiscoveryService", "Clusters"],
  EDS: ["envoy.service.endpoint.v3.EndpointDiscoveryService", "Endpoints"],
  LDS: ["envoy.service.listener.v3.ListenerDiscoveryService", "Listeners"],
  RDS: ["envoy.service.route.v3.RouteDiscoveryService", "Routes"],
  SDS: ["envoy.service.secret.v3.SecretDiscoveryService", "Secrets"],
  ECDS: ["envoy.service.extension.v3.ExtensionConfigDiscoveryService", "ExtensionConfigs"],
  SRDS: ["envoy.service.route.v3.ScopedRoutesDiscoveryService", "ScopedRoutes"],
};
const kDiscovery = "envoy.service.discovery.v3.";
// Long, for machines that others use too; nothing waits for it when all is well.
const kPatienceMs = 20_000;

const shortName = (url) => Object.keys(kMessages).find((key) => typeUrl(kMessages[key]) === url);
export const nameOf = (resource) => resource.cluster_name ?? resource.name;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// An element of `resources` as it is: of any type, with any bytes.
export const raw = (type_url, value = Buffer.alloc(0)) => ({raw: {type_url, value}});
// An envoy.service.discovery.v3.Resource with these fields; `resource` without "@type" is fine.
export const wrapped = (fields) => ({wrapped: fields});

function request(protos, delta, bytes) {
  const message = protos.decode(
    kDiscovery + (delta ? "DeltaDiscoveryRequest" : "DiscoveryRequest"), bytes);
  return {
    type: shortName(message.type_url) ?? message.type_url,
    nonce: message.response_nonce,
    error: message.error_detail ?? null,
    node: message.node ?? null,
    version: message.version_info,
    names: message.resource_names,
    subscribe: message.resource_names_subscribe,
    unsubscribe: message.resource_names_unsubscribe,
    initial: message.initial_resource_versions,
    at: Date.now(),
  };
}

// One stream that a client opened.
export class Stream {
  constructor(plane, call, service, delta) {
    Object.assign(this, {plane, call, service, delta, requests: [], unread: [], ended: false});
    this.nonces = {};  // so many of each type
    this.waiting = [];
    call.on("data", (bytes) => this.#receive(request(plane.protos, delta, bytes)));
    const end = () => { this.ended = true; };
    call.on("error", end);
    call.on("cancelled", end);
    call.on("end", () => {
      end();
      call.end();
    });
  }

  #receive(message) {
    this.requests.push(message);
    this.unread.push(message);
    for (const told of this.plane.listeners) told(this, message);
    for (const look of this.waiting.splice(0)) look();
  }

  // The first request of the type (or of any) that nobody took yet.
  async next(type, ms = kPatienceMs) {
    const until = Date.now() + ms;
    for (;;) {
      const at = this.unread.findIndex((one) => type === undefined || one.type === type);
      if (at >= 0) return this.unread.splice(at, 1)[0];
      if (Date.now() >= until) throw new Error(`no ${type ?? "request"} came; others: ` +
        JSON.stringify(this.unread.map(({type: other, names, subscribe, error}) =>
          [other, names ?? subscribe, error?.message])));
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
  }

  // Fails if a request of the type comes, or came and nobody took it.
  async nothing(type, ms = 300) {
    await sleep(ms);
    const found = this.unread.find((one) => one.type === type);
    if (found) throw new Error(`an unexpected request: ${JSON.stringify(found)}`);
  }

  // Sends resources of a type and returns the nonce. `options`: version, nonce, type_url, removed.
  send(type, resources, options = {}) {
    this.nonces[type] = (this.nonces[type] ?? 0) + 1;
    const nonce = options.nonce ?? `${type}-${this.nonces[type]}`;
    const version = options.version ?? String(this.plane.versions++);
    const type_url = options.type_url ?? typeUrl(kMessages[type]);
    const fields = {type_url, nonce};
    if (this.delta) {
      Object.assign(fields, {system_version_info: version, removed_resources: options.removed ?? [],
        resources: resources.map((one) => this.plane.resource(type, one, version))});
    } else {
      Object.assign(fields, {version_info: version,
        resources: resources.map((one) => this.plane.element(type, one))});
    }
    this.call.write(this.plane.message(this.delta, fields));
    return nonce;
  }

  // Any bytes, in place of a message.
  sendBytes(bytes) {
    this.call.write(bytes);
  }

  // Sends, and waits for the request that acknowledges or refuses.
  async exchange(type, resources, options = {}) {
    const nonce = this.send(type, resources, options);
    for (;;) {
      const answer = await this.next(type);
      if (answer.nonce === nonce) return answer;
      // A request of its own that crossed our answer; not what was waited for.
      this.crossed = answer;
    }
  }

  end() {
    this.ended = true;
    this.call.end();
  }

  fail(code, details) {
    this.ended = true;
    this.call.emit("error", Object.assign(new Error(details), {code, details}));
  }
}

export class ControlPlane {
  // `more`: what serves beside it, with addTo(server). `pair`: {cert, key} as text, for TLS.
  constructor(protos, more = [], pair = null) {
    Object.assign(this, {protos, more, pair, streams: [], opened: [], waiting: [], listeners: [], address: null,
      versions: 1, server: null, silent: null});
  }

  // ---- being there, and not ----

  // Listens on 127.0.0.1, on the port that it had if it had one; or where `address` says.
  async start(address = this.address ?? "127.0.0.1:0") {
    this.server = new grpc.Server({"grpc.max_receive_message_length": 64 << 20});
    for (const [name, [service, method]] of Object.entries(kServices))
      this.#serve(name, service, method);
    for (const other of this.more) other.addTo(this.server);
    const credentials = this.pair === null ? grpc.ServerCredentials.createInsecure()
      : grpc.ServerCredentials.createSsl(null, [{private_key: Buffer.from(this.pair.key),
        cert_chain: Buffer.from(this.pair.cert)}]);
    const port = await new Promise((resolve, reject) => this.server.bindAsync(address, credentials,
      (error, bound) => (error ? reject(error) : resolve(bound))));
    this.address = address.startsWith("unix:") ? address : `127.0.0.1:${port}`;
  }

  get port() {
    return Number(this.address.split(":")[1]);
  }

  // Breaks every connection off.
  stop() {
    this.server?.forceShutdown();
    this.server = null;
    for (const stream of this.streams) stream.ended = true;
    this.opened = [];
  }

  async restart() {
    this.stop();
    await this.start();
  }

  // Accepts connections and never says a word.
  async startSilent() {
    this.sockets = new Set();
    this.silent = net.createServer((socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {}).resume();
    });
    this.silent.listen(this.port, "127.0.0.1");
    await once(this.silent, "listening");
  }

  async stopSilent() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.silent.close(resolve));
    this.silent = null;
  }

  #serve(name, service, method) {
    const bytes = (message) => message;
    const definition = {}, handlers = {};
    for (const [prefix, delta] of [["Stream", false], ["Delta", true]]) {
      const full = name === "ADS" ? (prefix === "Stream" ? "Stream" : "Delta") + method
        : prefix + method;
      definition[full] = {path: `/${service}/${full}`, requestStream: true, responseStream: true,
        requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes,
        responseDeserialize: bytes};
      handlers[full] = (call) => this.#open(new Stream(this, call, name, delta));
    }
    this.server.addService(definition, handlers);
  }

  #open(stream) {
    this.streams.push(stream);
    this.opened.push(stream);
    for (const look of this.waiting.splice(0)) look();
  }

  // The next stream (of the service) that nobody took yet.
  async stream(service = "ADS", ms = kPatienceMs) {
    const until = Date.now() + ms;
    for (;;) {
      const at = this.opened.findIndex((one) => one.service === service);
      if (at >= 0) return this.opened.splice(at, 1)[0];
      if (Date.now() >= until) throw new Error(`no ${service} stream was opened`);
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
  }

  // ---- messages ----

  message(delta, fields) {
    const name = kDiscovery + (delta ? "DeltaDiscoveryResponse" : "DiscoveryResponse");
    const type = this.protos.type(name);
    const control_plane = {identifier: "scripted"};
    return Buffer.from(type.encode({...fields, control_plane}).finish());
  }

  any(type, resource) {
    return {type_url: typeUrl(kMessages[type]), value: this.protos.encode(kMessages[type], resource)};
  }

  // An element of a state-of-the-world answer.
  element(type, one) {
    if (one.raw) return one.raw;
    if (!one.wrapped) return this.any(type, one);
    const message = this.protos.type(kDiscovery + "Resource");
    const value = message.encode(this.resource(type, one, "")).finish();
    return {type_url: typeUrl(kDiscovery + "Resource"), value};
  }

  // An element of a delta answer.
  resource(type, one, version) {
    if (one.raw) return {name: one.name ?? "raw", version, resource: one.raw};
    if (!one.wrapped) return {name: nameOf(one), version, resource: this.any(type, one)};
    const {resource, ttl_s, ...fields} = one.wrapped;
    if (resource) fields.resource = resource.raw ?? this.any(type, resource);
    if (ttl_s !== undefined)
      fields.ttl = {seconds: Math.floor(ttl_s), nanos: Math.round((ttl_s % 1) * 1e9)};
    return {version, ...fields};
  }
}
