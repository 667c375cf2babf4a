// Calls everything there is in echo.mjs and checks what comes of it; a line for each check.
//
// usage: node echo_client.mjs PORT [--tls FOLDER [--mtls]]
import assert from "node:assert/strict";
import {randomUUID} from "node:crypto";

import {grpc, options, service, transport} from "./echo.mjs";

const files = transport();
const credentials = files === null ? grpc.credentials.createInsecure() :
  files.mutual ? grpc.credentials.createSsl(files.ca, files.key, files.cert) :
    grpc.credentials.createSsl(files.ca);
const target = `localhost:${process.argv[2]}`;
const client = new grpc.Client(target, credentials, options);
const zipping = new grpc.Client(target, credentials,
  {...options, "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip});
const status = grpc.status;

// Resolves with the reply, or with the error, and what came around it.
function unary(name, message, {metadata = {}, deadline_ms = 20000, cancel_ms, by = client,
  path} = {}) {
  const sent = new grpc.Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.add(key, value);
  const bytes = (x) => x;
  return new Promise((resolve) => {
    const seen = {};
    const call = by.makeUnaryRequest(path ?? service[name].path, bytes, bytes,
      Buffer.from(message), sent, {deadline: Date.now() + deadline_ms}, (error, reply) => {
        Object.assign(seen, {error, reply, code: error?.code ?? status.OK});
        if (error) resolve(seen);
      });
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", (final) => {
      seen.trailing = final.metadata;
      setImmediate(() => resolve(seen));
    });
    if (cancel_ms !== undefined) setTimeout(() => call.cancel(), cancel_ms);
  });
}

async function messages(call) {
  const all = [];
  for await (const message of call) all.push(message);
  return all;
}

const checks = {
  async unary() {
    const {reply} = await unary("Unary", "hello");
    assert.equal(reply.toString(), "hello");
  },
  async "empty message"() {
    const {reply} = await unary("Unary", "");
    assert.equal(reply.length, 0);
  },
  async "large message"() {
    const large = Buffer.alloc(5 << 20, "0123456789");
    const {error, reply} = await unary("Unary", large);
    assert.equal(error, null);
    assert.ok(large.equals(reply));
  },
  async compression() {
    const {error, reply} = await unary("Unary", "a".repeat(10000), {by: zipping});
    assert.equal(error, null);
    assert.equal(reply.toString(), "a".repeat(10000));
  },
  async "client streaming"() {
    const bytes = (x) => x;
    const reply = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(service.Collect.path, bytes, bytes,
        (error, got) => (error ? reject(error) : resolve(got)));
      for (let i = 0; i < 200; ++i) call.write(Buffer.alloc(i * 10));
      call.end();
    });
    assert.equal(reply.toString(), "200:199000");
  },
  async "server streaming"() {
    const bytes = (x) => x;
    const got = await messages(client.makeServerStreamRequest(service.Repeat.path, bytes, bytes,
      Buffer.from("200:10000")));
    assert.equal(got.length, 200);
    got.forEach((message, i) => assert.ok(message.equals(Buffer.alloc(10000, i))));
  },
  async "both streaming"() {
    const bytes = (x) => x;
    const call = client.makeBidiStreamRequest(service.Chat.path, bytes, bytes);
    const all = call[Symbol.asyncIterator]();
    for (let i = 0; i < 50; ++i) {
      call.write(Buffer.from(`message ${i}`));
      const {value} = await all.next();
      assert.equal(value.toString(), `message ${i}`);
    }
    call.end();
    assert.equal((await all.next()).done, true);
  },
  async metadata() {
    const {initial, trailing} = await unary("Unary", "x",
      {metadata: {"x-echo": "a value, with commas", "x-echo-bin": Buffer.from([0, 255, 128, 10])}});
    assert.deepEqual(initial.get("x-echo"), ["a value, with commas"]);
    assert.ok(Buffer.from([0, 255, 128, 10]).equals(trailing.get("x-echo-bin")[0]));
  },
  async "status codes"() {
    for (let code = 1; code <= 16; ++code) {
      const {error} = await unary("Fail", `${code}:reason ${code}`);
      assert.equal(error.code, code);
      assert.equal(error.details, `reason ${code}`);
    }
  },
  async "status message with special characters"() {
    const text = "50% of äöü 漢字\r\n\t\"quoted\" ~ %41";
    const {error} = await unary("Fail", `9:${text}`);
    assert.equal(error.code, status.FAILED_PRECONDITION);
    assert.equal(error.details, text);
  },
  async unimplemented() {
    const {error} = await unary("", "x", {path: "/test.Echo/Missing"});
    assert.equal(error.code, status.UNIMPLEMENTED);
  },
  async "no route: the proxy's answer"() {
    const {error} = await unary("", "x", {path: "/other.Service/Call"});
    assert.equal(error.code, status.UNIMPLEMENTED);
  },
  async "no host: the proxy's answer"() {
    const {error} = await unary("", "x", {path: "/nowhere.Service/Call"});
    assert.equal(error.code, status.UNAVAILABLE);
    assert.equal(error.details, "no healthy upstream");
  },
  async cancelled() {
    const before = Number((await unary("Cancelled", "")).reply);
    const {error} = await unary("Slow", "x", {cancel_ms: 50});
    assert.equal(error.code, status.CANCELLED);
    for (let tries = 0; tries < 100; ++tries) {
      if (Number((await unary("Cancelled", "")).reply) === before + 1) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail("the server did not learn that the call was cancelled");
  },
  async "deadline exceeded"() {
    const {error} = await unary("Slow", "x", {deadline_ms: 150});
    assert.equal(error.code, status.DEADLINE_EXCEEDED);
  },
  async "deadline exceeded: the proxy's answer"() {
    const begun = Date.now();
    const {error} = await unary("Slow", "x", {metadata: {"x-limit": "yes"}});
    assert.equal(error.code, status.DEADLINE_EXCEEDED);
    assert.ok(Date.now() - begun < 10000);
  },
  async "retry of a status"() {
    const key = randomUUID();
    const {error, reply} = await unary("Flaky", key);
    assert.equal(error, null);
    assert.equal(reply.toString(), key);
  },
  async "many calls at once"() {
    const all = await Promise.all(Array.from({length: 300}, (_, i) => unary("Unary", `call ${i}`)));
    all.forEach(({reply}, i) => assert.equal(reply.toString(), `call ${i}`));
  },
};

for (const [name, run] of Object.entries(checks)) {
  await run();
  console.log(`ok ${name}`);
}
client.close();
zipping.close();
