// The checklist's "Listener update", the rotation of secrets, and a stream of secrets beside ADS.
import assert from "node:assert/strict";
import http from "node:http";
import {mkdtempSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";
import tlsModule from "node:tls";
import {ControlPlane, sleep} from "./control_plane.mjs";
import {ads, cluster, grpcSource, http2, inline, listener, chain, rds, routes, secret, tls} from
  "./resources.mjs";
import {body, certificate, check, eventually, finish, freePort, get, protos, refused, world}
  from "./world.mjs";

// The chain for connections from one address of the loopback.
const from = (address, fields, more = {}) => chain(fields, {name: address, ...more,
  filter_chain_match: {source_prefix_ranges: [{address_prefix: address, prefix_len: 32}]}});

// A client with one kept connection; `asks` tells of each answer whether that went on.
function keeper(port, localAddress) {
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  let local;
  const ask = async () => {
    const answer = await get(port, {agent, localAddress});
    const same = local === undefined || local === answer.local;
    local = answer.local;
    return {...answer, same, closes: answer.headers.connection === "close"};
  };
  return {ask, close: () => agent.destroy()};
}

const pair = {a: certificate("a.test"), b: certificate("b.test")};

// The name in the certificate that is shown, or the connection's error.
function shown(port) {
  return new Promise((resolve) => {
    const socket = tlsModule.connect({port, host: "127.0.0.1", rejectUnauthorized: false}, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on("error", (error) => resolve(error.code));
  });
}

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort(), moved = await freePort();
  const {plane, proxy, close} = await world(variant);
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", [cluster("any", 1)]);
  await stream.next("LDS");
  const push = async (...chains) => {
    const ack = await stream.exchange("LDS", [listener("front", port, chains)]);
    assert.equal(ack.error, null);
  };
  const stat = (name) => proxy.stat("listener_manager." + name);

  await told("in place: unchanged chains go on, changed ones drain", async () => {
    await push(from("127.0.0.1", inline({body: "one"})), from("127.0.0.2", inline({body: "two"})));
    await eventually(async () => await body(port) === "one");
    const stays = keeper(port, "127.0.0.1"), goes = keeper(port, "127.0.0.2");
    await stays.ask();
    await goes.ask();
    await push(from("127.0.0.1", inline({body: "one"})), from("127.0.0.2", inline({body: "2"})));
    await eventually(async () => await body(port, {localAddress: "127.0.0.2"}) === "2");
    const same = await stays.ask(), last = await goes.ask();
    assert.ok(same.same && !same.closes);
    assert.ok(!last.same || last.closes, "the changed chain's connection goes on");
    assert.equal(await stat("listener_in_place_updated"), 1);
    stays.close();
    goes.close();
  });

  await told("in place: a removed chain's connections end at the drain time, others go on",
    async () => {
      const stays = keeper(port, "127.0.0.1"), goes = keeper(port, "127.0.0.2");
      await stays.ask();
      await goes.ask();
      await push(from("127.0.0.1", inline({body: "one"})));
      await eventually(() => get(port, {localAddress: "127.0.0.2"}).then(() => false, () => true));
      for (let i = 0; i < 15; ++i) {
        const answer = await stays.ask();
        assert.ok(answer.same && !answer.closes);
        await sleep(200);
      }
      await assert.rejects(async () => {
        assert.ok((await goes.ask()).closes);
        await goes.ask();
      });
      assert.equal(await stat("listener_in_place_updated"), 2);
      stays.close();
      goes.close();
    });

  await told("an unchanged listener is skipped", async () => {
    const before = await stat("listener_modified");
    await push(from("127.0.0.1", inline({body: "one"})));
    assert.equal(await stat("listener_modified"), before);
  });

  await told("another change: a new listener on the shared socket, no connection refused",
    async () => {
      const old = keeper(port, "127.0.0.1");
      await old.ask();
      let stop = false, asked = 0;
      const asking = (async () => {
        for (; !stop; ++asked) assert.match(await body(port), /one|new/);
      })();
      for (let i = 0; i < 10; ++i) {
        await stream.exchange("LDS", [listener("front", port, [from("127.0.0.1",
          inline({body: "new"}))], {per_connection_buffer_limit_bytes: 32768 + i})]);
        await sleep(50);
      }
      stop = true;
      await asking;
      assert.ok(asked > 10);
      const answer = await old.ask();
      assert.ok(!answer.same || answer.closes, "the old listener's connection goes on");
      assert.equal(await stat("listener_in_place_updated"), 2);
      old.close();
    });

  await told("a listener moves to another address", async () => {
    const old = keeper(port, "127.0.0.1");
    await old.ask();
    await stream.exchange("LDS", [listener("front", moved, chain(inline({body: "moved"})))]);
    await eventually(async () => await body(moved) === "moved");
    await eventually(() => refused(port));
    // What was open is told to go, and is answered.
    const answer = await old.ask();
    assert.equal(answer.status, 200);
    assert.ok(answer.same && answer.closes);
    old.close();
  });

  await told("an address that is taken: NACK by name, the old one serves", async () => {
    const taken = http.createServer().listen(await freePort(), "127.0.0.1");
    await sleep(50);
    const nack = await stream.exchange("LDS", [listener("front", taken.address().port,
      chain(inline({body: "taken"})))]);
    assert.match(nack.error.message, /^front: .*(in use|bind)/i);
    assert.equal(await body(moved), "moved");
    taken.close();
  });

  await told("the last good listener serves under garbage", async () => {
    const garbage = [
      {address: {}},
      {filter_chains: [{filters: [{name: "x", typed_config: {"@type": "type.example/x.Unknown"}}]}]},
      {filter_chains: [chain(rds("x"), {filter_chain_match: {prefix_ranges: [
        {address_prefix: "nonsense", prefix_len: 99}]}})]},
      {listener_filters: [{name: "x", typed_config: {"@type": "type.example/x.Unknown"}}]},
    ];
    for (const bad of garbage) {
      const nack = await stream.exchange("LDS",
        [{...listener("front", moved, chain(inline({body: "bad"}))), ...bad}]);
      assert.match(nack.error.message, /^front: /);
      assert.equal(await body(moved), "moved");
    }
  });

  await told("SDS: a certificate rotates, and connections that are open go on", async () => {
    await stream.exchange("LDS", [listener("front", moved,
      chain(inline({body: "safe"}), tls("cert")))]);
    const asked = await stream.next("SDS");
    assert.deepEqual(asked.names ?? asked.subscribe, ["cert"]);
    await stream.exchange("SDS", [secret("cert", pair.a)]);
    await eventually(async () => await shown(moved) === "a.test");
    const open = tlsModule.connect({port: moved, host: "127.0.0.1", rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"]});
    const ask = () => new Promise((resolve, reject) => {
      open.once("data", (bytes) => resolve(String(bytes)));
      open.once("close", () => reject(new Error("the connection is closed")));
      open.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    });
    assert.match(await ask(), /200 OK/);
    assert.equal((await stream.exchange("SDS", [secret("cert", pair.b)])).error, null);
    await eventually(async () => await shown(moved) === "b.test");
    const answer = await ask();
    assert.match(answer, /200 OK/);
    assert.doesNotMatch(answer, /connection: close/i);
    open.destroy();
  });

  await told("SDS: a secret that is none is refused by name, the last one stays", async () => {
    const nack = await stream.exchange("SDS", [secret("cert", {cert: "none", key: "none"})]);
    assert.match(nack.error.message, /^cert: /);
    const mixed = await stream.exchange("SDS", [secret("cert", {cert: pair.a.cert,
      key: pair.b.key})]);
    assert.match(mixed.error.message, /^cert: /);
    assert.equal(await shown(moved), "b.test");
    assert.ok(!nack.error.message.includes("PRIVATE") && !mixed.error.message.includes("PRIVATE"));
  });
  await close();
}

// ---- as Istio has it ----

{
  // Short: the path of a socket has room for 107 bytes.
  const pipe = join(mkdtempSync(join(tmpdir(), "sds-")), "socket");
  const agent = new ControlPlane(protos);
  await agent.start("unix:" + pipe);
  const local = {name: "sds-grpc", type: "STATIC", connect_timeout: "1s",
    typed_extension_protocol_options: http2, load_assignment: {cluster_name: "sds-grpc",
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: pipe}}}}]}]}};
  const port = await freePort();
  const {plane, close} = await world("delta", {clusters: [local]});
  let secrets;
  const source = grpcSource("sds-grpc");

  await check("SDS over a SotW stream of its own on a Unix socket, beside delta ADS", async () => {
    const stream = await plane.stream();
    await stream.next("CDS");
    await stream.exchange("CDS", [cluster("any", 1)]);
    await stream.next("LDS");
    await stream.exchange("LDS", [listener("front", port, chain(inline({body: "hi"}),
      tls("default", {source})))]);
    secrets = await agent.stream("SDS");
    const asked = await secrets.next("SDS");
    assert.equal(secrets.delta, false);
    assert.deepEqual(asked.names, ["default"]);
    assert.equal(asked.node.id, "node-1");
    const ack = await secrets.exchange("SDS", [secret("default", pair.a)], {version: "s1"});
    assert.deepEqual([ack.version, ack.error], ["s1", null]);
    await eventually(async () => await shown(port) === "a.test");
    await stream.nothing("SDS", 0);
  });
  await check("SDS over its own stream: a rotation, and the agent away and back", async () => {
    await secrets.exchange("SDS", [secret("default", pair.b)], {version: "s2"});
    await eventually(async () => await shown(port) === "b.test");
    agent.stop();
    await sleep(300);
    assert.equal(await shown(port), "b.test");
    await agent.start();
    secrets = await agent.stream("SDS");
    const asked = await secrets.next("SDS");
    assert.deepEqual([asked.version, asked.nonce, asked.names], ["s2", "", ["default"]]);
    await secrets.exchange("SDS", [secret("default", pair.a)], {version: "s3"});
    await eventually(async () => await shown(port) === "a.test");
  });
  await close();
  agent.stop();
}
finish();
