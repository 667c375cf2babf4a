// Clients that send requests until they are told to stop, and never repeat one.
import http from "node:http";
import http2 from "node:http2";
import {createRequire} from "node:module";

import {get, sleep} from "./proxy.mjs";

const kAnyStream = 0x7fffffff;
const {WebSocket, WebSocketServer} = createRequire(import.meta.url)("ws");

// Answers anything, after a while; websockets get an echo.
export async function startUpstream() {
  const server = http.createServer((request, response) => {
    setTimeout(() => response.end("from upstream"), request.url === "/slow" ? 400 : 2);
  });
  server.keepAliveTimeout = 0;
  new WebSocketServer({server}).on("connection", (socket) => {
    socket.on("message", (bytes) => socket.send(bytes));
    socket.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

export class Load {
  constructor(port) {
    this.port = port;
    this.good = 0;
    this.unsent = 0;  // HTTP/2 requests that a GOAWAY has stopped on this side
    this.closed = 0;  // responses that ended their connections
    this.goaways = [];
    this.failures = [];
    this.stopped = false;
    const one = (kind, work) => this.#repeat(kind, work);
    this.agents = [new http.Agent({keepAlive: true, maxSockets: 1}),
      new http.Agent({keepAlive: true, maxSockets: 1})];
    this.workers = [
      ...this.agents.map((agent) => one("keep-alive", () => this.#http1("/app", agent))),
      one("slow", () => this.#http1("/slow", false)),
      one("new", () => this.#http1("/hi", false)),
      one("new", () => this.#http1("/app", false)),
      one("http2", () => this.#http2()),
      one("http2", () => this.#http2()),
    ];
  }

  async #repeat(kind, work) {
    while (!this.stopped) {
      try {
        await work();
        ++this.good;
      } catch (error) {
        this.failures.push(`${kind}: ${error.code ?? ""} ${error.message}`);
      }
      await sleep(1);
    }
  }

  async #http1(path, agent) {
    const {status, body, headers} = await get(this.port, path, {agent});
    const wanted = path === "/hi" ? "hi" : "from upstream";
    if (status !== 200 || body !== wanted) throw new Error(`${status} ${body}`);
    if (agent && headers.connection === "close") ++this.closed;
  }

  #session() {
    if (this.session && !this.session.closed && !this.session.destroyed) return this.session;
    const session = http2.connect(`http://127.0.0.1:${this.port}`);
    session.goaways = 0;
    session.on("goaway", (code, lastStream) => {
      ++session.goaways;
      session.lastStream = lastStream;
    });
    session.on("close", () => this.goaways.push(session.goaways));
    session.on("error", (error) => this.failures.push("http2 session: " + error.message));
    return this.session = session;
  }

  #http2() {
    return new Promise((resolve, reject) => {
      const session = this.#session();
      const stream = session.request({":path": "/app"});
      let status;
      let body = "";
      stream.on("response", (headers) => status = headers[":status"]);
      stream.on("data", (bytes) => body += bytes);
      stream.on("error", () => {});
      stream.on("close", () => setImmediate(() => {
        if (status === 200 && body === "from upstream") return resolve();
        // The first GOAWAY excludes no stream: what is refused then, nghttp2 on this side has not
        // sent, and the request has yet to be made.
        const refused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM;
        if (!refused || status !== undefined || session.lastStream !== kAnyStream)
          return reject(new Error(`${status} ${body} (reset ${stream.rstCode})`));
        ++this.unsent;
        this.#http2().then(resolve, reject);
      }));
    });
  }

  async stop() {
    this.stopped = true;
    await Promise.all(this.workers);
    for (const agent of this.agents) agent.destroy();
    this.session?.close();
  }
}

// A stream that lives as long as its user likes: each message is answered.
export class Stream {
  static async open(port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
    await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
    return new Stream(socket);
  }
  constructor(socket) {
    this.socket = socket;
    this.lost = false;
    socket.on("close", () => this.lost = true);
    socket.on("error", () => this.lost = true);
  }
  say(text) {
    return new Promise((resolve, reject) => {
      if (this.lost) return reject(new Error("the stream broke off"));
      this.socket.once("close", () => reject(new Error("the stream broke off")));
      this.socket.once("message", (bytes) => bytes.toString() === text
        ? resolve() : reject(new Error("another message came: " + bytes)));
      this.socket.send(text);
    });
  }
  close() {
    return new Promise((resolve) => this.socket.on("close", resolve).close());
  }
}
