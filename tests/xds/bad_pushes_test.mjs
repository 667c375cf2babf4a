// Invalid and partial updates: each is refused by the resource's name and the field, what is valid
// beside it is applied, what was good goes on serving, and the client keeps to its rate.
//
// usage: node bad_pushes_test.mjs WEIR PROTOS sotw|delta
// XDS_BAD_PUSHES: so many (150); XDS_SEED: which (1).
import assert from "node:assert/strict";
import {ControlPlane, kMessages, raw, sleep} from "./control_plane.mjs";
import {typeUrl} from "./proto_json.mjs";
import {assignment, bootstrap, chain, cluster, edsCluster, inline, listener, manager, rds, routes}
  from "./resources.mjs";
import {Snapshot} from "./snapshot.mjs";
import {keepAlive, newConnections, overHttp2, Traffic} from "./traffic.mjs";
import {body, check, eventually, finish, freePort, protos, Proxy, upstream} from "./world.mjs";

const total = Number(process.env.XDS_BAD_PUSHES ?? 150);
let seed = Number(process.env.XDS_SEED ?? 1);
const random = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % below;
};
const pick = (list) => list[random(list.length)];

const apps = [await upstream("one"), await upstream("two")];
const app = await upstream("app");
const front = await freePort(), spare = await freePort();
const sibling = await freePort(), static_sibling = await freePort();

// ---- what is wrong: a resource of that name, and what the refusal has to say ----

const unknown = {name: "x", typed_config: {"@type": "type.googleapis.com/acme.v1.Unknown"}};
const hcm = (fields) => ({filters: [manager({...inline("app"), ...fields})]});
const match = (fields) => [{match: fields, route: {cluster: "app"}}];

const wrongs = {
  CDS: [
    (name) => [cluster(name, 1, {connect_timeout: "-1s"}), /connect_timeout/],
    (name) => [cluster(name, 70_000), /port_value/],
    (name) => [cluster(name, 1, {circuit_breakers: {thresholds: [
      {retry_budget: {budget_percent: {value: 200}}}]}}), /budget_percent/],
    (name) => [cluster(name, 1, {transport_socket: unknown}), /acme\.v1\.Unknown/],
    (name) => [cluster(name, 1, {typed_extension_protocol_options:
      {"acme.v1.Unknown": unknown.typed_config}}), /acme\.v1\.Unknown/],
    (name) => [edsCluster(name, {source: {resource_api_version: "V3", api_config_source: {
      api_type: "GRPC", transport_api_version: "V3",
      grpc_services: [{envoy_grpc: {cluster_name: "nowhere"}}]}}}), /nowhere/],
  ],
  EDS: [
    () => [assignment("app", 70_000), /port_value/],
    () => [{cluster_name: "app", endpoints: [{lb_endpoints: [{}]}]}, /endpoint/],
    () => [{cluster_name: "app", endpoints: [{priority: 200}]}, /priority/],
    () => [{cluster_name: "app", endpoints: [{lb_endpoints: [{load_balancing_weight: 0,
      ...assignment("x", 1).endpoints[0].lb_endpoints[0]}]}]}, /load_balancing_weight/],
  ],
  LDS: [
    (name) => [listener(name, 70_000, chain(inline("app"))), /port_value/],
    (name) => [listener(name, spare, {filters: [unknown]}), /acme\.v1\.Unknown/],
    (name) => [listener(name, spare, hcm({http_filters: [unknown]})), /acme\.v1\.Unknown/],
    (name) => [listener(name, spare, hcm({access_log: [unknown]})), /acme\.v1\.Unknown/],
    (name) => [listener(name, spare, hcm({http_filters: []})), /http_filters/],
    (name) => [listener(name, spare, chain(inline("app")), {listener_filters: [unknown]}),
      /acme\.v1\.Unknown/],
    (name) => [listener(name, spare, chain(inline("app"), {transport_socket: unknown})),
      /acme\.v1\.Unknown/],
    (name) => [listener(name, spare, chain(inline("app"), {filter_chain_match: {prefix_ranges: [
      {address_prefix: "10.0.0.0", prefix_len: 99}]}})), /prefix_len/],
    (name) => [listener(name, spare, chain(inline("app"), {filters: []})), /filter/],
    (name) => [listener(name, spare, [chain(inline("app")), chain(inline("app"))]),
      /filter_chain/],
  ],
  RDS: [
    () => [routes("front", match({safe_regex: {regex: "("}})), /regex/],
    () => [routes("front", match({prefix: "/", headers: [{name: ""}]})), /headers/],
    () => [{name: "front", virtual_hosts: [{name: "a", domains: []}]}, /domains/],
    () => [{name: "front", virtual_hosts: [{name: "", domains: ["*"]}]}, /name/],
    () => [{name: "front", virtual_hosts: [{name: "a", domains: ["*"]}, {name: "b",
      domains: ["*"]}]}, /domain/],
    () => [routes("front", [{match: {prefix: "/"}}]), /routes/],
    () => [routes("front", [{match: {prefix: "/"}, redirect: {response_code: 77}}]),
      /response_code/],
    () => [routes("front", "app", {request_headers_to_add: [{header: {key: ""}}]}), /key/],
  ],
};
const names = {CDS: "bad", LDS: "bad", EDS: "app", RDS: "front"};

