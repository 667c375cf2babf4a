"""The proxy with an upstream, and a client of HTTP/1 whose latency is watched."""
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time


GOOD_BODY = "x" * 2048
CORES = sorted(os.sched_getaffinity(0))
PROXYS_CORES, OTHER_CORES = ({CORES[0]}, set(CORES[1:])) if len(CORES) > 1 else (CORES, CORES)


def stand_back():
    """This thread gets only what nobody else wants of the cores that are not the proxy's: an
    attacker elsewhere takes no time from the proxy, or from its other clients."""
    os.sched_setaffinity(0, OTHER_CORES)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def run_as_usual(cores):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, cores)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def bootstrap(listen, upstream):
    extensions = "type.googleapis.com/envoy.extensions.filters."
    manager = {
        "@type": extensions + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "stream_idle_timeout": "2s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"path": "/good"},
             "direct_response": {"status": 200, "body": {"inline_string": GOOD_BODY}}},
            {"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": extensions + "http.router.v3.Router"}}],
    }
    return {"static_resources": {
        "listeners": [{"name": "front", "address": address(listen), "filter_chains": [
            {"filters": [{"name": "hcm", "typed_config": manager}]}]}],
        "clusters": [{"name": "app", "type": "STATIC", "load_assignment": {
            "cluster_name": "app",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}}],
    }}


class Upstream:
    """Answers requests of HTTP/1, and counts how many are under way at a time."""

    def __init__(self, delay_s=0.0):
        self.delay_s = delay_s
        self.under_way = self.most = 0
        self.lock = threading.Lock()
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while connection.recv(65536):
                with self.lock:
                    self.under_way += 1
                    self.most = max(self.most, self.under_way)
                time.sleep(self.delay_s)
                with self.lock:
                    self.under_way -= 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n" + b"x" * 2048)
        except OSError:
            pass


class Proxy:
    def __init__(self, program, upstream_port):
        self.port = free_port()
        self.home = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        config = os.path.join(self.home, "weir.json")
        with open(config, "w") as out:
            json.dump(bootstrap(self.port, upstream_port), out)
        self.process = subprocess.Popen(
            [program, "-c", config, "--concurrency", "1", "--drain-time-s", "1"],
            preexec_fn=lambda: run_as_usual(PROXYS_CORES))
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("the proxy does not listen")

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def waited_s(self):
        """How long it was ready to run and had no core, because somebody else had it."""
        tasks = f"/proc/{self.process.pid}/task"
        waited_ns = 0
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat") as schedstat:
                waited_ns += int(schedstat.read().split()[1])
        return waited_ns / 1e9

    def alive(self):
        return self.process.poll() is None

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def ask_until_told(port, told, results):
    """Asks hundreds of times a second; puts how long each answer took, and whether one failed."""
    run_as_usual(OTHER_CORES)
    took_s, failed = [], 0
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        while not told.is_set() and not failed:
            begin = time.monotonic()
            s.sendall(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            while not got.endswith(GOOD_BODY.encode()) and not failed:
                piece = s.recv(65536)
                failed += not piece
                got += piece
            took_s.append(time.monotonic() - begin)
            time.sleep(0.002)
    results.put((took_s, failed))


class GoodClient:
    """Somebody else, in a process of its own: what the attacker costs itself does not count."""

    def __init__(self, port):
        self.told, self.results = multiprocessing.Event(), multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=ask_until_told, args=(port, self.told, self.results), daemon=True)
        self.process.start()

    def end(self):
        self.told.set()
        self.took_s, self.failed = self.results.get(timeout=10)
        self.process.join()
        return self



def p99_ms(took_s):
    return sorted(took_s)[int(len(took_s) * 0.99)] * 1000
