// Configurations of HTTP filters that come by themselves (ECDS), and TypedStructs: the messages
// that they stand for.
//
// usage: node extensions_test.mjs WEIR PROTOS
import assert from "node:assert/strict";
import http from "node:http";
import {mkdtempSync, renameSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {sleep} from "./control_plane.mjs";
import {chain, cluster, discovered, extension, grpcSource, http2, inline, kMutation, listener,
  mutation, mutationPerRoute, router, routes} from "./resources.mjs";
import {check, eventually, finish, freePort, get, refused, world} from "./world.mjs";

const kLimit = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit";
const kPrefix = "extension_config_discovery.http_filter.";
const denying = {"@type": kLimit, stat_prefix: "deny", token_bucket: {max_tokens: 1,
  tokens_per_fill: 1, fill_interval: "3600s"}, filter_enabled: {default_value: {numerator: 0}}};

// Answers /slow when it is told to.
const slow = [];
const app = http.createServer({keepAliveTimeout: 0}, (request, response) => {
  if (request.url === "/slow") slow.push(() => response.end("slow"));
  else response.end("app");
});
await new Promise((resolve) => app.listen(0, "127.0.0.1", resolve));

const filters = (...list) => ({http_filters: [...list, {name: "router", typed_config: router}]});
const said = async (port, options) => (await get(port, options)).headers["x-filter"];
const status = async (port) => (await get(port)).status;

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort();
  const {plane, proxy, close} = await world(variant, {
    clusters: [cluster("app", app.address().port)]});
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", []);
  await stream.next("LDS");
  const push = (list, more = {}) => stream.exchange("LDS", [listener("front", port,
    chain({...inline("app"), ...filters(...list), ...more}))]);
  const asked = async () => {
    const one = await stream.next("ECDS");
    return one.names ?? one.subscribe;
  };

  await told("ECDS: a listener waits for the configuration of its filter", async () => {
    assert.equal((await push([discovered("one")])).error, null);
    assert.deepEqual(await asked(), ["one"]);
    await sleep(200);
    assert.ok(await refused(port));
    assert.equal(await proxy.stat("listener_manager.total_listeners_warming"), 1);
    const ack = await stream.exchange("ECDS", [extension("one", mutation("v1"))]);
    assert.equal(ack.error, null);
    await eventually(async () => await said(port) === "v1");
    assert.equal(await proxy.stat(kPrefix + "one.config_reload"), 1);
  });

  await told("ECDS: an update is for new requests, on the same connections and listener",
    async () => {
      const agent = new http.Agent({keepAlive: true, maxSockets: 1});
      const before = await get(port, {agent});
      const modified = await proxy.stat("listener_manager.listener_modified");
      await stream.exchange("ECDS", [extension("one", mutation("v2"))]);
      await eventually(async () => await said(port) === "v2");
      const after = await get(port, {agent});
      assert.equal(after.headers["x-filter"], "v2");
      assert.equal(after.local, before.local);
      assert.equal(await proxy.stat("listener_manager.listener_modified"), modified);
      agent.destroy();
    });

  await told("ECDS: a request ends with the filters that it began with", async () => {
    const under_way = get(port, {path: "/slow"});
    await eventually(() => slow.length === 1);
    await stream.exchange("ECDS", [extension("one", mutation("v3"))]);
    await eventually(async () => await said(port) === "v3");
    slow.pop()();
    assert.equal((await under_way).headers["x-filter"], "v2");
  });

  await told("ECDS: another type than type_urls has is a NACK by name and field; the last stays",
    async () => {
      const nack = await stream.exchange("ECDS", [extension("one", denying)]);
      assert.match(nack.error.message, /^one: typed_config: .*LocalRateLimit.*HeaderMutation/);
      assert.equal(await said(port), "v3");
      assert.equal(await proxy.stat(kPrefix + "one.config_fail"), 1);
    });

  await told("ECDS: what the filter refuses is a NACK with the field's path; the last stays",
    async () => {
      const bad = mutation("x");
      bad.mutations.response_mutations[0].append.header.key = "";
      const nack = await stream.exchange("ECDS", [extension("one", bad)]);
      assert.match(nack.error.message,
        /^one: typed_config\.mutations\.response_mutations\[0\]\.append\.header\.key: /);
      const unknown = await stream.exchange("ECDS",
        [extension("one", {"@type": "type.googleapis.com/acme.v1.Unknown"})]);
      assert.match(unknown.error.message, /^one: typed_config: .*acme\.v1\.Unknown/);
      assert.equal(await said(port), "v3");
    });

  await told("ECDS: /config_dump shows it", async () => {
    const dump = JSON.parse(await proxy.admin("/config_dump?resource=ecds_filters"));
    assert.equal(dump.configs.length, 1);
    assert.equal(dump.configs[0].ecds_filter.name, "one");
    assert.match(dump.configs[0].error_state.details, /acme/);
  });

  await told("ECDS: a second listener gets what is known, without another answer", async () => {
    const other = await freePort();
    await stream.exchange("LDS", [listener("other", other, chain({...inline("app"),
      ...filters(discovered("one"))})), listener("front", port, chain({...inline("app"),
      ...filters(discovered("one"))}))]);
    await eventually(async () => await said(other) === "v3");
    assert.equal(await said(port), "v3");
  });

  await told("ECDS: a per-route configuration overrides what came, by its type only", async () => {
    const list = [{match: {prefix: "/mine"}, route: {cluster: "app"},
      typed_per_filter_config: {two: mutationPerRoute("route")}},
    {match: {prefix: "/"}, route: {cluster: "app"}}];
    await push([discovered("two", {type_urls: [kMutation, kLimit]})],
      {route_config: routes("inline", list)});
    assert.ok((await asked()).includes("two"));
    await stream.exchange("ECDS", [extension("one", mutation("v3")),
      extension("two", mutation("all"))]);
    await eventually(async () => await said(port) === "all");
    assert.equal(await said(port, {path: "/mine"}), "all, route");
    // The same name, and a filter that knows nothing of the route's message.
    await stream.exchange("ECDS", [extension("one", mutation("v3")), extension("two", denying)]);
    await eventually(async () => await said(port) === undefined);
    assert.equal((await get(port, {path: "/mine"})).status, 200);
    const wrong = await push([discovered("two")], {route_config: routes("inline", [{...list[1],
      typed_per_filter_config: {two: {...denying}}}])});
    assert.match(wrong.error.message, /typed_per_filter_config.*two.*HeaderMutation/);
  });

  await told("ECDS: default_config serves when nothing comes in time", async () => {
    await push([discovered("never", {timeout: "0.3s", fallback: mutation("default")})]);
    await eventually(async () => await said(port) === "default");
    assert.equal(await proxy.stat("xds.ecds.init_fetch_timeout"), 1);
    await stream.exchange("ECDS", [extension("never", mutation("late"))]);
    await eventually(async () => await said(port) === "late");
  });

  await told("ECDS: apply_default_config_without_warming serves at once", async () => {
    await push([discovered("eager", {timeout: "0s", fallback: mutation("eager"), at_once: true})]);
    await eventually(async () => await said(port) === "eager");
    await stream.exchange("ECDS", [extension("eager", mutation("came"))]);
    await eventually(async () => await said(port) === "came");
  });

  await told("ECDS: without a configuration and a default, 500 with NFCF", async () => {
    const log = {name: "log", typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
      log_format: {text_format_source: {inline_string:
        "flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS%\n"}}}};
    await push([discovered("missing", {timeout: "0.3s"})], {access_log: [log]});
    await eventually(async () => await status(port) === 500);
    await eventually(() => proxy.log.includes("flags=NFCF details=filter_config_not_found"));
    const disabled = await push([discovered("missing", {timeout: "0.3s", disabled: true})]);
    assert.equal(disabled.error, null);
    await eventually(async () => await status(port) === 200);
  });

  if (variant === "delta")
    await told("ECDS: what is removed leaves the default", async () => {
      await push([discovered("gone", {fallback: mutation("default")})]);
      await asked();
      await stream.exchange("ECDS", [extension("gone", mutation("there"))]);
      await eventually(async () => await said(port) === "there");
      await stream.exchange("ECDS", [], {removed: ["gone"]});
      await eventually(async () => await said(port) === "default");
    });

  await told("ECDS: what cannot be is refused with its place", async () => {
    const refusals = [
      [discovered("x", {at_once: true}), /apply_default_config_without_warming: .*default_config/],
      [discovered("x", {fallback: denying}), /config_discovery\.default_config: .*LocalRateLimit/],
      [discovered("x", {type_urls: ["type.googleapis.com/acme.v1.Unknown"]}),
        /config_discovery\.type_urls\[0\]: .*acme\.v1\.Unknown/],
      [discovered("x", {type_urls: [router["@type"]]}), /type_urls\[0\]: the router/],
      [discovered("x", {source: grpcSource("nobody")}), /config_source.*nobody/],
    ];
    for (const [filter, expected] of refusals)
      assert.match((await push([filter])).error.message, expected);
  });
  await close();
}

