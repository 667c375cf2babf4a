"""What is measured: each scenario takes one sample of one proxy and returns its figures."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import machine
import proxies

# Enough for every proxy to have no rest between its requests.
H2LOAD_REQUESTS_PER_SECOND = 30_000

TLS = proxies.Wire(tls=True)
H2 = proxies.Wire(tls=True, upstream="h2")
GRPC = proxies.Wire(tls=True, upstream="grpc")


class Bench:
    """Settings of a run and how one sample is taken."""

    def __init__(self, programs, seconds, rate, idle_connections):
        self.programs = programs
        self.idle_connections = idle_connections
        self.seconds = seconds
        self.rate = rate
        self.proxy_core, self.load_core = machine.cores()

    @contextlib.contextmanager
    def running(self, proxy, scenario, routes=0, prefix=(), wire=proxies.CLEAR):
        """Yields (proxy process, its port, origin's port) with the proxy listening."""
        with tempfile.TemporaryDirectory(prefix=scenario) as folder:
            listen, origin = machine.free_port(), machine.free_port()
            if wire.tls:
                wire = dataclasses.replace(wire, **machine.certificate(folder))
            command = proxy.prepare(pathlib.Path(folder), listen, origin, routes, wire)
            with machine.Process(list(prefix) + command, self.proxy_core,
                                 stdout=subprocess.DEVNULL) as process:
                process.wait_until_it_listens(listen, 120 if prefix else 20)
                yield process, listen, origin

    @contextlib.contextmanager
    def load(self, origin, *options):
        """Yields the load generator, serving as the origin; a line on its stdin starts the rest."""
        command = [self.programs["load"], "--origin", str(origin), *map(str, options)]
        with machine.Process(command, self.load_core, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as load:
            expect(load, "ready")
            yield load

    def run_load(self, process, listen, origin, *options):
        """Keeps the proxy busy and returns what the load generator measured."""
        with self.load(origin, "--proxy", listen, "--watch", process.pid(), "--seconds",
                       self.seconds, *options) as load:
            go(load)
            result = json.loads(load.child.stdout.readline() or "{}")
            if not result or result["errors"]:
                raise RuntimeError("load failed: " + load.complaint() + process.complaint())
            return result


def go(load):
    load.child.stdin.write("go\n")
    load.child.stdin.flush()


def expect(load, word):
    line = load.child.stdout.readline().strip()
    if line != word:
        raise RuntimeError("load said %r: %s" % (line, load.complaint()))


def busy(*options, wire=proxies.CLEAR):
    """A scenario that keeps the proxy as busy as it can."""
    def sample(bench, proxy, scenario):
        with bench.running(proxy, scenario, wire=wire) as (process, listen, origin):
            result = bench.run_load(process, listen, origin, *options)
            return {"cpu us": result["cpu_us"], "user us": result["user_us"],
                    "requests/s": result["requests"] / result["seconds"],
                    "core busy %": 100 * result["busy"]}
    return sample


def latency(bench, proxy, scenario):
    """Poisson arrivals at a rate that none of the proxies finds hard."""
    with bench.running(proxy, scenario) as (process, listen, origin):
        result = bench.run_load(process, listen, origin, "--rate", bench.rate)
        return {"p50 us": result["p50_us"], "p99 us": result["p99_us"],
                "p99.9 us": result["p999_us"], "cpu us": result["cpu_us"]}


def routes(bench, proxy, scenario):
    """10,000 virtual hosts against one: what they add."""
    cost = {}
    for count in 0, proxies.ROUTES:
        with bench.running(proxy, scenario, count) as (process, listen, origin):
            memory = process.memory_kib() / 1024
            result = bench.run_load(process, listen, origin, "--host",
                                    "h%d.example" % (proxies.ROUTES - 7))
            cost[count] = result["cpu_us"]
    with tempfile.TemporaryDirectory(prefix=scenario) as folder:
        start = start_once(bench, proxy, folder, proxies.ROUTES)
    return {"extra us": cost[proxies.ROUTES] - cost[0], "MiB": memory, "start ms": start}


def start_once(bench, proxy, folder, count):
    """Milliseconds from exec to the first response."""
    listen, origin = machine.free_port(), machine.free_port()
    command = proxy.prepare(pathlib.Path(folder), listen, origin, count)
    with bench.load(origin):
        with machine.Process(command, bench.proxy_core, stdout=subprocess.DEVNULL) as process:
            return machine.first_response_ms(process, listen)


def start(bench, proxy, scenario):
    with tempfile.TemporaryDirectory(prefix=scenario) as folder:
        milliseconds = start_once(bench, proxy, folder, 0)
    with bench.running(proxy, scenario) as (process, _, _):
        return {"start ms": milliseconds, "MiB": process.memory_kib() / 1024}


def handshakes(resume):
    """A new connection for each request, with a full handshake or from the last one's ticket."""
    def sample(bench, proxy, scenario):
        with bench.running(proxy, scenario, wire=TLS) as (process, listen, origin):
            result = bench.run_load(process, listen, origin, "--tls", "--connect-each",
                                    "--connections", 16, *(["--resume"] if resume else []))
            # The first connections of each load have no ticket yet; the warm-up is over by then.
            if result["resumed"] != (result["requests"] if resume else 0):
                raise RuntimeError("%d of %d sessions were resumed" % (
                    result["resumed"], result["requests"]))
            return {"cpu us": result["cpu_us"], "user us": result["user_us"],
                    "per CPU second": 1e6 / result["cpu_us"],
                    "core busy %": 100 * result["busy"]}
    return sample


def idle(*options, wire=proxies.CLEAR):
    """Keep-alive connections that have had one response each and are silent now."""
    def sample(bench, proxy, scenario):
        with bench.running(proxy, scenario, wire=wire) as (process, listen, origin):
            # As many at a time as there will be first, so that what these requests need is not
            # counted for the connections.
            bench.run_load(process, listen, origin, "--connections", 64, "--requests", 640,
                           *options)
            before = process.memory_kib()
            with bench.load(origin, "--proxy", listen, "--connections", bench.idle_connections,
                            "--idle", *options) as load:
                go(load)
                expect(load, "idle")
                grown = process.memory_kib() - before
                return {"KiB each": grown / bench.idle_connections}
    return sample


def multiplexed(*options, wire):
    """h2load with 10 connections of 32 streams each, over TLS.

    The CPU time is that of a whole run. Its ten handshakes are in it, about 1% of it.
    """
    def sample(bench, proxy, scenario):
        origin_options = [] if wire.upstream == "http/1.1" else ["--h2-origin"]
        with bench.running(proxy, scenario, wire=wire) as (process, listen, origin):
            with bench.load(origin, *origin_options):
                h2load(bench, listen, 640, *options)  # fills the pool, and what is made once
                requests = int(bench.seconds * H2LOAD_REQUESTS_PER_SECOND)
                before, began = process.cpu_s(), time.monotonic()
                h2load(bench, listen, requests, *options)
                cpu_s, seconds = process.cpu_s() - before, time.monotonic() - began
        return {"cpu us": 1e6 * cpu_s / requests, "requests/s": requests / seconds,
                "core busy %": 100 * cpu_s / seconds}
    return sample


def h2load(bench, port, requests, *options):
    """One run of it, in which every request must succeed over HTTP/2."""
    command = ["h2load", "-n", str(requests), "-c", "10", "-m", "32", "--groups=X25519",
               "--tls13-ciphers=TLS_AES_128_GCM_SHA256",  # what `load` gets too
               *options, "https://127.0.0.1:%d/api.Items/Get" % port]
    with machine.Process(command, bench.load_core, stdout=subprocess.PIPE) as load:
        text = load.child.communicate(timeout=60)[0]
        if "Application protocol: h2\n" not in text or " %d 2xx" % requests not in text:
            raise RuntimeError("h2load failed: " + text[-1500:] + load.complaint())


def grpc_unary(bench, proxy, scenario):
    """A POST of one message of 64 bytes for each call, answered by one of 1 KiB and trailers."""
    with tempfile.NamedTemporaryFile() as message:
        message.write(b"\0" + struct.pack(">I", 64) + b"r" * 64)
        message.flush()
        call = multiplexed("-d", message.name, "-H", "content-type: application/grpc",
                           "-H", "te: trailers", wire=GRPC)
        return call(bench, proxy, scenario)


def syscalls(bench, proxy, scenario):
    """Counted by strace while it is attached, on a busy proxy."""
    requests = 5_000
    with bench.running(proxy, scenario) as (process, listen, origin):
        bench.run_load(process, listen, origin, "--requests", 500)
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "strace"
            strace = subprocess.Popen(["strace", "-f", "-c", "-o", str(report), "-p",
                                       str(process.pid())], stderr=subprocess.PIPE, text=True)
            if "attached" not in strace.stderr.readline():
                raise RuntimeError("strace cannot attach")
            bench.run_load(process, listen, origin, "--requests", requests)
            strace.send_signal(signal.SIGINT)
            strace.communicate(timeout=20)
            return count_syscalls(report.read_text(), requests)


def count_syscalls(text, requests):
    """The totals of `strace -c`: per request, all of them and the most frequent ones."""
    calls = {}
    for line in text.splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
        if match and match.group(2) != "total":
            calls[match.group(2)] = int(match.group(1)) / requests
    figures = {"all": sum(calls.values())}
    for name, count in sorted(calls.items(), key=lambda item: -item[1]):
        if count >= 0.05:
            figures[name] = count
    return figures


def instructions(bench, proxy, scenario):
    """User instructions per request: by hardware counter where there is one, else by valgrind."""
    if has_counter():
        return {"instructions": by_perf(bench, proxy, scenario)}
    few, many = 1_000, 4_000
    counts = [by_valgrind(bench, proxy, scenario, requests) for requests in (few, many)]
    return {"instructions": (counts[1] - counts[0]) / (many - few)}


def has_counter():
    if not shutil.which("perf"):
        return False
    run = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"],
                         capture_output=True, text=True)
    return run.returncode == 0 and re.match(r"\d+,", run.stderr) is not None


def by_perf(bench, proxy, scenario):
    requests = 50_000
    with bench.running(proxy, scenario) as (process, listen, origin):
        bench.run_load(process, listen, origin, "--requests", 500)
        perf = subprocess.Popen(["perf", "stat", "-x,", "-e", "instructions:u", "-p",
                                 str(process.pid())], stderr=subprocess.PIPE, text=True)
        bench.run_load(process, listen, origin, "--requests", requests)
        perf.send_signal(signal.SIGINT)
        match = re.search(r"^(\d+),", perf.communicate(timeout=20)[1], re.M)
        if not match:
            raise RuntimeError("perf printed no count")
        return int(match.group(1)) / requests


def by_valgrind(bench, proxy, scenario, requests):
    """Instructions of a life with so many requests; the difference of two is the requests'."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "valgrind")
        prefix = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--branch-sim=no",
                  "--cachegrind-out-file=/dev/null", "--log-file=" + log]
        with bench.running(proxy, scenario, prefix=prefix) as (process, listen, origin):
            bench.run_load(process, listen, origin, "--connections", 16, "--requests", requests)
            process.end(signal.SIGTERM, 30)
        match = re.search(r"I\s+refs:\s+([\d,]+)", pathlib.Path(log).read_text())
        if not match:
            raise RuntimeError("valgrind printed no count: " + pathlib.Path(log).read_text()[-500:])
        return int(match.group(1).replace(",", ""))


class Scenario:
    def __init__(self, name, title, sample, rounds=None):
        self.name, self.title, self.sample = name, title, sample
        self.rounds = rounds  # None: as many as the run has


ALL = [
    Scenario("get", "keep-alive GET, 1 KiB response, 64 connections", busy()),
    Scenario("post", "POST of 16 KiB, 64 connections", busy("--request-bytes", 16384)),
    Scenario("large", "1 MiB response, 16 connections (per MiB)",
             busy("--response-bytes", 1 << 20, "--connections", 16)),
    Scenario("pipeline", "pipelined GETs, 16 in a write, 8 connections",
             busy("--pipeline", 16, "--connections", 8)),
    Scenario("latency", "Poisson arrivals at a fixed rate", latency),
    Scenario("routes", "10,000 hosts: what they add to a GET", routes),
    Scenario("idle", "idle keep-alive connections", idle(), 2),
    Scenario("tls", "TLS 1.3 keep-alive GET, 1 KiB response, 64 connections",
             busy("--tls", wire=TLS)),
    Scenario("tls_large", "TLS 1.3, 1 MiB response, 16 connections (per MiB)",
             busy("--tls", "--response-bytes", 1 << 20, "--connections", 16, wire=TLS)),
    Scenario("handshake", "full handshakes, P-256, with one GET each", handshakes(False)),
    Scenario("resume", "resumed handshakes, with one GET each", handshakes(True)),
    Scenario("tls_idle", "idle TLS connections", idle("--tls", wire=TLS), 2),
    Scenario("h2", "HTTP/2 over TLS to HTTP/1, 10 connections x 32 streams",
             multiplexed(wire=TLS)),
    Scenario("h2_h2", "HTTP/2 over TLS to HTTP/2, 10 connections x 32 streams",
             multiplexed(wire=H2)),
    Scenario("grpc", "gRPC unary calls over TLS to HTTP/2, 10 connections x 32 streams",
             grpc_unary),
    Scenario("start", "from exec to the first response; memory then", start),
    Scenario("syscalls", "system calls per GET", syscalls, 1),
    Scenario("instructions", "user instructions per GET", instructions, 1),
]
