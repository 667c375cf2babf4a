// The checklist's "Order and warming", seen from a control plane and from a client of the proxy.
import assert from "node:assert/strict";
import http from "node:http";
import {sleep} from "./control_plane.mjs";
import {assignment, cluster, edsCluster, inline, listener, chain, rds, routes, secret, tls} from
  "./resources.mjs";
import {body, certificate, check, eventually, finish, freePort, get, refused, upstream, world} from
  "./world.mjs";

const one = await upstream("one"), two = await upstream("two");
const names = ({names, subscribe}) => (names ?? subscribe).slice().sort();

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort(), port2 = await freePort(), port3 = await freePort();
  const static_port = await freePort();
  const {plane, proxy, close} = await world(variant, {
    clusters: [cluster("static", one.port)],
    listeners: [listener("static", static_port, chain(inline("static")))]});
  const stream = await plane.stream();
  // All clusters and listeners that there are to be; a state of the world has to repeat them.
  const clusters = new Map(), listeners = new Map();
  const push = (type, known, list) => {
    for (const one of list) known.set(one.name, one);
    return stream.exchange(type, variant === "delta" ? list : [...known.values()]);
  };
  const cds = (...list) => push("CDS", clusters, list);
  const lds = (...list) => push("LDS", listeners, list);
  const takeAway = (type, known, name) => {
    known.delete(name);
    return stream.exchange(type, variant === "delta" ? [] : [...known.values()], {removed: [name]});
  };

  await told("start: CDS, then EDS; LDS only when the clusters are warm, then RDS", async () => {
    await stream.next("CDS");
    await cds(edsCluster("a"), edsCluster("b"));
    await stream.next("EDS");
    await stream.exchange("EDS", [assignment("a", one.port)]);
    await stream.nothing("LDS");
    await stream.exchange("EDS", [assignment("a", one.port), assignment("b", two.port)]);
    await stream.next("LDS");
    await lds(listener("front", port, chain(rds("front"))));
    await stream.next("RDS");
    await stream.nothing("RDS");
    assert.ok((await proxy.admin("/server_info")).includes("INITIALIZING"));
    await stream.exchange("RDS", [routes("front", "a")]);
    await proxy.serves();
    await eventually(async () => await body(port) === "one");
  });

  await told("while CDS is applied EDS pauses: one request for all, after the ACK", async () => {
    const before = stream.requests.length;
    const many = Array.from({length: 20}, (_, i) => edsCluster("many-" + i, {timeout: "0.5s"}));
    await cds(...many);
    const asked = await stream.next("EDS");
    assert.ok(names(asked).length >= 20);
    await stream.nothing("EDS");
    assert.deepEqual(stream.requests.slice(before).map(({type}) => type), ["CDS", "EDS"]);
    // initial_fetch_timeout: what never came is done without.
    await eventually(async () => await proxy.stat("cluster_manager.warming_clusters") === 0);
    for (const {name} of many) clusters.delete(name);
    await stream.exchange("CDS", variant === "delta" ? [] : [...clusters.values()],
      {removed: many.map(({name}) => name)});
    await stream.next("EDS");
  });

  await told("while LDS is applied RDS pauses: one request for all, after the ACK", async () => {
    const before = stream.requests.length;
    await lds(listener("second", port2, chain(rds("second"))),
      listener("third", port3, chain(rds("third", "0.5s"))));
    const asked = names(await stream.next("RDS"));
    assert.ok(asked.includes("second") && asked.includes("third"));
    await stream.nothing("RDS");
    assert.deepEqual(stream.requests.slice(before).map(({type}) => type), ["LDS", "RDS"]);
  });

  await told("a listener waits for its routes; initial_fetch_timeout ends that", async () => {
    await eventually(async () => (await get(port3)).status === 404);
    assert.ok(await refused(port2));
    await stream.exchange("RDS", [routes("second", "b")]);
    await eventually(async () => await body(port2) === "two");
    await stream.exchange("RDS", [routes("third", "a")]);
    await eventually(async () => await body(port3) === "one");
    await takeAway("LDS", listeners, "third");
  });

  await told("initial_fetch_timeout is disarmed by a rejection", async () => {
    await lds(listener("third", port3, chain(rds("refused", "30s"))));
    await stream.next("RDS");
    const nack = await stream.exchange("RDS",
      [{name: "refused", virtual_hosts: [{name: "none", domains: []}]}]);
    assert.match(nack.error.message, /refused: .*domains/);
    await eventually(async () => (await get(port3)).status === 404, "the listener waits", 15_000);
    await stream.exchange("RDS", [routes("refused", {body: "better"})]);
    await eventually(async () => await body(port3) === "better");
    await takeAway("LDS", listeners, "third");
  });

  await told("a listener waits for its secrets", async () => {
    await lds(listener("third", port3, chain(inline("a"), tls("cert"))));
    await stream.next("SDS");
    await sleep(200);
    assert.ok(await refused(port3));
    await stream.exchange("SDS", [secret("cert", certificate("a.test"))]);
    await eventually(async () => !await refused(port3));
    await takeAway("LDS", listeners, "third");
  });

  await told("an identical cluster is skipped", async () => {
    const before = await proxy.stat("cluster_manager.cluster_modified");
    assert.equal((await cds(edsCluster("a"))).error, null);
    assert.equal(await proxy.stat("cluster_manager.cluster_modified"), before);
    await stream.nothing("EDS", 100);
  });

  await told("a changed cluster warms beside the active one, which serves meanwhile", async () => {
    await cds(edsCluster("a", {service: "a-service", timeout: "0s"}));
    const asked = await stream.next("EDS");
    assert.ok(names(asked).includes("a-service"));
    assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 1);
    for (let i = 0; i < 10; ++i) assert.equal(await body(port), "one");
    await stream.exchange("EDS", [assignment("a-service", two.port)]);
    await eventually(async () => await body(port) === "two");
    assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 0);
    await cds(edsCluster("a"));
    await stream.next("EDS");
    await stream.exchange("EDS", [assignment("a", one.port)]);
    await eventually(async () => await body(port) === "one");
  });

  const endpoints = () => stream.exchange("EDS", [assignment("a", one.port),
    assignment("b", two.port)]);
  const askedAgain = () => eventually(() => {
    const asked = stream.unread.filter(({type}) => type === "EDS");
    if (!asked.some((request) => names(request).includes("a"))) return false;
    stream.unread = stream.unread.filter(({type}) => type !== "EDS");
    return true;
  });
  const waits = async () => assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 1);
  const isWarm = () => eventually(async () =>
    await proxy.stat("cluster_manager.warming_clusters") === 0);

  await told("a changed cluster needs a fresh EDS response, be it the same again", async () => {
    await cds(edsCluster("a", {connect_timeout: "3s"}));
    await askedAgain();
    await sleep(200);
    await waits();
    for (let i = 0; i < 10; ++i) assert.equal(await body(port), "one");
    await endpoints();
    await isWarm();
    assert.equal(await body(port), "one");
    // One that is refused ends the wait too: the last good one serves.
    await cds(edsCluster("a", {connect_timeout: "4s"}));
    await askedAgain();
    const nack = await stream.exchange("EDS", [assignment("a", 70_000), assignment("b", two.port)]);
    assert.match(nack.error.message, /a: .*port_value/);
    await isWarm();
    assert.equal(await body(port), "one");
    await endpoints();
  });

  await told("without a fresh EDS response in time, the known one serves", async () => {
    await cds(edsCluster("a", {timeout: "1s"}));
    await askedAgain();
    await waits();
    await isWarm();
    assert.equal(await body(port), "one");
  });

  await told("each valid resource is applied, then one NACK joins the errors", async () => {
    const nack = await stream.exchange("CDS", [...clusters.values(), cluster("good", two.port),
      cluster("bad", 1, {connect_timeout: "-1s"}), cluster("worse", 1, {connect_timeout: "-2s"})]);
    assert.match(nack.error.message, /bad: [^]*worse: /);
    assert.equal(await proxy.stat("cluster_manager.active_clusters"), 5);
    await stream.exchange("RDS", [routes("front", "good"), routes("second", "b")]);
    await eventually(async () => await body(port) === "two");
    await stream.exchange("RDS", [routes("front", "a"), routes("second", "b")]);
    await takeAway("CDS", clusters, "good");
  });

  await told("LDS removes first, so that an address can be reused", async () => {
    listeners.delete("second");
    const again = listener("second-again", port2, chain(inline({body: "again"})));
    listeners.set(again.name, again);
    const ack = await stream.exchange("LDS", variant === "delta" ? [again] : [...listeners.values()],
      {removed: ["second"]});
    assert.equal(ack.error, null);
    await eventually(async () => await body(port2) === "again");
  });

  await told("out of order: routes to a cluster that follows", async () => {
    await stream.exchange("RDS", [routes("front", "follows")]);
    await eventually(async () => (await get(port)).status === 503);
    await cds(cluster("follows", two.port));
    await eventually(async () => await body(port) === "two");
    await stream.exchange("RDS", [routes("front", "a")]);
    await eventually(async () => await body(port) === "one");
  });

  await told("static clusters and listeners cannot be changed", async () => {
    const bad = await stream.exchange("CDS", [...clusters.values(), cluster("static", two.port)]);
    assert.match(bad.error.message, /static: .*bootstrap/);
    const worse = await stream.exchange("LDS", [...listeners.values(),
      listener("static", port3, chain(inline({body: "no"})))]);
    assert.match(worse.error.message, /static: .*bootstrap/);
    assert.equal(await body(static_port), "one");
    // Nor removed.
    await stream.exchange("CDS", [...clusters.values()], {removed: ["static"]});
    assert.equal(await body(static_port), "one");
  });

  await told("EDS diffs by address: surviving hosts keep their connections", async () => {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    await stream.exchange("EDS", [assignment("a", one.port), assignment("b", two.port)]);
    for (let i = 0; i < 5; ++i) await get(port, {agent});
    const had = one.connections;
    for (let i = 0; i < 10; ++i) {
      const ports = i % 2 ? [one.port] : [one.port, two.port];
      await stream.exchange("EDS", [assignment("a", ...ports), assignment("b", two.port)]);
      for (let k = 0; k < 4; ++k) assert.equal((await get(port, {agent})).status, 200);
    }
    // As many as there are workers.
    assert.ok(one.connections <= had + 1, `${one.connections - had} new connections`);
    agent.destroy();
  });

  await told("EDS: drop_overloads drops", async () => {
    const all = {...assignment("a", one.port), policy: {drop_overloads: [
      {category: "test", drop_percentage: {numerator: 100, denominator: "HUNDRED"}}]}};
    const ack = await stream.exchange("EDS", [all, assignment("b", two.port)]);
    assert.equal(ack.error, null);
    await eventually(async () => (await get(port)).status === 503);
    await stream.exchange("EDS", [assignment("a", one.port), assignment("b", two.port)]);
    await eventually(async () => await body(port) === "one");
  });

  await told("a response of clusters without endpoints does not replace the active ones",
    async () => {
      await cds(edsCluster("b", {service: "never", timeout: "0s"}));
      await stream.exchange("RDS", [routes("front", "b")]);
      await eventually(async () => await body(port) === "two");
      assert.equal(await proxy.stat("cluster_manager.warming_clusters"), 1);
    });
  await close();
}

