// Listening sockets of a service manager (sd_listen_fds(3)).
//
// usage: node activation_test.mjs WEIR
import assert from "node:assert/strict";

import {Load, startUpstream} from "./clients.mjs";
import {baseId, eventually, freePort, get, program, run, start, upgrade, writeConfig}
  from "./proxy.mjs";

// Does what systemd does: opens sockets as 3, 4, ..., and becomes the program.
const kManager = `
import os, socket, sys
ports = [int(port) for port in sys.argv[1].split(",")]
for i, port in enumerate(ports):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.listen(64)
    os.dup2(one.fileno(), 20 + i, inheritable=False)
for i in range(len(ports)):
    os.dup2(20 + i, 3 + i)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(ports)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
`;
const activated = (ports, names, args) => start(args,
  {command: "python3", before: ["-c", kManager, ports.join(","), names, program]});

await run({
  async "listeners use the sockets that are there"() {
    const app = await startUpstream();
    const [port, other, admin] = [await freePort(), await freePort(), await freePort()];
    const config = writeConfig("activated", {admin, app: app.address().port, listeners:
      [{name: "front", port}, {name: "other", port: other}]});
    const proxy = activated([port, other, admin], "front:other:admin",
      ["-c", config, "--concurrency", "2", "--base-id", String(baseId), "--drain-time-s", "1"]);
    await eventually("the sockets are open", () => get(port).then(() => true, () => false));
    const load = new Load(port);
    assert.equal((await get(other)).body, "hi");
    assert.equal((await get(admin, "/ready")).body, "LIVE\n");
    // And the next process gets them from this one.
    const next = await upgrade();
    assert.equal(next.status, 0, next.err);
    assert.equal(await proxy.ended, 0);
    assert.equal((await get(other)).body, "hi");
    await load.stop();
    assert.deepEqual(load.failures, []);
  },

  async "where any port will do the name decides"() {
    const app = await startUpstream();
    const [port, admin] = [await freePort(), await freePort()];
    const config = writeConfig("named",
      {admin, app: app.address().port, listeners: [{name: "front", port: 0}]});
    const proxy = activated([port], "front", ["-c", config, "--base-id", String(baseId + 1)]);
    await eventually("the named socket serves", () => get(port).then(() => true, () => false));
    proxy.kill("SIGTERM");
    assert.equal(await proxy.ended, 0);
  },
});