// Bytes that are no message, in place of one.
const garbage = (type) => [raw(typeUrl(kMessages[type]), Buffer.alloc(12, 0xff)), /no valid/];
const cut = (type, resource) => [raw(typeUrl(kMessages[type]),
  protos.encode(kMessages[type], resource).subarray(0, -1)), /no valid/];
const foreign = (type) => [raw(typeUrl(kMessages[type === "CDS" ? "LDS" : "CDS"])), /is of type/];

// ---- what is right beside it; the sibling's answer tells that it was applied ----

const rights = {
  CDS: (i) => cluster("sibling", apps[i % 2].port),
  EDS: (i) => assignment("sibling-eds", apps[i % 2].port),
  LDS: (i) => listener("sibling", static_sibling, chain(inline({body: `sibling ${i}`}))),
  RDS: (i) => routes("sibling", {body: `sibling ${i}`}),
};
const applied = {
  LDS: async (i) => await body(static_sibling) === `sibling ${i}`,
  RDS: async (i) => await body(sibling) === `sibling ${i}`,
};

// ---- the run ----

const plane = new ControlPlane(protos), snapshot = new Snapshot(plane);
snapshot.set("CDS", edsCluster("app"), edsCluster("sibling-eds"), rights.CDS(0));
snapshot.set("EDS", assignment("app", app.port), rights.EDS(0));
snapshot.set("LDS", listener("front", front, chain(rds("front"))), rights.LDS(0),
  listener("routed-sibling", sibling, chain(rds("sibling"))));
snapshot.set("RDS", routes("front", "app"), rights.RDS(0));
await plane.start();
const proxy = new Proxy(bootstrap({api_type: process.argv[4] === "delta" ? "DELTA_GRPC" : "GRPC",
  port: plane.port}));
await proxy.serves();

const traffic = new Traffic(100);
traffic.add("HTTP/1 kept", 0.5, keepAlive(front));
traffic.add("HTTP/1 new", 0.2, newConnections(front));
traffic.add("HTTP/2", 0.3, overHttp2(`http://127.0.0.1:${front}`));
traffic.start();
const began = Date.now();
const requests = () => plane.streams.reduce((sum, stream) => sum + stream.requests.length, 0);
const before = requests();
const problems = [];

// A whole answer is refused for what it is, a resource for what is in it.
async function push(i) {
  const type = pick(Object.keys(wrongs)), name = names[type];
  const wrong = pick(wrongs[type]);
  const whole = random(4) === 0;
  let [bad, says] = wrong(name), twice = false;
  if (whole) {
    twice = random(4) === 0;
    [bad, says] = twice ? [snapshot.known[type].get("sibling")?.resource ?? rights[type](i),
      /more than once/] : pick([garbage, foreign, (of) => cut(of, bad)])(type);
  }
  const kept = snapshot.known[type].get(name);
  if (!whole) snapshot.known[type].delete(name);  // one resource of a name, the wrong one
  if (!whole) snapshot.set(type, rights[type](i));
  const extra = twice ? [bad, bad] : [bad];
  if (kept && !whole) keepSent(type, name);
  const {error} = await snapshot.push(type, extra);
  if (kept) snapshot.known[type].set(name, kept);
  const what = `push ${i}, ${type}, ${says}`;
  if (error === null) return problems.push(`${what}: acknowledged`);
  if (!says.test(error.message)) problems.push(`${what}: ${error.message}`);
  const named = whole ? /^(resources\[\d+\]|[\w-]+): / : new RegExp(`^${name}: `);
  if (!named.test(error.message)) problems.push(`${what}: does not name it: ${error.message}`);
  if (error.code !== 13) problems.push(`${what}: code ${error.code}`);
  if (!whole && applied[type])
    await eventually(() => applied[type](i), `${what}: the sibling is not applied`)
      .catch(({message}) => problems.push(message));
}

// The wrong one stands for the good one: it is not removed.
function keepSent(type, name) {
  for (const view of snapshot.views.values()) view[type]?.sent.delete(name);
}

for (let i = 1; i <= total; ++i) await push(i);
await sleep(500);
await traffic.stop();
const took_s = (Date.now() - began) / 1000;

await check(`${total} bad pushes in ${took_s.toFixed(0)} s: each is refused by name and field, ` +
  "valid siblings are applied", () => assert.deepEqual(problems, []));
await check(`${traffic.asked} requests meanwhile: none failed`, () => {
  assert.deepEqual(traffic.failures(), []);
  assert.ok(traffic.asked > 100);
});
await check("at most 10 requests a second, beyond the first 100", () => {
  const sent = requests() - before;
  assert.ok(sent >= total && sent <= 100 + 10 * took_s + 1, `${sent} requests in ${took_s} s`);
});
await check("fields that nobody knows are passed over and counted", async () => {
  const bytes = Buffer.concat([protos.encode(kMessages.RDS, routes("sibling", {body: "odd"})),
    Buffer.from([0xca, 0xbb, 0x03, 0x01, 0x78])]);  // field 7097, "x"
  snapshot.remove("RDS", "sibling");
  keepSent("RDS", "sibling");
  const {error} = await snapshot.push("RDS", [{...raw(typeUrl(kMessages.RDS), bytes),
    name: "sibling"}]);
  assert.equal(error, null);
  await eventually(async () => await body(sibling) === "odd");
});
await check("after all that, a good push is applied", async () => {
  await snapshot.apply("RDS", routes("front", {body: "good"}), rights.RDS(0));
  await eventually(async () => await body(front) === "good");
});
await proxy.stop();
finish();
