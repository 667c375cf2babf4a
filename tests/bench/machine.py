"""The machine: pinned processes, their memory, ports, and a network of our own."""

import ctypes
import fcntl
import os
import pathlib
import random
import resource
import signal
import socket
import struct
import subprocess
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def cores():
    """(core of the proxy, core of load and origin)."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (allowed[0], allowed[0])


def own_network():
    """Moves into a network namespace with nothing but a loopback; needs root.

    There no port is taken, no firewall counts packets, and congestion control is one that does not
    pace a loopback. Returns a sentence for the report.
    """
    if LIBC.unshare(CLONE_NEWNET) != 0:
        return "the machine's own network (no right to a separate one)"
    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    try:
        pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("reno")
        return "a network namespace of its own, reno"
    except OSError:
        return "a network namespace of its own"


def free_port():
    """A port that nobody listens on, and below those that clients are given by the kernel."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def certificate(folder):
    """Makes a P-256 key and its certificate in `folder` and returns the paths of the files."""
    paths = {name: os.path.join(folder, name + ".pem") for name in ("certificate", "key", "both")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    "/CN=bench.example", "-addext", "subjectAltName=DNS:bench.example",
                    "-keyout", paths["key"], "-out", paths["certificate"]],
                   check=True, capture_output=True)
    parts = [pathlib.Path(paths[name]).read_text() for name in ("certificate", "key")]
    pathlib.Path(paths["both"]).write_text("".join(parts))
    return paths


class Process:
    """A program pinned to one core, ended with us. Use as a context manager."""

    def __init__(self, command, core, **options):
        def before_exec():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {core})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.errors = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.child = subprocess.Popen(command, preexec_fn=before_exec, start_new_session=True,
                                      stderr=self.errors, text=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def end(self, number, patience=5):
        """Sends the signal to the program's session and waits; kills it when it does not end."""
        for each in (number, signal.SIGKILL):
            if self.child.poll() is not None:
                break
            try:
                os.killpg(self.child.pid, each)
                self.child.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        for stream in (self.child.stdin, self.child.stdout):
            if stream:
                stream.close()
        return self.child.returncode

    def complaint(self):
        """What it wrote to stderr."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-2000:]

    def pid(self):
        return self.child.pid

    def cpu_s(self):
        """CPU time of all its threads, in seconds."""
        tasks = pathlib.Path("/proc/%d/task" % self.child.pid).iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def memory_kib(self):
        """Proportional set size: what it has, with shared pages divided by their users."""
        text = pathlib.Path("/proc/%d/smaps_rollup" % self.child.pid).read_text()
        line = next(l for l in text.splitlines() if l.startswith("Pss:"))
        return int(line.split()[1])

    def wait_until_it_listens(self, port, patience=20):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise RuntimeError("%s ended with status %d: %s" % (
                    self.child.args[0], self.child.returncode, self.complaint()))
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.002)
        raise RuntimeError("%s does not listen on port %d: %s" % (
            self.child.args[0], port, self.complaint()))


def first_response_ms(process, port, patience=20):
    """From the start of the process to the last byte of its first response, in milliseconds."""
    request = b"GET / HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n"
    deadline = process.started + patience
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(request)
                if connection.recv(65536).startswith(b"HTTP/1.1 200"):
                    return (time.monotonic() - process.started) * 1000
        except OSError:
            time.sleep(0.0005)
    raise RuntimeError("no response from %s: %s" % (process.child.args[0], process.complaint()))
