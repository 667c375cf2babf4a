// Clients that ask without pause, at a bounded rate, and remember every request that failed.
import {createRequire} from "node:module";
import http from "node:http";
import http2 from "node:http2";
import {get} from "./world.mjs";
import {sleep} from "./control_plane.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");
const kTickMs = 10;
const kAskMs = 25_000;
const kLate = Symbol("late");
const kMostAtOnce = 16;  // of one kind: a slow machine makes the rate lower, not the queue longer

export class Traffic {
  // `rate`: requests a second, of all kinds together.
  constructor(rate) {
    Object.assign(this, {rate, kinds: [], failed: new Map(), ended: false, longest_pause_ms: 0});
  }

  // `share`: of the rate; `ask` rejects when its request failed; `most` at once.
  add(name, share, ask, most = kMostAtOnce) {
    const kind = {name, share, ask, most, due: 0, open: 0, asked: 0};
    this.kinds.push(kind);
    return kind;
  }

  start() {
    this.running = this.#run();
  }

  async #run() {
    let before = performance.now();
    while (!this.ended) {
      await sleep(kTickMs);
      const now = performance.now();
      this.longest_pause_ms = Math.max(this.longest_pause_ms, now - before);
      for (const kind of this.kinds) {
        kind.due = Math.min(kind.due + this.rate * kind.share * (now - before) / 1000, kind.most);
        for (; kind.due >= 1 && kind.open < kind.most; --kind.due) this.#one(kind);
      }
      before = now;
    }
  }

  async #one(kind) {
    ++kind.asked;
    ++kind.open;
    try {
      const ended = kind.ask();
      const late = sleep(kAskMs).then(() => kLate);
      if (await Promise.race([ended, late]) === kLate) throw new Error("no answer in time");
    } catch (error) {
      this.fail(`${kind.name}: ${error.code ?? ""} ${error.message}`);
    }
    --kind.open;
  }

  fail(text) {
    this.failed.set(text, (this.failed.get(text) ?? 0) + 1);
  }

  // What failed, and how often.
  failures() {
    return [...this.failed].map(([text, count]) => `${count} times ${text}`);
  }

  get asked() {
    return this.kinds.reduce((sum, {asked}) => sum + asked, 0);
  }

  async stop() {
    this.ended = true;
    await this.running;
    while (this.kinds.some(({open}) => open > 0)) await sleep(kTickMs);
  }
}

function must(answer, status = 200) {
  if (answer.status !== status) throw new Error(`status ${answer.status}: ${answer.body}`);
}

// HTTP/1 over kept connections. One that the server ends just as a request leaves is no failure of
// that request: RFC 9112, 9.3.1 has the client send it again.
export function keepAlive(port, {module = http, path = "/", ...options} = {}) {
  const agent = new module.Agent({keepAlive: true, maxSockets: 8, ...options});
  const once = () => get(port, {agent, path, module, ...options});
  return async () => must(await once().catch((error) => {
    if (!error.reused || error.code !== "ECONNRESET") throw error;
    return once();
  }));
}

export function newConnections(port, options) {
  return async () => must(await get(port, options));
}

// Clients of a listener that moves from one address to another. They hold connections to the old
// one and have requests under way while it moves, but open none when nobody can know which
// address is right: until `move` is through.
export class Followers {
  constructor(port, path) {
    Object.assign(this, {port, path, gate: null, open: new Set()});
    this.agent = new http.Agent({keepAlive: true, maxSockets: 4});
  }

  async ask() {
    while (this.gate !== null) await this.gate;
    await this.#send();
  }

  async #send() {
    const answer = get(this.port, {agent: this.agent, path: this.path});
    this.open.add(answer);
    must(await answer.finally(() => this.open.delete(answer)));
  }

  // Lets `what` move the listener to `port`, with a request under way on every idle connection.
  async move(port, what) {
    let open;
    this.gate = new Promise((resolve) => { open = resolve; });
    await Promise.allSettled([...this.open]);
    const idle = Object.entries(this.agent.freeSockets)
      .flatMap(([key, sockets]) => (key.includes(`:${this.port}:`) ? sockets : [])).length;
    const under_way = Array.from({length: idle}, () => this.#send());
    for (const answer of under_way) answer.catch(() => {});  // awaited below
    await sleep(20);
    await what();
    await Promise.all(under_way);
    this.port = port;
    this.gate = null;
    open();
    return idle;
  }
}

// HTTP/2 over one connection, and over the next when a GOAWAY ends it. What the server says that
// it did not look at is sent again (RFC 9113, 8.7).
export function overHttp2(url, options = {}) {
  let session = null;
  const current = () => {
    if (session !== null && !session.closed && !session.destroyed && !session.leaving)
      return session;
    const mine = http2.connect(url, options);
    mine.on("goaway", () => { mine.leaving = true; });
    mine.on("error", () => {});
    return session = mine;
  };
  const once = () => new Promise((resolve, reject) => {
    const mine = current();
    const stream = mine.request({":path": "/"});
    let status, body = "";
    stream.on("response", (headers) => { status = headers[":status"]; });
    stream.on("data", (piece) => { body += piece; });
    stream.on("close", () => {
      const unseen = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM ||
        (mine.leaving && status === undefined);
      if (stream.rstCode === 0 && status !== undefined) return resolve({status, body});
      reject(Object.assign(new Error(`stream ended with ${stream.rstCode}`), {unseen}));
    });
    stream.on("error", () => {});
  });
  return async () => must(await once().catch((error) => {
    if (!error.unseen) throw error;
    return once();
  }));
}

// ---- gRPC ----

const bytes = (message) => message;
const chat = {path: "/test.Echo/Chat", requestStream: true, responseStream: true,
  requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes,
  responseDeserialize: bytes};

// A server that sends back each message. Gives its port.
export async function echoServer() {
  const server = new grpc.Server();
  server.addService({Chat: chat}, {Chat: (call) => {
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end());
  }});
  return new Promise((resolve, reject) => server.bindAsync("127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error)
      : resolve({port, close: () => server.forceShutdown()}))));
}

// One stream that lasts as long as the test: each message has to come back.
export class LongStream {
  constructor(port) {
    this.client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    this.call = this.client.makeBidiStreamRequest(chat.path, bytes, bytes);
    Object.assign(this, {sent: 0, received: 0, failure: null});
    this.call.on("data", (message) => {
      if (String(message) !== "message " + ++this.received) this.failure ??= "out of order";
    });
    this.call.on("error", (error) => { this.failure ??= error.message; });
    this.timer = setInterval(() => this.call.write(Buffer.from("message " + ++this.sent)), 50);
  }

  // Ends it; gives what went wrong, or null.
  async close() {
    clearInterval(this.timer);
    const ended = new Promise((resolve) => this.call.on("status", resolve));
    this.call.end();
    const status = await ended;
    this.client.close();
    if (this.failure !== null) return this.failure;
    if (status.code !== 0) return `status ${status.code}: ${status.details}`;
    return this.sent === this.received ? null : `${this.received} of ${this.sent} came back`;
  }
}
