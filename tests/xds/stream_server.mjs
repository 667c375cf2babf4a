// A server of one streaming method that keeps what it is told, on npm's @grpc/grpc-js: alone, or
// beside the services of a control plane.
import {createRequire} from "node:module";
import {sleep} from "./control_plane.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");
const kPatienceMs = 20_000;

// One stream that a client opened.
export class ServerStream {
  constructor(owner, call) {
    Object.assign(this, {owner, call, requests: [], unread: [], waiting: [], ended: false});
    call.on("data", (bytes) => {
      const request = owner.protos.decode(owner.method.request, bytes);
      this.requests.push(request);
      this.unread.push(request);
      for (const look of this.waiting.splice(0)) look();
    });
    const end = () => { this.ended = true; };
    call.on("error", end);
    call.on("cancelled", end);
    call.on("end", () => {
      end();
      call.end();
    });
  }

  async next(ms = kPatienceMs) {
    const until = Date.now() + ms;
    while (this.unread.length === 0) {
      if (Date.now() >= until) throw new Error(`no ${this.owner.method.request} came`);
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
    return this.unread.shift();
  }

  // `fields` of the response's message say what is wanted.
  order(fields) {
    this.call.write(this.owner.protos.encode(this.owner.method.response, fields));
  }

  fail(code, details) {
    this.call.emit("error", Object.assign(new Error(details), {code, details}));
  }
}

export class StreamServer {
  // `method`: path, request and response; `Stream`: what its streams are.
  constructor(protos, method, Stream = ServerStream) {
    Object.assign(this, {protos, method, Stream, streams: [], opened: [], waiting: [], port: 0});
  }

  // To a server that does not listen yet.
  addTo(server) {
    const bytes = (message) => message;
    const method = {path: this.method.path, requestStream: true, responseStream: true,
      requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes,
      responseDeserialize: bytes};
    server.addService({method}, {method: (call) => {
      const stream = new this.Stream(this, call);
      this.streams.push(stream);
      this.opened.push(stream);
      for (const look of this.waiting.splice(0)) look();
    }});
  }

  // On the port that it had, if it had one.
  async start() {
    this.server = new grpc.Server();
    this.addTo(this.server);
    this.port = await new Promise((resolve, reject) => this.server.bindAsync(
      `127.0.0.1:${this.port}`, grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound))));
  }

  // Breaks every connection off.
  stop() {
    this.server?.forceShutdown();
  }

  // The next stream that nobody took yet.
  async stream(ms = kPatienceMs) {
    const until = Date.now() + ms;
    while (this.opened.length === 0) {
      if (Date.now() >= until) throw new Error(`no stream of ${this.method.path} was opened`);
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
    return this.opened.shift();
  }
}
