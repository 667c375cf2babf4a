// Routes that are chosen by scope: scoped_routes of connection managers, SRDS; and that what a
// listener asked for ends with it.
//
// usage: node scopes_test.mjs WEIR PROTOS
import assert from "node:assert/strict";
import {sleep} from "./control_plane.mjs";
import {ads, chain, grpcSource, http2, cluster, inline, listener, rds, routes} from
  "./resources.mjs";
import {check, eventually, finish, freePort, get, refused, world} from "./world.mjs";

const keyBuilder = {fragments: [{header_value_extractor: {name: "x-scope", element_separator: ";",
  element: {separator: "=", key: "vip"}}}]};
const scoped = (more, timeout) => ({scoped_routes: {name: "scopes", scope_key_builder: keyBuilder,
  rds_config_source: {...ads, ...(timeout && {initial_fetch_timeout: timeout})}, ...more}});
const bySrds = (source = ads) => scoped({scoped_rds: {scoped_rds_config_source: source}});
const key = (...texts) => ({fragments: texts.map((string_key) => ({string_key}))});
const scope = (name, text, to) => ({name, key: key(text), ...(typeof to === "string"
  ? {route_configuration_name: to} : {route_configuration: to})});
const direct = (name) => routes(name, {body: name});

const ask = (port, vip) => get(port, {headers: vip === undefined ? {} : {"x-scope": `a=b;vip=${vip}`}});
const body = async (port, vip) => (await ask(port, vip)).body;
const status = async (port, vip) => (await ask(port, vip)).status;

