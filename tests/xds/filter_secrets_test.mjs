// Secrets of filters (GenericSecret) from a control plane: a listener waits for them, requests follow
// their changes on the same connections, and what is no secret is refused.
import assert from "node:assert/strict";
import {createHmac} from "node:crypto";
import http from "node:http";
import {bootstrap, chain, cluster, inline, listener, router} from "./resources.mjs";
import {check, eventually, finish, freePort, get, upstream, world} from "./world.mjs";

const app = await upstream("app");
const kFirst = "the first secret of this test", kSecond = "the second secret of this test";
const generic = (name, text) => ({name, generic_secret: {secret: {inline_string: text}}});
// As a TypedStruct: the message is one of our own.
const webhook = {name: "webhook", typed_config: {
  "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
  type_url: "type.googleapis.com/weir.filters.http.webhook_hmac.v1.WebhookHmac",
  value: {preset: "github",
    secrets: [{sds: {name: "hook", sds_config: {ads: {}, resource_api_version: "V3"}}}]}}};

for (const variant of ["sotw", "delta"]) {
  const told = (text, what) => check(`${variant}: ${text}`, what);
  const port = await freePort();
  const {plane, proxy, close} = await world(variant, {clusters: [cluster("app", app.port)]});
  const stream = await plane.stream();
  await stream.next("CDS");
  await stream.exchange("CDS", []);
  await stream.next("LDS");
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  const signed = (secret) => get(port, {agent, headers: {"x-hub-signature-256":
    "sha256=" + createHmac("sha256", secret).update("").digest("hex")}});
  const status = async (secret) => (await signed(secret)).status;

  await told("a listener waits for the secret of its filter", async () => {
    const ack = await stream.exchange("LDS", [listener("front", port,
      chain({...inline("app"), http_filters: [webhook, {name: "router", typed_config: router}]}))]);
    assert.equal(ack.error, null);
    const asked = await stream.next("SDS");
    assert.deepEqual(asked.names ?? asked.subscribe, ["hook"]);
    await assert.rejects(get(port), {code: "ECONNREFUSED"});
    assert.equal((await stream.exchange("SDS", [generic("hook", kFirst)])).error, null);
    await eventually(async () => await status(kFirst) === 200);
    assert.equal(await status(kSecond), 401);
  });

  await told("requests follow its changes, on the same connection", async () => {
    const {local} = await signed(kFirst);
    const modified = await proxy.stat("listener_manager.listener_modified");
    assert.equal((await stream.exchange("SDS", [generic("hook", kSecond)])).error, null);
    await eventually(async () => await status(kSecond) === 200);
    assert.equal(await status(kFirst), 401);
    assert.equal((await signed(kSecond)).local, local);
    assert.equal(await proxy.stat("listener_manager.listener_modified"), modified);
  });

  await told("what is no secret for it is refused, and the one before stays", async () => {
    const short = await stream.exchange("SDS", [generic("hook", "short")]);
    assert.match(short.error.message, /hook.*generic_secret\.secret: the secret has 5 bytes/s);
    assert.equal(await status(kSecond), 200);
    const other = await stream.exchange("SDS",
      [{name: "hook", validation_context: {trusted_ca: {inline_string: "x"}}}]);
    assert.match(other.error.message, /the secret 'hook' is no generic_secret/);
    assert.equal(await status(kSecond), 200);
  });

  await told("no page shows it", async () => {
    for (const page of ["/config_dump", "/config_status"]) {
      const text = await proxy.admin(page);
      assert.ok(!text.includes(kFirst) && !text.includes(kSecond), page);
    }
    assert.ok(!proxy.log.includes(kFirst) && !proxy.log.includes(kSecond));
  });
  agent.destroy();
  await close();
}
app.close();
finish();
