// The checklist's "Stream and state of the world", seen from a control plane. What holds of delta
// too is tried in both variants.
import assert from "node:assert/strict";
import {raw, sleep, wrapped} from "./control_plane.mjs";
import {assignment, cluster, edsCluster, inline, listener, chain, rds, routes} from
  "./resources.mjs";
import {body, check, eventually, finish, freePort, refused, upstream, world} from "./world.mjs";

const app = await upstream("app");
const port = await freePort(), port2 = await freePort();

// Feeds a new proxy with one cluster, its endpoints, a listener and its routes.
async function begin(stream) {
  await stream.next("CDS");
  const cds = await stream.exchange("CDS", [edsCluster("app")], {version: "c1"});
  await stream.next("EDS");
  const eds = await stream.exchange("EDS", [assignment("app", app.port)], {version: "e1"});
  await stream.next("LDS");
  const lds = await stream.exchange("LDS", [listener("front", port, chain(rds("front")))],
    {version: "l1"});
  await stream.next("RDS");
  const rdsAnswer = await stream.exchange("RDS", [routes("front", "app")], {version: "r1"});
  return {cds, eds, lds, rds: rdsAnswer};
}

for (const variant of ["sotw", "delta"]) {
  const delta = variant === "delta";
  const {plane, proxy, close} = await world(variant);
  const told = (text) => check(`${variant}: ${text}`, what[text]);
  let stream, acks;

  const what = {
    "the first request carries node": async () => {
      stream = await plane.stream();
      acks = await begin(stream);
      const {node} = stream.requests[0];
      assert.equal(node.id, "node-1");
      assert.equal(node.cluster, "fleet");
      assert.equal(node.locality.zone, "z1");
      assert.equal(node.user_agent_name, "weir");
      await eventually(async () => await body(port) === "app");
    },
    "a wildcard is an empty list on the first request of CDS and LDS": async () => {
      for (const type of ["CDS", "LDS"]) {
        const first = stream.requests.find((one) => one.type === type);
        assert.deepEqual(first.names ?? first.subscribe, []);
        assert.equal(first.nonce, "");
      }
    },
    "ACK: new version and nonce, each type with its own": async () => {
      for (const [type, ack] of Object.entries(acks)) {
        assert.equal(ack.nonce, type.toUpperCase() + "-1");
        assert.equal(ack.error, null);
        if (!delta) assert.equal(ack.version, {cds: "c1", eds: "e1", lds: "l1", rds: "r1"}[type]);
      }
    },
    "NACK: old version, the nonce, error_detail with code 13, sent once": async () => {
      const nack = await stream.exchange("CDS", [edsCluster("app"),
        cluster("bad", 1, {connect_timeout: "-1s"})], {version: "c2"});
      assert.equal(nack.nonce, "CDS-2");
      if (!delta) assert.equal(nack.version, "c1");
      assert.equal(nack.error.code, 13);
      assert.match(nack.error.message, /bad: .*connect_timeout/);
      await stream.nothing("CDS");
      const ack = await stream.exchange("CDS", [edsCluster("app")], {version: "c3"});
      assert.equal(ack.error, null);
      if (!delta) assert.equal(ack.version, "c3");
    },
    "a NACK's message is bounded": async () => {
      const bad = Array.from({length: 300}, (_, i) =>
        cluster("bad-" + i + "x".repeat(200), 1, {connect_timeout: "-1s"}));
      const nack = await stream.exchange("CDS", [edsCluster("app"), ...bad]);
      assert.ok(nack.error.message.length <= 16_384, `${nack.error.message.length} bytes`);
      assert.match(nack.error.message, /and more/);
      await stream.exchange("CDS", [edsCluster("app")]);
    },
    "an Any whose type differs from the response's type_url: NACK": async () => {
      const wrong = raw("type.googleapis.com/envoy.config.listener.v3.Listener");
      const nack = await stream.exchange("CDS", [edsCluster("app"), wrong]);
      assert.match(nack.error.message, /is of type '.*Listener', the answer of '.*Cluster'/);
      assert.equal(await body(port), "app");
    },
    "resources may be wrapped in discovery.v3.Resource": async () => {
      const ack = await stream.exchange("RDS",
        [wrapped({name: "front", version: "w1", resource: routes("front", {body: "wrapped"})})]);
      assert.equal(ack.error, null);
      await eventually(async () => await body(port) === "wrapped");
      await stream.exchange("RDS", [routes("front", "app")]);
    },
    "resources that nobody requested are ignored silently": async () => {
      const ack = await stream.exchange("EDS",
        [assignment("app", app.port), assignment("nobody", 1)]);
      assert.equal(ack.error, null);
      assert.ok(!(await proxy.admin("/clusters")).includes("nobody"));
    },
    "an answer of a type that nobody asked for is passed over": async () => {
      stream.send("SDS", [], {nonce: "unasked"});
      const ack = await stream.exchange("RDS", [routes("front", "app")]);
      assert.equal(ack.error, null);
      assert.ok(!stream.requests.some((one) => one.nonce === "unasked"));
    },
    "a duplicate name: NACK": async () => {
      const nack = await stream.exchange("RDS",
        [routes("front", {body: "one"}), routes("front", {body: "two"})]);
      assert.match(nack.error.message, /front: .*more than once/);
      assert.equal(await body(port), "app");
    },
    "a message that is none: the stream is opened again, the config stays": async () => {
      stream.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
      stream = await plane.stream();
      await stream.next("CDS");
      assert.equal(await body(port), "app");
      await stream.next("EDS");
      await stream.next("LDS");
      await stream.next("RDS");
    },
    "a replayed nonce is answered, and changes nothing": async () => {
      for (let i = 0; i < 3; ++i) {
        stream.send("RDS", [routes("front", "app")], {version: "same", nonce: "again"});
        const ack = await stream.next("RDS");
        assert.equal(ack.nonce, "again");
        assert.equal(ack.error, null);
      }
      assert.equal(await body(port), "app");
    },
    "absence from EDS and RDS is nothing": async () => {
      for (const type of ["EDS", "RDS"]) {
        const ack = await stream.exchange(type, []);
        assert.equal(ack.error, null);
      }
      assert.equal(await body(port), "app");
    },
    "a removed listener and cluster go; added again, they come back": async () => {
      const gone = async (type, name) => stream.exchange(type, [], {removed: [name]});
      const had = await proxy.stat("listener_manager.listener_removed");
      assert.equal((await gone("LDS", "front")).error, null);
      await eventually(() => refused(port), "the listener is still there");
      assert.equal(await proxy.stat("listener_manager.listener_removed"), had + 1);
      assert.equal((await gone("CDS", "app")).error, null);
      await eventually(async () => await proxy.stat("cluster_manager.active_clusters") === 1);
      const seen = stream.requests.length;
      await stream.exchange("CDS", [edsCluster("app")]);
      // It is asked for anew: what was known of it went with it.
      await eventually(() => stream.requests.slice(seen).some((one) => one.type === "EDS" &&
        (one.names ?? one.subscribe).includes("app")));
      await stream.exchange("EDS", [assignment("app", app.port)]);
      await stream.exchange("LDS", [listener("front", port, chain(rds("front")))]);
      await stream.exchange("RDS", [routes("front", "app")]);
      await eventually(async () => await body(port) === "app");
    },
    "an update broken off in the middle: what came counts, the rest comes again": async () => {
      await stream.exchange("LDS", [listener("front", port, chain(rds("front"))),
        listener("second", port2, chain(rds("second")))]);
      await plane.restart();
      stream = await plane.stream();
      const names = async (type) => {
        const {names: all, subscribe} = await stream.next(type);
        return all ?? subscribe;
      };
      assert.equal(await body(port), "app");
      assert.ok((await names("RDS")).includes("second"));
      await stream.exchange("RDS", [routes("front", "app"), routes("second", {body: "2"})]);
      await eventually(async () => await body(port2) === "2");
    },
  };
  for (const text of Object.keys(what)) await told(text);
  await close();
}

