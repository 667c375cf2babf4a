// A server that orders health checks (HDS), and keeps what it is told of them.
import {ServerStream, StreamServer} from "./stream_server.mjs";

const kHealth = "envoy.service.health.v3.";

// Of an address: its port or its path.
const placeOf = ({socket_address, pipe}) => socket_address?.port_value ?? pipe.path;

class HealthStream extends ServerStream {
  get reports() {
    return this.requests.map((one) => one.endpoint_health_response).filter(Boolean);
  }

  // What the last report says: "cluster/zone/port" to a status. Empty: there was none.
  statuses() {
    const out = {};
    for (const {cluster_name, locality_endpoints_health} of
      this.reports.at(-1)?.cluster_endpoints_health ?? [])
      for (const {locality, endpoints_health} of locality_endpoints_health)
        for (const {endpoint, health_status} of endpoints_health)
          out[`${cluster_name}/${locality.zone}/${placeOf(endpoint.address)}`] = health_status;
    return out;
  }
}

// The first request of a stream says who it is; order() what is to be checked.
export class HealthServer extends StreamServer {
  constructor(protos) {
    super(protos, {path: `/${kHealth}HealthDiscoveryService/StreamHealthCheck`,
      request: kHealth + "HealthCheckRequestOrEndpointHealthResponse",
      response: kHealth + "HealthCheckSpecifier"}, HealthStream);
  }
}

// A check that is made often, and a cluster that is checked by it at these addresses.
export const often = (how, more = {}) => ({timeout: "2s", interval: "0.05s",
  no_traffic_interval: "0.05s", unhealthy_threshold: 2, healthy_threshold: 2, ...how, ...more});
export const checked = (cluster_name, check, addresses, more = {}) => ({cluster_name,
  health_checks: [check], locality_endpoints: [{locality: {zone: "z"},
    endpoints: addresses.map((address) => ({address}))}], ...more});
