// A server of load reports (LRS) that keeps what it is told.
import {ServerStream, StreamServer} from "./stream_server.mjs";

const kStats = "envoy.service.load_stats.v3.";

class LoadStream extends ServerStream {
  // What all reports since `from` say of a cluster, summed.
  total(cluster, from = 0) {
    const sum = {success: 0, error: 0, issued: 0, dropped: 0, categories: {}, zones: {}};
    for (const {cluster_stats} of this.requests.slice(from)) {
      for (const stats of cluster_stats.filter((one) => one.cluster_name === cluster)) {
        sum.dropped += stats.total_dropped_requests;
        for (const {category, dropped_count} of stats.dropped_requests)
          sum.categories[category] = (sum.categories[category] ?? 0) + dropped_count;
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

// The first request of a stream says who it is; order() what is wanted of it.
export class LoadServer extends StreamServer {
  constructor(protos) {
    super(protos, {path: `/${kStats}LoadReportingService/StreamLoadStats`,
      request: kStats + "LoadStatsRequest", response: kStats + "LoadStatsResponse"}, LoadStream);
  }
}
