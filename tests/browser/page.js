// Runs in the browser: what pages do, each thing once through each cluster. What was found goes
// back to browser_test.mjs in one POST.
const asked = new URLSearchParams(location.search);
const version = asked.get("version");
const atOnce = Number(asked.get("at_once")), requests = Number(asked.get("requests"));
const names = asked.get("clusters").split(",");
const found = [];
performance.setResourceTimingBufferSize(10_000);

function expect(got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

async function sha(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function random(length) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65536)
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, length)));
  return bytes;
}

const text = async (path, options) => (await fetch(path, options)).text();

function webSocket(path) {
  const socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")));
  socket.binaryType = "arraybuffer";
  const next = (event) => new Promise((resolve, reject) => {
    socket.addEventListener(event, resolve, {once: true});
    socket.addEventListener("error", () => reject(new Error("the WebSocket failed")), {once: true});
  });
  return {socket, next};
}

const checks = {
  async "the version that was agreed on"(at) {
    const path = at + "/hello?version";
    expect(await text(path), "hello");
    const [entry] = performance.getEntriesByName(new URL(path, location.href).href);
    expect(entry.nextHopProtocol, version);
  },
  async "many requests"(at) {
    for (let done = 0; done < requests; done += atOnce) {
      const all = await Promise.all(Array.from({length: atOnce},
        (_, i) => text(`${at}/hello?${done + i}`)));
      expect(all.every((one) => one === "hello"), true);
    }
  },
  async "a body each way"(at) {
    const body = random(700_000);
    const response = await fetch(at + "/echo", {method: "POST", body});
    expect(await sha(await response.arrayBuffer()), await sha(body));
  },
  async "a large download"(at) {
    const response = await fetch(at + "/large");
    const bytes = await response.arrayBuffer();
    expect(bytes.byteLength, 8 << 20);
    expect(await sha(bytes), await text(at + "/large_hash"));
  },
  async "a download that is read late"(at) {
    const response = await fetch(at + "/large");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await text(at + "/hello?meanwhile"), "hello");
    expect((await response.arrayBuffer()).byteLength, 8 << 20);
  },
  async "a body that is streamed to the server"(at) {
    if (version !== "h2") return;  // browsers stream over HTTP/2 only
    const pieces = [random(1000), random(100_000), random(10)];
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece); else controller.close();
      },
    });
    const whole = await sha(await new Blob(pieces).arrayBuffer());
    const response = await fetch(at + "/echo", {method: "POST", body, duplex: "half"});
    expect(await sha(await response.arrayBuffer()), whole);
  },
  async "events of the server"(at) {
    const source = new EventSource(at + "/events");
    const got = [];
    await new Promise((resolve, reject) => {
      source.onmessage = ({data}) => { if (got.push(data) === 3) resolve(); };
      source.onerror = () => reject(new Error("the event source failed"));
    });
    source.close();
    expect(got, ["one", "two", "three"]);
  },
  async "a request that is given up"(at) {
    const before = Number(await text(at + "/given_up"));
    const abort = new AbortController();
    const response = await fetch(at + "/endless", {signal: abort.signal});
    await response.body.getReader().read();
    abort.abort();
    // Over HTTP/1 Chromium may read on for five seconds, in the hope of keeping the connection.
    for (let tries = 0; Number(await text(at + "/given_up")) === before; ++tries) {
      if (tries === 500) throw new Error("the server did not learn of it");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  async "many cookies"(at) {
    const all = Array.from({length: 40}, (_, i) => `c${i}=${"v".repeat(i)}`);
    for (const one of all) document.cookie = `${one}; path=${at}`;
    expect((await text(at + "/cookies")).split("; ").sort(), all.sort());
  },
  async "what is not modified"(at) {
    expect(await text(at + "/tagged"), "tagged");
    expect(await text(at + "/tagged", {cache: "no-cache"}), "tagged");
    expect(await text(at + "/not_modified"), "1");
  },
  async "redirects, statuses and methods"(at) {
    expect((await fetch(at + "/redirect")).url, new URL(at + "/hello", location.href).href);
    expect((await fetch(at + "/status/204")).status, 204);
    expect((await fetch(at + "/status/404")).status, 404);
    expect((await fetch(at + "/hello", {method: "HEAD"})).status, 200);
    for (const method of ["PUT", "PATCH", "DELETE"])
      expect(await text(at + "/method", {method, body: "x"}), method);
  },
  async "compressed text"(at) {
    expect(await text(at + "/compressed"), "compress me ".repeat(1000));
  },
  async "a WebSocket"(at) {
    const {socket, next} = webSocket(at + "/socket");
    await next("open");
    socket.send("hello");
    expect((await next("message")).data, "hello");
    const large = random(300_000);
    socket.send(large);
    expect(await sha((await next("message")).data), await sha(large));
    socket.close(1000);
    const {code, wasClean} = await next("close");
    expect([code, wasClean], [1000, true]);
  },
  async "gRPC-Web"(at) {
    if (!at.endsWith("2")) return;  // the upstream's gRPC needs HTTP/2
    const message = new Uint8Array([0, 0, 0, 0, 5, 104, 101, 108, 108, 111]);
    const response = await fetch(at + "/test.Echo/Unary", {method: "POST", body: message,
      headers: {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}});
    const bytes = new Uint8Array(await response.arrayBuffer());
    expect([...bytes.subarray(0, 10)], [...message]);
    expect(bytes[10], 0x80);
    expect(/^grpc-status: ?0\r\n/m.test(new TextDecoder().decode(bytes.subarray(15))), true);
  },
};

for (const name of names) {
  for (const [what, check] of Object.entries(checks)) {
    let error = null;
    try {
      await check("/" + name);
    } catch (caught) {
      error = String(caught);
    }
    found.push({what: `${what}, to ${name}`, error});
  }
}
await fetch("/h1/found", {method: "POST", body: JSON.stringify(found)});
