// What a control plane says about the use of endpoints (ClusterLoadAssignment.policy), while
// requests go to them: which of them to drop, and how long the endpoints may be used.
import assert from "node:assert/strict";
import net from "node:net";
import {once} from "node:events";
import {sleep} from "./control_plane.mjs";
import {LoadServer} from "./load_server.mjs";
import {assignment, edsCluster, inline, listener, chain, socket} from "./resources.mjs";
import {check, eventually, finish, freePort, get, protos, upstream, world} from "./world.mjs";

const app = await upstream("app");
const kHeader = "x-envoy-drop-overload", kAllHeader = "x-envoy-unconditional-drop-overload";

// [category, percent], ...
const dropping = (list, more = {}) => ({...assignment("app", app.port), policy: {...more,
  drop_overloads: list.map(([category, numerator]) => ({category, drop_percentage: {numerator}}))}});
const leased = (time, ...ports) => ({...assignment("app", ...ports),
  policy: {endpoint_stale_after: time}});

const tcp = (name, port, to) => ({name, address: socket(port), filter_chains: [{filters: [{
  name: "tcp", typed_config: {"@type": "type.googleapis.com/envoy.extensions.filters.network." +
    "tcp_proxy.v3.TcpProxy", stat_prefix: "tcp", cluster: to}}]}]});

