// The service of these tests for npm `@grpc/grpc-js`: messages are bytes, as they are.
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";

export const grpc = createRequire(import.meta.url)("@grpc/grpc-js");

const bytes = (message) => message;

function method(name, requestStream, responseStream) {
  return {path: `/test.Echo/${name}`, requestStream, responseStream, requestSerialize: bytes,
    requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes};
}

export const service = {
  Unary: method("Unary", false, false),      // the same bytes; metadata x-echo and x-echo-bin too
  Collect: method("Collect", true, false),   // "messages:bytes" of what came
  Repeat: method("Repeat", false, true),     // asked by "messages:bytes"
  Chat: method("Chat", true, true),          // each message as it comes
  Fail: method("Fail", false, false),        // asked by "code:message"
  Flaky: method("Flaky", false, false),      // UNAVAILABLE once for each message, then as Unary
  Slow: method("Slow", false, false),        // never answers
  Cancelled: method("Cancelled", false, false),  // how many calls of Slow were given up
};

export const options = {
  "grpc.max_receive_message_length": 16 << 20,
  "grpc.max_send_message_length": 16 << 20,
};

// What `--tls FOLDER` (and `--mtls`) say: the folder's ca.pem, cert.pem and key.pem.
export function transport() {
  const at = process.argv.indexOf("--tls");
  if (at < 0) return null;
  const file = (name) => readFileSync(`${process.argv[at + 1]}/${name}.pem`);
  return {ca: file("ca"), cert: file("cert"), key: file("key"),
    mutual: process.argv.includes("--mtls")};
}
