// The admin port's /config_dump of a proxy that control planes feed: versions, states, refusals,
// endpoints as they are in use, and parts of it.
import assert from "node:assert/strict";
import {assignment, chain, cluster, edsCluster, inline, listener} from "./resources.mjs";
import {check, eventually, finish, freePort, upstream, world} from "./world.mjs";

const kPrefix = "type.googleapis.com/envoy.admin.v3.";

for (const variant of ["sotw", "delta"]) {
  const app = await upstream("app"), port = await freePort();
  const {plane, proxy, close} = await world(variant);
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const stream = await plane.stream();
  const dump = async (query = "") => JSON.parse(await proxy.admin("/config_dump" + query)).configs;
  const part = async (name, query) => (await dump(query)).find((one) =>
    one["@type"] === kPrefix + name);
  const recent = (text) => Math.abs(Date.parse(text) - Date.now()) < 60_000;

  await told("a cluster that waits for its endpoints is warming", async () => {
    await stream.next("CDS");
    await stream.exchange("CDS", [edsCluster("app")], {version: "c1"});
    const clusters = await part("ClustersConfigDump");
    assert.equal(clusters.dynamic_active_clusters, undefined);
    assert.equal(clusters.dynamic_warming_clusters[0].cluster.name, "app");
    assert.equal(clusters.static_clusters[0].cluster.name, "control");
  });
  await told("what is in force has its version, time and state", async () => {
    await stream.exchange("EDS", [assignment("app", app.port)], {version: "e1"});
    await stream.exchange("LDS", [listener("front", port, chain(inline("app")))], {version: "l1"});
    await proxy.serves();
    const clusters = await part("ClustersConfigDump"), listeners = await part("ListenersConfigDump");
    if (variant === "sotw") {
      assert.equal(clusters.version_info, "c1");
      assert.equal(listeners.version_info, "l1");
    }
    const [active] = clusters.dynamic_active_clusters;
    assert.equal(active.version_info, "c1");
    assert.equal(active.client_status, "ACKED");
    assert.ok(recent(active.last_updated));
    const [front] = listeners.dynamic_listeners;
    assert.equal(front.name, "front");
    assert.equal(front.active_state.version_info, "l1");
    assert.equal(front.client_status, "ACKED");
  });
  await told("what was refused has its reason, also when nothing of it is in force", async () => {
    await stream.exchange("LDS", [listener("front", port, chain(inline("nobody"))),
      listener("odd", port, [])], {version: "l2"});
    const {dynamic_listeners} = await part("ListenersConfigDump");
    const [front, odd] = ["front", "odd"].map((name) =>
      dynamic_listeners.find((one) => one.name === name));
    assert.equal(front.active_state.version_info, "l1");
    assert.equal(front.client_status, "NACKED");
    assert.match(front.error_state.details, /nobody/);
    assert.equal(front.error_state.version_info, "l2");
    assert.ok(recent(front.error_state.last_update_attempt));
    assert.equal(odd.client_status, "NACKED");
    assert.equal(odd.active_state, undefined);
    assert.ok(odd.error_state.details.length > 0);
    await stream.exchange("LDS", [listener("front", port, chain(inline("app")))], {version: "l3",
      removed: ["odd"]});
    await eventually(async () => {
      const left = (await part("ListenersConfigDump")).dynamic_listeners;
      return left.length === 1 && left[0].error_state === undefined;
    });
  });
  await told("include_eds: endpoints as they are in use, of each cluster", async () => {
    assert.equal(await part("EndpointsConfigDump"), undefined);
    const {static_endpoint_configs, dynamic_endpoint_configs} = await part("EndpointsConfigDump",
      "?include_eds");
    assert.equal(static_endpoint_configs[0].endpoint_config.cluster_name, "control");
    const [eds] = dynamic_endpoint_configs;
    assert.equal(eds.endpoint_config.cluster_name, "app");
    assert.equal(eds.version_info, "e1");
    const [endpoint] = eds.endpoint_config.endpoints[0].lb_endpoints;
    assert.equal(endpoint.endpoint.address.socket_address.port_value, app.port);
    assert.equal(endpoint.health_status, "HEALTHY");
  });
  await told("resource: the entries of one list; name_regex: whole names", async () => {
    await stream.exchange("CDS", [edsCluster("app"), cluster("apple", app.port)], {version: "c2"});
    await eventually(async () => (await dump("?resource=dynamic_active_clusters")).length === 2);
    const [one, ...others] = await dump("?resource=dynamic_active_clusters&name_regex=app");
    assert.equal(one.cluster.name, "app");
    assert.equal(one["@type"], kPrefix + "ClustersConfigDump.DynamicCluster");
    assert.deepEqual(others, []);
    assert.match(await proxy.admin("/config_dump?resource=nothing"), /no list/);
    assert.match(await proxy.admin("/config_dump?resource=bootstrap"), /mask=bootstrap/);
  });
  await told("mask: some fields of each dump, or of each entry, through what they hold", async () => {
    const [bootstrap, ...others] = await dump("?mask=bootstrap.node.id");
    assert.deepEqual(bootstrap.bootstrap, {node: {id: "node-1"}});
    assert.deepEqual(others, []);
    const names = await dump("?resource=dynamic_listeners&mask=active_state.listener.name");
    assert.deepEqual(names.map(({active_state}) => Object.keys(active_state.listener).sort()),
      [["@type", "name"]]);
    assert.match(await proxy.admin("/config_dump?mask=nothing"), /fits no part/);
  });
  await told("a policy that nobody has is passed over, and shown by its name", async () => {
    const policy = (name, typed_config) => ({typed_extension_config: {name, typed_config}});
    const odd = {...cluster("odd", app.port), load_balancing_policy: {policies: [
      policy("acme", {"@type": "type.googleapis.com/acme.v1.Policy", "@value": "CAE="}),
      policy("random", {"@type": "type.googleapis.com/envoy.extensions.load_balancing_policies" +
        ".random.v3.Random"})]}};
    assert.equal((await stream.exchange("CDS", [edsCluster("app"), odd])).error, null);
    await eventually(async () => (await part("ClustersConfigDump")).dynamic_active_clusters
      .some((one) => one.cluster.name === "odd"));
    const shown = (await part("ClustersConfigDump")).dynamic_active_clusters
      .find((one) => one.cluster.name === "odd").cluster.load_balancing_policy.policies;
    assert.deepEqual(shown[0].typed_extension_config, {name: "acme", typed_config: {}});
    odd.load_balancing_policy.policies.pop();
    const nack = await stream.exchange("CDS", [edsCluster("app"), odd]);
    assert.match(nack.error.message, /^odd: load_balancing_policy: .*none of these.*acme/);
  });
  await close();
  app.close();
}

finish();
