// Serves echo.mjs on a free port, which is its first line of output.
//
// usage: node echo_server.mjs [--tls FOLDER [--mtls]]
import {grpc, options, service, transport} from "./echo.mjs";

let cancelled = 0;
const failed = new Set();

const handlers = {
  Unary(call, done) {
    const initial = new grpc.Metadata();
    const trailing = new grpc.Metadata();
    for (const value of call.metadata.get("x-echo")) initial.add("x-echo", value);
    for (const value of call.metadata.get("x-echo-bin")) trailing.add("x-echo-bin", value);
    call.sendMetadata(initial);
    done(null, call.request, trailing);
  },
  Collect(call, done) {
    let messages = 0;
    let total = 0;
    call.on("data", (message) => {
      ++messages;
      total += message.length;
    });
    call.on("end", () => done(null, Buffer.from(`${messages}:${total}`)));
  },
  Repeat(call) {
    const [messages, size] = call.request.toString().split(":").map(Number);
    for (let i = 0; i < messages; ++i) call.write(Buffer.alloc(size, i));
    call.end();
  },
  Chat(call) {
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end());
  },
  Fail(call, done) {
    const text = call.request.toString();
    const colon = text.indexOf(":");
    done({code: Number(text.slice(0, colon)), details: text.slice(colon + 1)});
  },
  Flaky(call, done) {
    const key = call.request.toString();
    if (failed.has(key)) return done(null, call.request);
    failed.add(key);
    done({code: grpc.status.UNAVAILABLE, details: "once"});
  },
  Slow(call) {
    call.on("cancelled", () => ++cancelled);
  },
  Cancelled(call, done) {
    done(null, Buffer.from(String(cancelled)));
  },
};

const files = transport();
const credentials = files === null ? grpc.ServerCredentials.createInsecure() :
  grpc.ServerCredentials.createSsl(files.mutual ? files.ca : null,
    [{private_key: files.key, cert_chain: files.cert}], files.mutual);
const server = new grpc.Server(options);
server.addService(service, handlers);
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error) throw error;
  console.log(port);
});