// ---- listeners of the bootstrap ----

{
  const port = await freePort();
  const {plane, proxy, close} = await world("delta", {cds: null, lds: null,
    listeners: [listener("static", port, chain(rds("front")))]});
  await check("start: the process serves when the routes of static listeners have come",
    async () => {
      const stream = await plane.stream();
      await stream.next("RDS");
      await sleep(200);
      assert.ok(!(await proxy.admin("/server_info")).includes('"LIVE"'));
      await stream.exchange("RDS", [routes("front", {body: "came"})]);
      await proxy.serves();
      assert.equal(await body(port), "came");
    });
  await close();
}

// ---- a control plane that is not there ----

{
  const port = await freePort();
  const {plane, proxy, close} = await world("sotw", {
    cds: {resource_api_version: "V3", ads: {}, initial_fetch_timeout: "2s"},
    lds: {resource_api_version: "V3", ads: {}, initial_fetch_timeout: "1s"},
    listeners: [listener("static", port, chain(inline({body: "static"})))]});
  plane.stop();
  await check("initial_fetch_timeout is not disarmed by a failed connection: it serves after it",
    async () => {
      await proxy.serves();
      assert.equal(await body(port), "static");
      await plane.start();
      const stream = await plane.stream();
      await stream.next("CDS");
    });
  await close();
}

for (const app of [one, two]) {
  app.closeAllConnections();
  app.close();
}
finish();
