"""Serves echo.mjs's service with Debian's python3-grpcio on a free port, its first line of output.

usage: echo_server.py [--tls FOLDER [--mtls]]
"""

import sys
import threading
from concurrent import futures

import grpc

from transport import OPTIONS, transport


class Echo:
    """The methods; messages are bytes, as they are."""

    def __init__(self):
        self.lock = threading.Lock()
        self.cancelled = 0
        self.failed = set()

    def unary(self, request, context):
        metadata = context.invocation_metadata()
        context.send_initial_metadata([line for line in metadata if line.key == "x-echo"])
        context.set_trailing_metadata([line for line in metadata if line.key == "x-echo-bin"])
        return request

    def collect(self, requests, _context):
        sizes = [len(request) for request in requests]
        return f"{len(sizes)}:{sum(sizes)}".encode()

    def repeat(self, request, _context):
        messages, size = map(int, request.split(b":"))
        for i in range(messages):
            yield bytes([i % 256]) * size

    def chat(self, requests, _context):
        yield from requests

    def fail(self, request, context):
        code, message = request.decode().split(":", 1)
        context.abort(next(c for c in grpc.StatusCode if c.value[0] == int(code)), message)

    def flaky(self, request, context):
        with self.lock:
            first = request not in self.failed
            self.failed.add(request)
        if first:
            context.abort(grpc.StatusCode.UNAVAILABLE, "once")
        return request

    def slow(self, _request, context):
        over = threading.Event()
        context.add_callback(over.set)
        over.wait(60)
        with self.lock:
            self.cancelled += 1
        return b""

    def given_up(self, _request, _context):
        with self.lock:
            return str(self.cancelled).encode()


def handlers(echo):
    return grpc.method_handlers_generic_handler("test.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(echo.unary),
        "Collect": grpc.stream_unary_rpc_method_handler(echo.collect),
        "Repeat": grpc.unary_stream_rpc_method_handler(echo.repeat),
        "Chat": grpc.stream_stream_rpc_method_handler(echo.chat),
        "Fail": grpc.unary_unary_rpc_method_handler(echo.fail),
        "Flaky": grpc.unary_unary_rpc_method_handler(echo.flaky),
        "Slow": grpc.unary_unary_rpc_method_handler(echo.slow),
        "Cancelled": grpc.unary_unary_rpc_method_handler(echo.given_up),
    })


def main():
    server = grpc.server(futures.ThreadPoolExecutor(32), options=OPTIONS)
    server.add_generic_rpc_handlers((handlers(Echo()),))
    files = transport()
    if files is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(
            [(files.key, files.cert)], files.ca if files.mutual else None, files.mutual))
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


main()