// ---- listeners of the bootstrap ----

{
  const port = await freePort();
  const {plane, proxy, close} = await world("delta", {
    clusters: [cluster("app", app.address().port)], cds: null, lds: null,
    listeners: [listener("static", port, chain({...inline("app"),
      ...filters(discovered("one"))}))]});
  await check("ECDS: the process serves when the filters of static listeners have come",
    async () => {
      const stream = await plane.stream();
      assert.deepEqual((await stream.next("ECDS")).subscribe, ["one"]);
      await sleep(200);
      assert.ok(!(await proxy.admin("/server_info")).includes('"LIVE"'));
      await stream.exchange("ECDS", [extension("one", mutation("v1"))]);
      await proxy.serves();
      assert.equal(await said(port), "v1");
    });
  await close();
}

// ---- other sources ----

for (const variant of ["GRPC", "DELTA_GRPC"]) {
  const {plane, close} = await world("sotw");
  const port = await freePort();
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", [cluster("app", app.address().port), cluster("filters",
    plane.port, {typed_extension_protocol_options: http2})]);
  await stream.next("LDS");
  await check(`ECDS: over a stream of its own, ${variant}`, async () => {
    const source = grpcSource("filters", variant);
    await stream.exchange("LDS", [listener("front", port, chain({...inline("app"),
      ...filters(discovered("own", {source}))}))]);
    const own = await plane.stream("ECDS");
    assert.equal(own.delta, variant === "DELTA_GRPC");
    const first = await own.next("ECDS");
    assert.deepEqual(first.names ?? first.subscribe, ["own"]);
    await own.exchange("ECDS", [extension("own", mutation("own"))]);
    await eventually(async () => await said(port) === "own");
  });
  await close();
}

