// The checklist's "Delta", and time to live in both variants, seen from a control plane.
import assert from "node:assert/strict";
import {sleep, wrapped} from "./control_plane.mjs";
import {assignment, cluster, edsCluster, listener, chain, inline, rds, routes} from
  "./resources.mjs";
import {body, check, eventually, finish, freePort, get, refused, upstream, world} from
  "./world.mjs";

const app = await upstream("app"), other = await upstream("other");
const port = await freePort(), port2 = await freePort();

{
  const {plane, proxy, close} = await world("delta");
  const told = (text, what) => check("delta: " + text, what);
  let stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", [edsCluster("app"), edsCluster("late", {timeout: "0s"})],
    {version: "c1"});
  const eds = await stream.next("EDS");
  await stream.exchange("EDS", [assignment("app", app.port)], {version: "e1"});

  await told("CDS and EDS: one request names all clusters of the answer", async () => {
    assert.deepEqual(eds.subscribe.sort(), ["app", "late"]);
  });

  await told("reconnect: all subscriptions again; versions of what is held, not of what is waited " +
    "for; a pure wildcard names nothing; no ACK of before", async () => {
    // This ACK is lost with the stream.
    stream.send("CDS", [cluster("static", app.port)], {version: "c2", nonce: "lost"});
    await stream.next("CDS");
    stream.end();
    stream = await plane.stream();
    const cds = await stream.next("CDS"), again = await stream.next("EDS");
    assert.deepEqual(cds.subscribe, []);
    assert.deepEqual(cds.initial, {app: "c1", late: "c1", static: "c2"});
    assert.deepEqual(again.subscribe.sort(), ["app", "late"]);
    assert.deepEqual(again.initial, {app: "e1"});
    assert.equal(cds.nonce + again.nonce, "");
    assert.equal(cds.node.id, "node-1");
  });

  await told("an unchanged resource is acknowledged and skipped", async () => {
    const before = await proxy.stat("cluster_manager.cluster_modified");
    const ack = await stream.exchange("CDS", [cluster("static", app.port)], {version: "c3"});
    assert.equal(ack.error, null);
    assert.equal(await proxy.stat("cluster_manager.cluster_modified"), before);
  });

  await told("initial_fetch_timeout 0 waits for ever: listeners are not asked for", async () => {
    await stream.nothing("LDS");
    await stream.exchange("EDS", [assignment("late", other.port)], {version: "e2"});
    await stream.next("LDS");
  });

  await told("spontaneous requests omit the nonce; ACKs go first", async () => {
    const before = stream.requests.length;
    const nonce = stream.send("LDS", [listener("front", port, chain(rds("front"))),
      listener("second", port2, chain(inline({body: "2"})))]);
    const ack = await stream.next("LDS"), asked = await stream.next("RDS");
    assert.equal(ack.nonce, nonce);
    assert.equal(asked.nonce, "");
    assert.deepEqual(stream.requests.slice(before).map(({type}) => type), ["LDS", "RDS"]);
    await stream.exchange("RDS", [routes("front", "app")]);
    await eventually(async () => await body(port) === "app");
  });

  await told("removed_resources of a requested name: the subscription is kept, the last good stays",
    async () => {
      const ack = await stream.exchange("RDS", [], {removed: ["front"]});
      assert.equal(ack.error, null);
      assert.deepEqual(ack.unsubscribe, []);
      assert.equal(await body(port), "app");
      await stream.exchange("RDS", [routes("front", "static")]);
      await eventually(async () => (await get(port)).status === 200);
    });

  await told("removed_resources of a name that is waited for ends the wait", async () => {
    await stream.exchange("CDS", [edsCluster("missing", {timeout: "0s"})]);
    await stream.next("EDS");
    assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 1);
    await stream.exchange("EDS", [], {removed: ["missing"]});
    await eventually(async () => await proxy.stat("cluster_manager.warming_clusters") === 0);
    // Still subscribed to: it may come after all.
    assert.equal((await stream.exchange("EDS", [assignment("missing", app.port)])).error, null);
    await eventually(async () => (await proxy.admin("/clusters"))
      .includes(`missing::127.0.0.1:${app.port}`));
  });

  await told("a name both added and removed: NACK", async () => {
    const nack = await stream.exchange("CDS", [cluster("static", other.port)],
      {removed: ["static"]});
    assert.match(nack.error.message, /static: .*both added and removed/);
    assert.equal(await body(port), "app");
  });

  await told("a removed name is unsubscribed from what hung on it", async () => {
    await stream.exchange("CDS", [], {removed: ["missing"]});
    const asked = await stream.next("EDS");
    assert.deepEqual(asked.unsubscribe, ["missing"]);
    assert.equal(asked.nonce, "");
  });

  await told("an alias alone brings a resource, under the name that was asked for", async () => {
    await stream.exchange("CDS", [edsCluster("by-alias")]);
    assert.deepEqual((await stream.next("EDS")).subscribe, ["by-alias"]);
    const ack = await stream.exchange("EDS", [wrapped({name: "canonical", aliases: ["by-alias"],
      version: "a1", resource: assignment("canonical", app.port)})]);
    assert.equal(ack.error, null);
    await eventually(async () => (await proxy.admin("/clusters"))
      .includes(`by-alias::127.0.0.1:${app.port}`));
  });

  await told("valid siblings of a refused resource are applied, and are held", async () => {
    const nack = await stream.exchange("CDS", [cluster("good", app.port),
      cluster("bad", 1, {connect_timeout: "-1s"})], {version: "c9"});
    assert.match(nack.error.message, /^bad: /);
    await eventually(async () => (await proxy.admin("/clusters")).includes("good::127"));
    await plane.restart();
    stream = await plane.stream();
    const {initial} = await stream.next("CDS");
    assert.equal(initial.good, "c9");
    assert.equal(initial.bad, undefined);
  });
  await close();
}

// ---- time to live ----

for (const variant of ["sotw", "delta"]) {
  const {plane, proxy, close} = await world(variant);
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", []);
  await stream.next("LDS");
  const mortal = (ttl_s) => wrapped({name: "mortal", version: "m1", ttl_s,
    resource: listener("mortal", port, chain(inline({body: "alive"})))});
  const heartbeat = (version) => wrapped({name: "mortal", version, ttl_s: 1.5});

  await check(`${variant}: TTL: a heartbeat refreshes the timer and nothing else`, async () => {
    assert.equal((await stream.exchange("LDS", [mortal(1.5)])).error, null);
    await eventually(async () => await body(port) === "alive");
    const had = await proxy.stat("listener_manager.listener_modified");
    for (let i = 0; i < 5; ++i) {
      await sleep(500);
      assert.equal((await stream.exchange("LDS", [heartbeat("m1")])).error, null);
      assert.equal(await body(port), "alive");
    }
    assert.equal(await proxy.stat("listener_manager.listener_modified"), had);
  });
  await check(`${variant}: TTL: a heartbeat of another version is refused`, async () => {
    const nack = await stream.exchange("LDS", [heartbeat("m2")]);
    assert.match(nack.error.message, /mortal: .*version 'm2'/);
  });
  await check(`${variant}: TTL: its end removes`, async () => {
    await eventually(() => refused(port), "the listener outlives its time");
    // It may come again.
    await stream.exchange("LDS", [mortal(60)]);
    await eventually(async () => await body(port) === "alive");
  });
  await close();
}

for (const one of [app, other]) one.close();
finish();
