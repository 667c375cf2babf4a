// npm's @grpc/grpc-js-xds as the client of `weir xds-server`: an RPC to an xds:/// target finds its
// backend by LDS, RDS, CDS and EDS, and follows when the files change.
//
// usage: node xds_client_test.mjs WEIR
import assert from "node:assert/strict";
import {writeFileSync} from "node:fs";
import {createRequire} from "node:module";
import {join} from "node:path";

import {cluster, endpoints, grpc, kTypes, kUrls, listener, makeFolder, manager, routes, run,
  startServer, until, write} from "./harness.mjs";

const program = process.argv[2];
const folder = makeFolder();

// One that says its name.
async function startBackend(name) {
  const backend = new grpc.Server();
  const path = "/test.Greeter/Name";
  backend.addService({Name: {path, requestStream: false, responseStream: false,
    requestSerialize: (bytes) => bytes, requestDeserialize: (bytes) => bytes,
    responseSerialize: (bytes) => bytes, responseDeserialize: (bytes) => bytes}},
  {Name: (call, done) => done(null, Buffer.from(name))});
  return new Promise((resolve, reject) => backend.bindAsync("127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(), (error, port) => error ? reject(error) : resolve(port)));
}

const [one, two] = [await startBackend("one"), await startBackend("two")];
// What gRPC calls a server is the name of a listener.
const entrance = {"@type": kUrls.LDS, name: "greeter", api_listener: {api_listener: manager("main")}};
write(folder, "entrance.json", [entrance, routes("main", "app")]);
write(folder, "clusters.json", [cluster("app"), endpoints("app", one)]);
const server = await startServer(program, folder);

const bootstrap = join(folder, "bootstrap.txt");
writeFileSync(bootstrap, JSON.stringify({node: {id: "grpc-js", cluster: "tests", locality: {}},
  xds_servers: [{server_uri: server.address, channel_creds: [{type: "insecure"}],
    server_features: ["xds_v3"]}]}));
process.env.GRPC_XDS_BOOTSTRAP = bootstrap;
createRequire(import.meta.url)("@grpc/grpc-js-xds").register();
const client = new grpc.Client("xds:///greeter", grpc.credentials.createInsecure());

function ask() {
  return new Promise((resolve, reject) => client.makeUnaryRequest("/test.Greeter/Name",
    (bytes) => bytes, (bytes) => bytes.toString(), Buffer.alloc(0),
    {deadline: Date.now() + 10_000}, (error, reply) => error ? reject(error) : resolve(reply)));
}
const answers = (name) => until(`${name} answers`, async () => {
  try {
    return await ask() === name;
  } catch (error) {
    throw new Error(`a call failed: ${error.message}; the server says: ${server.log}`);
  }
});
const types = async () => (await server.status()).clients[0].types;

await run({
  async "an RPC finds its backend"() {
    assert.equal(await ask(), "one");
    for (const [name, type] of Object.entries(await types()))
      assert.equal(type.state, "ACK", name);
    assert.deepEqual(Object.keys(await types()), ["CDS", "EDS", "LDS", "RDS"]);
    const [{node, protocol, user_agent}] = (await server.status()).clients;
    assert.deepEqual([node, protocol, user_agent], ["grpc-js", "sotw", "gRPC Node Pure JS"]);
  },

  async "endpoints move, and calls follow without a failure"() {
    write(folder, "clusters.json", [cluster("app"), endpoints("app", two)]);
    await answers("two");
  },

  async "a route moves to a cluster that is new"() {
    write(folder, "clusters.json", [cluster("app"), endpoints("app", two), cluster("new"),
      endpoints("new", one)]);
    write(folder, "entrance.json", [entrance, routes("main", "new")]);
    await answers("one");
  },

  async "the old cluster goes, and calls do not notice"() {
    write(folder, "clusters.json", [cluster("new"), endpoints("new", one)]);
    await until("it is served", async () =>
      (await server.status()).types.CDS.resources.length === 1);
    const end = Date.now() + 2500;
    while (Date.now() < end) assert.equal(await ask(), "one");
  },

  async "what the client refuses is reported, and the last good state stays"() {
    const bad = cluster("new", {type: "LOGICAL_DNS", eds_cluster_config: null});
    write(folder, "clusters.json", [bad, endpoints("new", one)]);
    const error = await until("the NACK", async () => (await types()).CDS.error);
    assert.ok(error.length > 0);
    assert.equal(await ask(), "one");
    write(folder, "clusters.json", [cluster("new"), endpoints("new", two)]);
    await answers("two");
    await until("the ACK", async () => (await types()).CDS.state === "ACK");
  },

  async "calls go on while the server is away, and after it is back"() {
    assert.equal(await server.stop(), 0);
    assert.equal(await ask(), "two");
    const again = await startServer(program, folder, "--listen", server.address);
    await until("the client is back", async () => (await again.status()).clients.length !== 0);
    write(folder, "clusters.json", [cluster("new"), endpoints("new", one)]);
    await answers("one");
    assert.equal(await again.stop(), 0);
  },
});
