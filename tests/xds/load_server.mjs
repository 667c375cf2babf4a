// A server of load reports (LRS) that keeps what it is told, on npm's @grpc/grpc-js: alone, or
// beside the services of a control plane.
import {createRequire} from "node:module";
import {sleep} from "./control_plane.mjs";

const grpc = createRequire(import.meta.url)("@grpc/grpc-js");
const kStats = "envoy.service.load_stats.v3.";
const kPatienceMs = 20_000;

class LoadStream {
  constructor(owner, call) {
    Object.assign(this, {owner, call, requests: [], unread: [], waiting: [], ended: false});
    call.on("data", (bytes) => {
      const request = owner.protos.decode(kStats + "LoadStatsRequest", bytes);
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
      if (Date.now() >= until) throw new Error("no load report came");
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
    return this.unread.shift();
  }

  // The first request says who it is; `fields` of LoadStatsResponse say what is wanted.
  order(fields) {
    this.call.write(this.owner.protos.encode(kStats + "LoadStatsResponse", fields));
  }

  fail(code, details) {
    this.call.emit("error", Object.assign(new Error(details), {code, details}));
  }

  // What all reports since `from` say of a cluster, summed.
  total(cluster, from = 0) {
    const sum = {success: 0, error: 0, issued: 0, dropped: 0, zones: {}};
    for (const {cluster_stats} of this.requests.slice(from)) {
      for (const stats of cluster_stats.filter((one) => one.cluster_name === cluster)) {
        sum.dropped += stats.total_dropped_requests;
        for (const one of stats.upstream_locality_stats) {
          sum.success += one.total_successful_requests;
          sum.error += one.total_error_requests;
          sum.issued += one.total_issued_requests;
          const zone = `${one.locality.zone}/${one.priority}`;
          sum.zones[zone] = (sum.zones[zone] ?? 0) + one.total_issued_requests;
        }
      }
    }
    return sum;
  }
}

export class LoadServer {
  constructor(protos) {
    Object.assign(this, {protos, streams: [], opened: [], waiting: []});
  }

  // To a server that does not listen yet.
  addTo(server) {
    const bytes = (message) => message;
    const method = {path: `/${kStats}LoadReportingService/StreamLoadStats`, requestStream: true,
      responseStream: true, requestSerialize: bytes, requestDeserialize: bytes,
      responseSerialize: bytes, responseDeserialize: bytes};
    server.addService({StreamLoadStats: method}, {StreamLoadStats: (call) => {
      const stream = new LoadStream(this, call);
      this.streams.push(stream);
      this.opened.push(stream);
      for (const look of this.waiting.splice(0)) look();
    }});
  }

  async start() {
    this.server = new grpc.Server();
    this.addTo(this.server);
    this.port = await new Promise((resolve, reject) => this.server.bindAsync("127.0.0.1:0",
      grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound))));
  }

  stop() {
    this.server?.forceShutdown();
  }

  async stream(ms = kPatienceMs) {
    const until = Date.now() + ms;
    while (this.opened.length === 0) {
      if (Date.now() >= until) throw new Error("no stream of load reports was opened");
      await Promise.race([sleep(until - Date.now()), new Promise((look) => this.waiting.push(look))]);
    }
    return this.opened.shift();
  }
}