// How many of so many requests were dropped, and how they were answered.
async function ask(port, count) {
  const all = [];
  for (let i = 0; i < count; i += 20)
    all.push(...await Promise.all(Array.from({length: 20}, () => get(port))));
  const dropped = all.filter(({status}) => status !== 200);
  for (const one of dropped) assert.equal(one.status, 503);
  return {dropped: dropped.length, answers: dropped};
}

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort(), tcpPort = await freePort();
  const reports = new LoadServer(protos);
  const {plane, proxy, close} = await world(variant, {more: [reports],
    runtime: {layers: [{name: "admin", admin_layer: {}}]}});
  const stream = await plane.stream();
  const give = async (resource, version) => {
    const {error} = await stream.exchange("EDS", [resource], version && {version});
    assert.equal(error, null);
  };
  const stat = (name) => proxy.stat("cluster.app." + name);
  const drops = () => stat("upstream_rq_drop_overload");

  await stream.next("CDS");
  await stream.exchange("CDS", [edsCluster("app", {lrs_server: {self: {}}})]);
  await stream.next("EDS");
  await give(assignment("app", app.port));
  await stream.exchange("LDS", [listener("front", port, chain(inline("app"))),
    tcp("raw", tcpPort, "app")]);
  await proxy.serves();
  const load = await reports.stream();
  await load.next();
  load.order({send_all_clusters: true, load_reporting_interval: "0.2s"});
  await load.next();

  // ---- drop_overloads ----

  await told("all are dropped while requests go on, and then none", async () => {
    assert.equal((await ask(port, 20)).dropped, 0);
    await give(dropping([["all", 100]]));
    await eventually(async () => (await get(port)).status === 503);
    const {dropped, answers} = await ask(port, 40);
    assert.equal(dropped, 40);
    for (const {body, headers} of answers) {
      assert.equal(body, "unconditional drop overload");
      assert.equal(headers[kAllHeader], "true");
      assert.equal(headers[kHeader], undefined);
    }
    const said = await proxy.admin("/config_dump?include_eds&mask=dynamic_endpoint_configs");
    assert.match(said, /drop_overloads/);
    await give(assignment("app", app.port));
    await eventually(async () => (await get(port)).status === 200);
    assert.equal((await ask(port, 40)).dropped, 0);
  });

  await told("categories take their shares one after the other, and are reported", async () => {
    const from = load.requests.length, before = await drops(), fives = await stat("upstream_rq_5xx");
    await give(dropping([["throttle", 60], ["lb", 50]]));
    await eventually(async () => (await get(port)).status === 503);
    const {dropped, answers} = await ask(port, 600);
    assert.ok(dropped > 400 && dropped < 560, `${dropped} of 600`);
    for (const {body, headers} of answers) {
      assert.equal(body, "drop overload");
      assert.equal(headers[kHeader], "true");
    }
    const all = await drops() - before;
    assert.ok(all > dropped);
    assert.equal(await stat("upstream_rq_5xx") - fives, all);
    await eventually(() => {
      const {categories, dropped: total} = load.total("app", from);
      assert.equal((categories.throttle ?? 0) + (categories.lb ?? 0), all);
      assert.ok(categories.throttle > 2 * categories.lb, JSON.stringify(categories));
      assert.ok(total >= all);
      return true;
    });
  });

  await told("other categories are told apart; those that come back go on", async () => {
    await give(dropping([["lb", 100]]));
    await sleep(500);
    const from = load.requests.length;
    await ask(port, 20);
    await give(dropping([["throttle", 100]]));
    await sleep(300);
    await ask(port, 20);
    // Nor does another version of the cluster begin to count anew.
    await stream.exchange("CDS", [edsCluster("app", {connect_timeout: "3s",
      lrs_server: {self: {}}})]);
    await give(dropping([["throttle", 100]]));
    await eventually(async () => await proxy.stat("cluster_manager.warming_clusters") === 0);
    await ask(port, 20);
    await eventually(() => {
      const {categories} = load.total("app", from);
      assert.deepEqual(categories, {lb: 20, throttle: 40});
      return true;
    });
    await sleep(500);
    assert.equal(load.total("app", from).categories.throttle, 40, "nothing is told twice");
  });

  await told("the runtime's limit counts at once, if it is less", async () => {
    const limit = (value) => proxy.admin(
      `/runtime_modify?load_balancing_policy.drop_overload_limit=${value}`, {method: "POST"});
    assert.equal((await ask(port, 20)).dropped, 20);
    assert.match(await limit(0), /OK/);
    assert.equal((await ask(port, 40)).dropped, 0);
    await limit(50);
    const {dropped, answers} = await ask(port, 400);
    assert.ok(dropped > 120 && dropped < 280, `${dropped} of 400`);
    assert.equal(answers[0].headers[kHeader], "true", "it is no longer all");
    await limit("");
    assert.equal((await ask(port, 20)).dropped, 20);
  });

  await told("raw connections are not dropped, as in Envoy", async () => {
    const client = net.connect(tcpPort, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const [bytes] = await once(client, "data");
    assert.match(String(bytes), /^HTTP\/1.1 200/);
    client.destroy();
  });

  await told("a category without a name is refused, and what was before stays", async () => {
    const {error} = await stream.exchange("EDS", [dropping([["", 10]])]);
    assert.match(error.message, /app: .*drop_overloads\[0\].category/);
    assert.equal((await ask(port, 20)).dropped, 20);
    await give(assignment("app", app.port));
    await eventually(async () => (await get(port)).status === 200);
  });

  // ---- endpoint_stale_after ----

  await told("endpoints that nobody confirms in time are gone; the same again brings them back",
    async () => {
      await give(leased("1s", app.port), "s1");
      assert.equal((await get(port)).status, 200);
      await eventually(async () => (await get(port)).status === 503);
      assert.equal((await get(port)).body, "no healthy upstream");
      assert.equal(await stat("assignment_timeout_received"), 1);
      assert.equal(await stat("assignment_stale"), 1);
      assert.equal(await stat("membership_total"), 0);
      await give(leased("1s", app.port), "s1");
      await eventually(async () => (await get(port)).status === 200);
      assert.equal(await stat("assignment_timeout_received"), 2);
    });

  await told("who is confirmed stays, also by what has not changed", async () => {
    await give(leased("1s", app.port));
    const until = Date.now() + 3000, stale = await stat("assignment_stale");
    while (Date.now() < until) {
      await give(leased("1s", app.port));
      assert.equal((await get(port)).status, 200);
      await sleep(250);
    }
    assert.equal(await stat("assignment_stale"), stale);
  });

  await told("an assignment without a time stays", async () => {
    await give(leased("0.5s", app.port));
    await give(assignment("app", app.port));
    await sleep(900);
    assert.equal((await get(port)).status, 200);
  });

  await told("a control plane that is gone confirms nothing", async () => {
    await give(leased("1s", app.port));
    plane.stop();
    await eventually(async () => (await get(port)).status === 503);
  });
  await close();
}

app.closeAllConnections();
app.close();
finish();
