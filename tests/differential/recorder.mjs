// Notes every whole request that node's parser sees, one line each: method, target, body bytes.
// A request that breaks off or cannot be parsed leaves no such line.
//
// usage: node recorder.mjs PORT FILE
import {openSync, writeSync} from "node:fs";
import http from "node:http";

const [port, path] = process.argv.slice(2);
const file = openSync(path, "a");
const server = http.createServer((request, response) => {
  let bytes = 0;
  request.on("data", (piece) => { bytes += piece.length; });
  request.on("end", () => {
    writeSync(file, `${request.method} ${request.url} ${bytes}\n`, null, "latin1");
    response.end("ok");
  });
});
server.on("clientError", (error, socket) => {
  if (socket.writable) {
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }
});
server.keepAliveTimeout = 600_000;
server.maxRequestsPerSocket = 0;
server.listen(Number(port), "127.0.0.1");
