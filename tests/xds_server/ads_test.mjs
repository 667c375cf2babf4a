// A raw ADS client, in both protocols: what is sent when, what is reported, and what becomes of bad
// files and bad clients.
//
// usage: node ads_test.mjs WEIR
import assert from "node:assert/strict";
import {spawn, spawnSync} from "node:child_process";
import {once} from "node:events";
import {mkdtempSync, rmSync} from "node:fs";
import http2 from "node:http2";

import {AdsStream, api, cluster, endpoints, grpc, kUrls, listener, makeFolder, remove, routes, run,
  startServer, unpack, until, write} from "./harness.mjs";

const program = process.argv[2];
const folder = makeFolder();
write(folder, "clusters.json", [cluster("app"), endpoints("app", 1001)]);
write(folder, "entrance.json", [listener("front", "main"), routes("main", "app")]);
const server = await startServer(program, folder);

const names = (response) => response.resources.map((any) => unpack(any).name);
const changed = (response) => response.resources.map((resource) => resource.name);
const portOf = (any) => unpack(any).endpoints[0].lb_endpoints[0].endpoint.address.socket_address
  .port_value;
const clientOf = async (node) => (await server.status()).clients.find((one) => one.node === node);

await run({
  async "state of the world: all types, and a change of one"() {
    const ads = new AdsStream(server.address, false, "sotw");
    ads.send({type_url: kUrls.CDS});
    const clusters = await ads.next();
    assert.deepEqual(names(clusters), ["app"]);
    assert.equal(clusters.control_plane.identifier, "weir");
    ads.ack(clusters);
    ads.send({type_url: kUrls.EDS, resource_names: ["app"]});
    const before = await ads.next();
    assert.equal(portOf(before.resources[0]), 1001);
    ads.ack(before, {resource_names: ["app"]});
    ads.send({type_url: kUrls.LDS});
    ads.ack(await ads.next());
    ads.send({type_url: kUrls.RDS, resource_names: ["main"]});
    ads.ack(await ads.next(), {resource_names: ["main"]});

    write(folder, "clusters.json", [cluster("app"), endpoints("app", 1002)]);
    const after = await ads.next();
    assert.equal(after.type_url, kUrls.EDS);
    assert.equal(portOf(after.resources[0]), 1002);
    assert.notEqual(after.version_info, before.version_info);
    ads.ack(after, {resource_names: ["app"]});
    await ads.silence();

    const {types, protocol} = await clientOf("sotw");
    assert.equal(protocol, "sotw");
    assert.deepEqual(Object.keys(types), ["CDS", "EDS", "LDS", "RDS"]);
    assert.equal(types.EDS.acked, after.version_info);
    for (const type of Object.values(types)) assert.equal(type.state, "ACK");
    ads.close();
  },

  async "delta: what changed, what is gone, what does not exist"() {
    const ads = new AdsStream(server.address, true, "delta");
    ads.send({type_url: kUrls.CDS});
    const first = await ads.next();
    assert.deepEqual(changed(first), ["app"]);
    ads.ack(first);
    ads.send({type_url: kUrls.EDS, resource_names_subscribe: ["app", "none"]});
    const hosts = await ads.next();
    assert.deepEqual(changed(hosts), ["app"]);
    assert.deepEqual(hosts.removed_resources, ["none"]);
    ads.ack(hosts);

    write(folder, "more.json", [cluster("more", {type: "STATIC", eds_cluster_config: null})]);
    const added = await ads.next();
    assert.deepEqual(changed(added), ["more"]);
    ads.ack(added);
    remove(folder, "more.json");
    const gone = await ads.next();
    assert.deepEqual(changed(gone), []);
    assert.deepEqual(gone.removed_resources, ["more"]);
    ads.ack(gone);
    ads.close();

    const again = new AdsStream(server.address, true, "delta");
    again.send({type_url: kUrls.CDS, initial_resource_versions:
      Object.fromEntries(first.resources.map(({name, version}) => [name, version]))});
    const nothing = await again.next();
    assert.deepEqual(changed(nothing), []);
    again.close();
  },

  async "a rejection is logged and reported"() {
    for (const delta of [false, true]) {
      const ads = new AdsStream(server.address, delta, `picky-${delta}`);
      ads.send({type_url: kUrls.LDS});
      const refused = await ads.next();
      ads.nack(refused, "listener 'front': no");
      await ads.silence();
      const types = await until("the report", async () => (await clientOf(`picky-${delta}`))?.types);
      assert.equal(types.LDS.state, "NACK");
      assert.equal(types.LDS.error, "listener 'front': no");
      assert.equal(types.LDS.acked, "");
      await until("the log", () =>
        /\[error\]\[config\] 'picky-\S+ at \S+ NACK LDS \w+: listener 'front'/.test(server.log));
      write(folder, "entrance.json", [listener("front", "main", delta ? 10000 : 10001),
        routes("main", "app")]);
      ads.ack(await ads.next());
      await until("the ACK", async () =>
        (await clientOf(`picky-${delta}`)).types.LDS.state === "ACK");
      ads.close();
    }
  },

  async "CSDS tells of each client what it has and what it refused"() {
    const Csds = api.envoy.service.status.v3.ClientStatusDiscoveryService;
    const csds = new Csds(server.address, grpc.credentials.createInsecure());
    const ask = (request) => new Promise((resolve, reject) => csds.FetchClientStatus(request,
      (error, reply) => (error ? reject(error) : resolve(reply.config))));
    const fine = new AdsStream(server.address, false, "csds-fine");
    fine.send({type_url: kUrls.CDS});
    const clusters = await fine.next();
    fine.ack(clusters);
    fine.send({type_url: kUrls.LDS});
    const refused = await fine.next();
    fine.nack(refused, "no listeners here");
    const other = new AdsStream(server.address, true, "csds-other");
    other.send({type_url: kUrls.CDS});
    await other.next();
    const node_matchers = [{node_id: {prefix: "csds-"}}];
    const clients = await until("both are there", async () => {
      const found = await ask({node_matchers});
      const [lds] = found.flatMap((one) => one.generic_xds_configs).filter((one) =>
        one.type_url === kUrls.LDS);
      return found.length === 2 && lds?.client_status === "NACKED" && found;
    });
    const first = clients.find((one) => one.node.id === "csds-fine");
    assert.equal(first.node.cluster, "tests");
    const [cds, lds] = first.generic_xds_configs;
    assert.equal(cds.type_url, kUrls.CDS);
    assert.equal(cds.config_status, "SYNCED");
    assert.equal(cds.client_status, "ACKED");
    assert.equal(cds.version_info, clusters.version_info);
    assert.equal(lds.config_status, "ERROR");
    assert.equal(lds.error_state.details, "no listeners here");
    assert.equal(lds.error_state.version_info, refused.version_info);
    const second = clients.find((one) => one.node.id === "csds-other");
    assert.equal(second.generic_xds_configs[0].config_status, "STALE", "it has not answered");
    assert.deepEqual(await ask({node_matchers: [{node_id: {exact: "nobody"}}]}), []);
    await assert.rejects(ask({node_matchers: [{node_metadatas: [{}]}]}),
      {code: grpc.status.INVALID_ARGUMENT});
    const stream = csds.StreamClientStatus();
    const replies = [];
    stream.on("data", (reply) => replies.push(reply)).on("error", () => {});
    for (let i = 1; i <= 2; ++i) {
      stream.write({node_matchers});
      await until("a reply", () => replies.length === i);
    }
    assert.equal(replies[1].config.length, 2);
    stream.end();
    for (const one of [fine, other]) one.close();
    csds.close();
  },

  async "a bad file changes nothing, and is told with its place"() {
    const ads = new AdsStream(server.address, false);
    ads.send({type_url: kUrls.CDS});
    ads.ack(await ads.next());
    const {version} = await server.status();
    write(folder, "broken.yaml", `"@type": ${kUrls.CDS}\nname: x\nconect_timeout: 1s\n`);
    await until("the error", () => server.log.includes("is still served"));
    assert.match(server.log, /broken\.yaml:3:1: error: unknown field 'conect_timeout'/);
    assert.match(server.log, /did you mean 'connect_timeout'/);
    const status = await server.status();
    assert.equal(status.version, version);
    const [problem] = status.problems.filter((one) => one.severity === "error");
    assert.deepEqual([problem.line, problem.column, problem.code], [3, 1, "unknown-field"]);
    await ads.silence();
    remove(folder, "broken.yaml");
    await until("the error goes", async () => (await server.status()).problems.length === 0);
    await ads.silence();
    ads.close();
  },

  async "a directory that loses all its files is not obeyed"() {
    const other = makeFolder();
    write(other, "a.yaml", "resources: []\n");
    const lone = await startServer(program, other);
    remove(other, "a.yaml");
    await until("the error", () => lone.log.includes("is still served"));
    assert.equal(await lone.stop(), 0);
  },

  async "a client that does not read gets the newest state"() {
    const ads = new AdsStream(server.address, false, "slow");
    ads.send({type_url: kUrls.EDS, resource_names: ["app"]});
    const first = await ads.next();
    const served = async () => (await server.status()).types.EDS.version;
    for (const port of [2001, 2002, 2003]) {
      const before = await served();
      write(folder, "clusters.json", [cluster("app"), endpoints("app", port)]);
      await until("it is served", async () => await served() !== before);
    }
    await ads.silence();
    ads.ack(first, {resource_names: ["app"]});
    assert.equal(portOf((await ads.next()).resources[0]), 2003);
    ads.close();
  },

  async "services of one type"() {
    const {EndpointDiscoveryService} = api.envoy.service.endpoint.v3;
    const client = new EndpointDiscoveryService(server.address, grpc.credentials.createInsecure());
    for (const method of ["StreamEndpoints", "DeltaEndpoints"]) {
      const call = client[method]();
      const response = new Promise((resolve, reject) => call.on("data", resolve).on("error", reject));
      call.write(method === "DeltaEndpoints" ? {resource_names_subscribe: ["app"]} :
        {resource_names: ["app"]});
      assert.equal((await response).type_url, kUrls.EDS);
      call.cancel();
    }
    const call = client.StreamEndpoints();
    call.write({type_url: kUrls.CDS});
    const error = await new Promise((resolve) => call.on("error", resolve));
    assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
    client.close();
  },

  async "what is not there, and what is no request"() {
    const client = new grpc.Client(server.address, grpc.credentials.createInsecure());
    const ask = (method, message) => new Promise((resolve) => {
      const call = client.makeBidiStreamRequest(method, (bytes) => bytes, (bytes) => bytes);
      call.on("error", resolve).on("data", () => {});
      call.write(message);
    });
    const ads = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";
    const none = await ask(ads + "FetchAggregatedResources", Buffer.alloc(0));
    assert.equal(none.code, grpc.status.UNIMPLEMENTED);
    assert.equal((await ask("/a.B/C", Buffer.alloc(0))).code, grpc.status.UNIMPLEMENTED);
    for (const method of ["StreamAggregatedResources", "DeltaAggregatedResources"]) {
      const bad = await ask(ads + method, Buffer.from("ffffff", "hex"));
      assert.equal(bad.code, grpc.status.INVALID_ARGUMENT);
      assert.match(bad.details, /this is no (Delta)?DiscoveryRequest/);
      const empty = await ask(ads + method, Buffer.alloc(0));
      assert.equal(empty.code, grpc.status.INVALID_ARGUMENT);
      const large = await ask(ads + method, Buffer.alloc(5 << 20));
      assert.equal(large.code, grpc.status.RESOURCE_EXHAUSTED);
    }
    client.close();
  },

  async "HTTP/2 that is no gRPC"() {
    const session = http2.connect(`http://${server.address}`);
    const stream = session.request({":path": "/"});
    const headers = await new Promise((resolve) => stream.on("response", resolve));
    assert.equal(headers[":status"], 415);
    session.close();
  },

  async "a flood of requests waits its turn"() {
    const ads = new AdsStream(server.address, false, "flood");
    for (let i = 0; i < 5000; ++i) ads.send({type_url: kUrls.EDS, resource_names: [`none-${i}`]});
    const other = new AdsStream(server.address, false, "patient");
    other.send({type_url: kUrls.CDS});
    other.ack(await other.next());
    const begin = Date.now();
    ads.send({type_url: kUrls.EDS, resource_names: ["app"]});
    assert.equal(portOf((await ads.next()).resources[0]), 2003);
    assert.ok(Date.now() - begin > 1000, "5000 requests take less than a second");
    ads.close();
    other.close();
    await until("both have left", async () => !(await clientOf("patient")));
  },

  async "a Unix socket, and no status page"() {
    // Of a socket's path the kernel takes 107 bytes: the folder of the tests may be longer.
    const short = mkdtempSync("/tmp/xds-");
    const path = "unix:" + short + "/xds";
    const child = spawn(program,
      ["xds-server", "--dir", folder, "--listen", path, "--admin", "off"]);
    await once(child.stdout, "data");
    const ads = new AdsStream(path, true);
    ads.send({type_url: kUrls.CDS});
    assert.deepEqual(changed(await ads.next()), ["app"]);
    ads.close();
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
    rmSync(short, {recursive: true});
  },

  async "a type that is not served is told of"() {
    const ads = new AdsStream(server.address, true, "odd");
    ads.send({type_url: "type.googleapis.com/odd.Type"});
    await until("the report", async () =>
      (await clientOf("odd"))?.unknown_type === "type.googleapis.com/odd.Type");
    await until("the log", () =>
      /'odd' at \S+ asks for 'type.googleapis.com\/odd.Type', which is not/.test(server.log));
    ads.close();
  },

  async "SIGHUP reads again; SIGTERM ends streams and the process"() {
    server.child.kill("SIGHUP");
    const ads = new AdsStream(server.address, false);
    ads.send({type_url: kUrls.CDS});
    ads.ack(await ads.next());
    const code = server.stop();
    assert.equal((await ads.failure()).code, grpc.status.UNAVAILABLE);
    assert.equal(await code, 0);
  },

  "a directory can be validated alone"() {
    const validate = (...options) => spawnSync(program,
      ["xds-server", "--dir", folder, "--validate", ...options], {encoding: "utf8"});
    const good = validate();
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stdout, /CDS 1, EDS 1, LDS 1, RDS 1; OK\n$/);
    assert.equal(validate("--output", "json").stdout,
      '{"errors":0,"warnings":0,"omitted":0,"diagnostics":[]}\n');
    remove(folder, "entrance.json");
    write(folder, "routes.json", routes("main", "elsewhere"));
    const warned = validate("--output", "json");
    assert.equal(warned.status, 0);
    const [line] = warned.stdout.split("\n");
    assert.ok(JSON.parse(line).diagnostics.some((one) => one.code === "reference"));
    assert.equal(validate("--strict").status, 1);
    assert.equal(spawnSync(program, ["xds-server", "--dri", folder]).status, 2);
  },
});