for (const variant of ["sotw", "delta"]) {
  const delta = variant === "delta";
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort(), other = await freePort();
  const {plane, proxy, close} = await world(variant);
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", []);
  await stream.next("LDS");
  const push = (...managers) => stream.exchange("LDS", managers.map((manager, i) =>
    listener(`front-${i}`, [port, other][i], chain(manager))));
  // The state of the world of the scopes, and what changed of it.
  const scopes = new Map();
  const put = (list, removed = []) => {
    for (const name of removed) scopes.delete(name);
    for (const one of list) scopes.set(one.name, one);
    return stream.exchange("SRDS", delta ? list : [...scopes.values()], {removed});
  };

  await told("SRDS: an inline list of scopes, with routes in it and by RDS", async () => {
    const list = [scope("one", "1", direct("first")), scope("two", "2", "by-rds")];
    assert.equal((await push(scoped({scoped_route_configurations_list: {
      scoped_route_configurations: list}}))).error, null);
    const asked = await stream.next("RDS");
    assert.deepEqual(asked.names ?? asked.subscribe, ["by-rds"]);
    await sleep(200);
    assert.ok(await refused(port), "it waits for the routes of its scopes");
    await stream.exchange("RDS", [direct("by-rds")]);
    await eventually(async () => await body(port, 1) === "first");
    assert.equal(await body(port, 2), "by-rds");
  });

  await told("SRDS: a request without a matching scope gets 404", async () => {
    assert.equal(await status(port, 3), 404);
    assert.equal(await status(port), 404);
  });

  await told("SRDS: a listener waits for its scopes, and for their routes", async () => {
    await push(bySrds());
    const asked = await stream.next("SRDS");
    assert.deepEqual(asked.names ?? asked.subscribe, []);
    assert.equal((await put([scope("a", "1", "routes-a"), scope("b", "2", direct("b"))])).error,
      null);
    assert.equal(await body(port, 1), "first", "the one before serves until then");
    await stream.exchange("RDS", [direct("routes-a")]);
    await eventually(async () => await body(port, 1) === "routes-a");
    assert.equal(await body(port, 2), "b");
  });

  await told("SRDS: scopes are added, changed and removed under a live listener", async () => {
    await put([scope("c", "3", direct("c"))]);
    await eventually(async () => await body(port, 3) === "c");
    await put([scope("c", "4", direct("c2"))]);
    await eventually(async () => await body(port, 4) === "c2");
    assert.equal(await status(port, 3), 404);
    await put([], ["c"]);
    await eventually(async () => await status(port, 4) === 404);
    assert.equal(await body(port, 1), "routes-a");
    await stream.exchange("RDS", [routes("routes-a", {body: "changed"})]);
    await eventually(async () => await body(port, 1) === "changed");
  });

  await told("SRDS: two scopes with one key: the later is refused by name, the others applied",
    async () => {
      const nack = await put([scope("d", "1", direct("d")), scope("e", "5", direct("e"))]);
      assert.match(nack.error.message, /^d: key: the scope 'a' has the same/);
      assert.ok(!nack.error.message.includes("e: "));
      await eventually(async () => await body(port, 5) === "e");
      assert.equal(await body(port, 1), "changed");
      scopes.delete("d");
      // Keys that change hands at once are no conflict.
      const ack = await put([scope("b", "5", direct("b")), scope("e", "2", direct("e"))]);
      assert.equal(ack.error, null);
      await eventually(async () => await body(port, 2) === "e");
      assert.equal(await body(port, 5), "b");
    });

  await told("SRDS: what is wrong is refused by name and field", async () => {
    const bad = [
      [{...scope("x", "9", direct("x")), on_demand: true}, /^x: on_demand: /],
      [{name: "x", key: key("9")}, /^x: a scope has either/],
      [{...scope("x", "9", direct("x")), route_configuration_name: "y"}, /^x: a scope has either/],
      [scope("x", "9", {name: "x", virtual_hosts: [{name: "v", domains: []}]}),
        /^x: route_configuration\.virtual_hosts\[0\]\.domains: /],
      [{name: "x", key: {}, route_configuration_name: "y"}, /^x: key\.fragments: /],
    ];
    for (const [one, expected] of bad) {
      const nack = await put([one]);
      assert.match(nack.error.message, expected);
      scopes.delete("x");
    }
    const list = (...all) => scoped({scoped_route_configurations_list: {
      scoped_route_configurations: all}});
    const worse = [
      [list(scope("a", "1", direct("a")), scope("b", "1", direct("b"))),
        /scoped_routes\.scoped_route_configurations_list\.scoped_route_configurations\[1\]\.key: .*'a'/],
      [{scoped_routes: {...bySrds().scoped_routes, scope_key_builder: {fragments: [
        {header_value_extractor: {name: "x", index: 1}}]}}},
      /scope_key_builder\.fragments\[0\]\.header_value_extractor\.index: /],
      [bySrds(grpcSource("nobody")), /scoped_rds_config_source.*nobody/],
    ];
    for (const [one, expected] of worse) assert.match((await push(one)).error.message, expected);
    assert.equal(await body(port, 2), "e");
  });

  await told("SRDS: another listener gets what is known, without another answer", async () => {
    await push(bySrds(), bySrds());
    await eventually(async () => await body(other, 2) === "e");
    assert.equal(await body(other, 1), "changed");
  });

  await told("SRDS: /config_dump shows the scopes", async () => {
    const dump = JSON.parse(await proxy.admin("/config_dump?resource=dynamic_scoped_route_configs"));
    const names = dump.configs.flatMap((one) => one.scoped_route_configs.map(({name}) => name));
    assert.deepEqual(names.sort(), ["a", "b", "e"]);
  });

  await told("RDS and SRDS end with the listener that asked, not with the next update of LDS",
    async () => {
      stream.unread.length = 0;
      await stream.exchange("LDS", [listener("last", port, chain(rds("last")))],
        {removed: ["front-0", "front-1"]});
      const left = async (type) => {
        for (;;) {
          const one = await stream.next(type);
          if (delta ? one.unsubscribe.length > 0 : one.names.join() !== "*") return one;
        }
      };
      const gone = await left("SRDS");
      assert.deepEqual(delta ? gone.unsubscribe : gone.names, delta ? ["*"] : []);
      for (;;) {
        const one = await stream.next("RDS");
        if (delta ? one.unsubscribe.includes("routes-a") : one.names.join() === "last") break;
      }
    });

  await told("SRDS: asked for again after that, all scopes come again", async () => {
    scopes.clear();
    await stream.exchange("LDS", [listener("front-0", port, chain(bySrds()))], {removed: ["last"]});
    const asked = await stream.next("SRDS");
    assert.deepEqual(asked.names ?? asked.subscribe, ["*"]);
    await put([scope("z", "1", direct("z"))]);
    await eventually(async () => await body(port, 1) === "z");
  });
  await close();
}

// ---- a stream of its own ----

{
  const {plane, close} = await world("delta");
  const port = await freePort();
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", [cluster("scopes", plane.port,
    {typed_extension_protocol_options: http2})]);
  await stream.next("LDS");
  await check("SRDS: over a stream of its own", async () => {
    await stream.exchange("LDS", [listener("front", port, chain(bySrds(grpcSource("scopes"))))]);
    const own = await plane.stream("SRDS");
    await own.next("SRDS");
    await own.exchange("SRDS", [scope("own", "1", direct("own"))]);
    await eventually(async () => await body(port, 1) === "own");
  });
  await close();
}
finish();
