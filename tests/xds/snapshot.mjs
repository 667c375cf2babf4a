// A control plane that keeps what there is to be, and answers as go-control-plane does: who
// subscribes gets it, who is behind gets what changed. As a program it serves a JSON file, which
// it looks at again and again, so that a test can kill it and stop it.
//
// usage: node snapshot.mjs PROTOS ADDRESS FILE
import {readFileSync} from "node:fs";
import {ControlPlane, kMessages, nameOf, sleep} from "./control_plane.mjs";
import {Protos} from "./proto_json.mjs";

const kWildcard = new Set(["CDS", "LDS", "SRDS"]);
const kAnswerMs = 30_000;

export class Snapshot {
  constructor(plane) {
    this.plane = plane;
    this.known = Object.fromEntries(Object.keys(kMessages).map((type) => [type, new Map()]));
    this.views = new Map();  // what each stream asked for and was sent, by type
    this.waiting = new Map();  // by nonce, who wants to know what the client says
    this.nonces = 0;
    plane.listeners.push((stream, request) => this.#request(stream, request));
  }

  // ---- what there is to be; nothing is sent ----

  set(type, ...resources) {
    for (const resource of resources)
      this.known[type].set(nameOf(resource), {resource, version: `v${this.plane.versions++}`});
  }

  remove(type, ...names) {
    for (const name of names) this.known[type].delete(name);
  }

  // ---- sending ----

  // Sends what changed, to whoever asked for the type. Gives the client's answer: an ACK or a NACK.
  // `extra`: elements of this push only.
  async push(type, extra = []) {
    const answers = [];
    for (const [stream, view] of this.views) {
      if (stream.ended || view[type] === undefined) continue;
      answers.push(this.#send(stream, type, extra));
    }
    if (answers.length === 0) throw new Error(`nobody asked for ${type}`);
    return (await Promise.all(answers)).pop();
  }

  // Sets and pushes, which must be acknowledged.
  async apply(type, ...resources) {
    this.set(type, ...resources);
    const {error} = await this.push(type);
    if (error !== null) throw new Error(`${type} is refused: ${error.message}`);
  }

  async takeAway(type, ...names) {
    this.remove(type, ...names);
    const {error} = await this.push(type);
    if (error !== null) throw new Error(`${type} is refused: ${error.message}`);
  }

  #send(stream, type, extra) {
    const {names, sent} = this.views.get(stream)[type];
    const wanted = [...this.known[type]].filter(([name]) => names === null || names.has(name));
    const fresh = wanted.filter(([name, {version}]) => sent.get(name) !== version);
    const removed = [...sent.keys()].filter((name) => !this.known[type].has(name));
    for (const [name, {version}] of fresh) sent.set(name, version);
    for (const name of removed) sent.delete(name);
    const nonce = `n${++this.nonces}`;
    const list = (stream.delta ? fresh : wanted).map(([name, {resource, version}]) =>
      (stream.delta ? {wrapped: {name, version, resource}} : resource));
    const told = new Promise((resolve, reject) => {
      this.waiting.set(nonce, resolve);
      setTimeout(() => reject(new Error(`no answer to ${type} ${nonce}`)), kAnswerMs).unref();
    });
    told.catch(() => {});  // a stream may end before it answers
    stream.send(type, [...list, ...extra], {nonce, removed});
    return told;
  }

  #request(stream, request) {
    const {type, nonce} = request;
    if (!this.views.has(stream)) this.views.set(stream, {});
    const views = this.views.get(stream);
    const is_first = views[type] === undefined;
    views[type] ??= {names: kWildcard.has(type) ? null : new Set(), sent: new Map()};
    const behind = stream.delta ? this.#askedDelta(views[type], request, is_first)
      : this.#asked(views[type], request, is_first);
    this.waiting.get(nonce)?.(request);
    this.waiting.delete(nonce);
    if (behind) this.#send(stream, type, []);
  }

  #asked(view, request, is_first) {
    if (view.names === null) return is_first;
    const added = request.names.some((name) => !view.names.has(name));
    view.names = new Set(request.names);
    return added && request.names.some((name) => this.known[request.type].has(name));
  }

  #askedDelta(view, request, is_first) {
    if (is_first)
      for (const [name, version] of Object.entries(request.initial)) view.sent.set(name, version);
    if (view.names === null) return is_first;
    for (const name of request.subscribe) view.names.add(name);
    for (const name of request.unsubscribe) view.names.delete(name);
    for (const name of request.unsubscribe) view.sent.delete(name);
    return request.subscribe.some((name) => this.known[request.type].has(name));
  }
}

// ---- as a program ----

function takeOver(snapshot, file) {
  const changed = [];
  for (const [type, list] of Object.entries(JSON.parse(readFileSync(file, "utf8")))) {
    const known = snapshot.known[type];
    const fresh = list.filter((one) =>
      JSON.stringify(known.get(nameOf(one))?.resource) !== JSON.stringify(one));
    const gone = [...known.keys()].filter((name) => !list.some((one) => nameOf(one) === name));
    snapshot.set(type, ...fresh);
    snapshot.remove(type, ...gone);
    if (fresh.length + gone.length > 0) changed.push(type);
  }
  return changed;
}

async function main([home, address, file]) {
  const plane = new ControlPlane(new Protos(home));
  const snapshot = new Snapshot(plane);
  plane.versions = Date.now();
  takeOver(snapshot, file);
  // Reading .proto files takes its time, which is no part of what a test measures.
  for (const [type, known] of Object.entries(snapshot.known))
    for (const {resource} of known.values()) plane.any(type, resource);
  plane.message(true, {});
  plane.message(false, {});
  await plane.start(address);
  console.log("serving");
  for (;;) {
    await sleep(50);
    for (const type of takeOver(snapshot, file)) snapshot.push(type).catch(() => {});
  }
}

if (process.argv[1]?.endsWith("snapshot.mjs")) await main(process.argv.slice(2));