{
  const {plane, close} = await world("delta");
  const port = await freePort();
  const folder = mkdtempSync(join(process.env.TEST_TMPDIR ?? tmpdir(), "ecds-"));
  const write = (text) => {
    writeFileSync(join(folder, "new"), JSON.stringify({resources: [{
      "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
      ...extension("filed", mutation(text))}]}));
    renameSync(join(folder, "new"), join(folder, "ecds.json"));
  };
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", [cluster("app", app.address().port)]);
  await stream.next("LDS");
  await check("ECDS: from a file, which changes", async () => {
    write("first");
    const source = {path_config_source: {path: join(folder, "ecds.json")}};
    await stream.exchange("LDS", [listener("front", port, chain({...inline("app"),
      ...filters(discovered("filed", {source}))}))]);
    await eventually(async () => await said(port) === "first");
    write("second");
    await eventually(async () => await said(port) === "second");
  });

  // ---- TypedStruct ----

  const folded = (type_url, value, of = "xds.type.v3") => (
    {"@type": `type.googleapis.com/${of}.TypedStruct`, type_url, value});
  for (const of of ["xds.type.v3", "udpa.type.v1"])
    await check(`TypedStruct: ${of} stands for its message wherever a typed_config is`,
      async () => {
        const {"@type": url, ...fields} = mutation(of);
        const ack = await stream.exchange("LDS", [listener("front", port, chain({
          ...inline("app"), ...filters({name: "m", typed_config: folded(url, fields, of)})}))]);
        assert.equal(ack.error, null);
        await eventually(async () => await said(port) === of);
        await stream.exchange("LDS", [listener("front", port, chain({...inline("app"),
          ...filters(discovered("folded-" + of))}))]);
        await stream.next("ECDS");
        await stream.exchange("ECDS", [extension("folded-" + of, folded(url, {mutations:
          mutation("by ECDS " + of).mutations}, of))]);
        await eventually(async () => await said(port) === "by ECDS " + of);
      });
  await check("TypedStruct: errors name the field's path", async () => {
    const nack = await stream.exchange("LDS", [listener("front", port, chain({...inline("app"),
      ...filters({name: "m", typed_config: folded(kMutation, {mutations: {response_mutations: [
        {append: {header: {key: 7}}}]}})})}))]);
    assert.match(nack.error.message, new RegExp("^front: filter_chains\\[0\\]\\.filters\\[0\\]\\." +
      "typed_config\\.http_filters\\[0\\]\\.typed_config\\.mutations\\.response_mutations\\[0\\]" +
      "\\.append\\.header\\.key: "));
    const unknown = await stream.exchange("LDS", [listener("front", port, chain({...inline("app"),
      ...filters({name: "m", typed_config: folded("type.googleapis.com/acme.v1.X", {})})}))]);
    assert.match(unknown.error.message, /http_filters\[0\]\.typed_config: .*acme\.v1\.X/);
  });
  await close();
}

app.closeAllConnections();
app.close();
finish();