// ---- state of the world only ----

{
  const {plane, proxy, close} = await world("sotw", {
    ads_more: {set_node_on_first_message_only: true}});
  let stream = await plane.stream();
  await check("sotw: set_node_on_first_message_only drops it afterwards", async () => {
    await begin(stream);
    assert.equal(stream.requests[0].node.id, "node-1");
    assert.ok(stream.requests.slice(1).every(({node}) => node === null));
  });
  await check("sotw: on reconnect nonces are cleared, version_info kept, order as before",
    async () => {
      stream.end();
      stream = await plane.stream();
      const order = [];
      for (let i = 0; i < 4; ++i) order.push(await stream.next());
      assert.deepEqual(order.map(({type}) => type), ["CDS", "EDS", "LDS", "RDS"]);
      assert.deepEqual(order.map(({version}) => version), ["c1", "e1", "l1", "r1"]);
      assert.ok(order.every(({nonce, error}) => nonce === "" && error === null));
      assert.deepEqual(order.map(({names}) => names), [[], ["app"], [], ["front"]]);
      assert.equal(order[0].node.id, "node-1");
      assert.equal(await body(port), "app");
    });
  await check("sotw: LDS and CDS: an empty response removes all", async () => {
    await stream.exchange("LDS", []);
    await eventually(() => refused(port));
    await stream.exchange("CDS", []);
    assert.equal(await proxy.stat("cluster_manager.active_clusters"), 1);
  });
  await close();
}

// ---- what limits a client ----

for (const variant of ["sotw", "delta"]) {
  const {plane, proxy, close} = await world(variant, {
    ads_more: {rate_limit_settings: {max_tokens: 5, fill_rate: 10}}});
  const stream = await plane.stream();
  await check(`${variant}: rate_limit_settings hold for a client that must refuse`, async () => {
    await stream.next("CDS");
    const began = Date.now();
    plane.listeners.push((_, request) => {
      if (request.type === "CDS") stream.send("CDS", [cluster("bad", 1, {connect_timeout: "-1s"})]);
    });
    stream.send("CDS", [cluster("bad", 1, {connect_timeout: "-1s"})]);
    await sleep(2000);
    plane.listeners.pop();
    const count = stream.requests.length, most = 5 + 10 * (Date.now() - began) / 1000 + 2;
    assert.ok(count >= 6 && count <= most, `${count} requests, ${most} are allowed`);
    assert.ok(await proxy.stat("control_plane.rate_limit_enforced") > 0);
  });
  await close();
}

{
  const {plane, close} = await world("sotw", {
    back_off: {base_interval: "0.2s", max_interval: "30s"}});
  // The time that so many attempts take, each of which ends at once.
  const attempts = async (count, answers) => {
    const began = Date.now();
    for (let i = 0; i < count; ++i) {
      const stream = await plane.stream("ADS");
      if (answers) {
        await stream.next("CDS");
        await stream.exchange("CDS", []);
      }
      stream.fail(14, "go away");
    }
    return Date.now() - began;
  };
  await check("back-off is reset on the first message received, not on connect", async () => {
    await attempts(6, false);  // the bound is 12.8 s then
    await attempts(1, true);
    const took = await attempts(6, true);  // 0.1 s each on average; 6 s and more if nothing resets
    assert.ok(took < 5000, `${took} ms`);
  });
  await close();
}

app.closeAllConnections();
app.close();
finish();
