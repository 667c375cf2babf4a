"""JSON through the proxy to a gRPC server, descriptors that change while it runs included.

usage: transcoder_test.py WEIR DESCRIPTORS
"""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has grpcio
ENVOY = "type.googleapis.com/envoy."
FILTERS = ENVOY + "extensions.filters.http."
JSON = {"Content-Type": "application/json"}
PATIENCE_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def bootstrap(front, server, descriptors):
    transcoder = {
        "@type": FILTERS + "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": str(descriptors), "services": ["bookstore.Bookstore"],
        "convert_grpc_status": True, "max_request_body_size": 8 << 20,
        "max_response_body_size": 8 << 20,
        "request_validation_options": {"reject_unknown_method": True}}
    manager = {
        "@type": ENVOY + "extensions.filters.network.http_connection_manager.v3."
                         "HttpConnectionManager",
        "stat_prefix": "front",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/bookstore.Bookstore/"}, "route": {"cluster": "books"}}]}]},
        "http_filters": [{"name": "transcoder", "typed_config": transcoder},
                         {"name": "router", "typed_config": {
                             "@type": FILTERS + "router.v3.Router"}}]}
    options = {"@type": ENVOY + "extensions.upstreams.http.v3.HttpProtocolOptions",
               "explicit_http_config": {"http2_protocol_options": {}}}
    cluster = {
        "name": "books", "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": "books", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(server)}}]}]}}
    listener = {"name": "front", "address": address(front), "filter_chains": [
        {"filters": [{"name": "hcm", "typed_config": manager}]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def start(stack, command, **options):
    process = stack.enter_context(subprocess.Popen(command, **options))
    stack.callback(process.kill)
    return process


def wait_for_port(port):
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.02)


class Client:
    """Makes requests and counts what came of them."""

    def __init__(self, port):
        self.port = port
        self.passed = 0
        self.failed = 0

    def request(self, method, path, body=None, headers=None):
        """Status, content type and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or JSON)
            response = connection.getresponse()
            return response.status, response.headers["content-type"], response.read().decode()

    def check(self, what, got, wanted):
        held = got == wanted
        self.passed += held
        self.failed += not held
        print(f"{'ok' if held else 'FAILED'}: {what}")
        if not held:
            print(f"  got    {str(got)[:300]}\n  wanted {str(wanted)[:300]}")

    def expect(self, what, request, status, body, content_type="application/json"):
        self.check(what, self.request(*request), (status, content_type, body))


def check_calls(client):
    book = '{"name":"x","pages":[{"title":"t"}],"published":"2024-01-31T12:00:00Z"}'
    client.expect("one message", ("POST", "/echo", book), 200, book)
    client.expect("a path", ("GET", "/shelves/7"), 200, '{"id":"7"}')
    client.expect("a status", ("GET", "/books/missing"), 404,
                  '{"code":5,"message":"no such book: é"}')
    client.expect("a stream of responses", ("GET", "/watch/x"), 200,
                  '[{"name":"a"},{"name":"b"},{"name":"c"}]')
    client.expect("a stream that fails at once", ("GET", "/watch/missing"), 404,
                  '{"code":5,"message":"no such book: é"}')
    client.expect("a stream of requests", ("POST", "/bulk", '[{},{"note":"x"},{}]'), 200,
                  '{"shelves":[{"id":"3"}]}')
    client.expect("streams both ways", ("POST", "/chat", '{"name":"a"}\n{"name":"b"}'), 200,
                  '[{"name":"a"},{"name":"b"}]')
    client.expect("a body as it is", ("POST", "/raw", "bytes", {"Content-Type": "image/png"}),
                  200, "bytes", "image/png")
    large = json.dumps({"name": "x" * 5_000_000}, separators=(",", ":"))
    client.expect("five megabytes", ("POST", "/echo", large), 200, large)


def check_errors(client):
    status, _, body = client.request("POST", "/echo", '{"pages":[{},{"title":7}]}')
    violation = json.loads(body)["details"][0]["fieldViolations"][0]
    client.check("the field that is wrong", (status, violation["field"]), (400, "pages[1].title"))
    client.check("no rule", client.request("GET", "/nope")[0], 404)
    client.check("not JSON", client.request("POST", "/echo", "<a/>",
                                            {"Content-Type": "text/xml"})[0], 415)
    client.check("too large", client.request("POST", "/echo", "x" * ((8 << 20) + 1))[0], 413)


def check_reload(client, proxy, descriptors):
    """The rule for /shelves/{shelf} moves: the same configuration, another file."""
    before = descriptors.read_bytes()
    after = before.replace(b"/shelves/{shelf}:close", b"/drawers/{shelf}:close")
    client.check("the old rule", client.request("POST", "/shelves/7:close")[0], 200)
    descriptors.write_bytes(after)
    proxy.send_signal(signal.SIGHUP)
    limit = time.monotonic() + PATIENCE_S
    while client.request("POST", "/drawers/7:close")[0] != 200 and time.monotonic() < limit:
        time.sleep(0.05)
    client.check("the new rule", client.request("POST", "/drawers/7:close")[0], 200)
    client.check("the old rule is gone", client.request("POST", "/shelves/7:close")[0], 404)
    descriptors.write_bytes(b"broken")
    proxy.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    client.check("a broken file changes nothing", client.request("POST", "/drawers/7:close")[0],
                 200)


def main():
    weir, given = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))))
        descriptors = folder / "bookstore.pb"
        shutil.copyfile(given, descriptors)
        server = start(stack, [PYTHON, str(HERE / "bookstore_server.py")],
                       stdout=subprocess.PIPE, text=True)
        front = free_port()
        config = folder / "weir.json"
        config.write_text(json.dumps(bootstrap(front, int(server.stdout.readline()), descriptors)))
        proxy = start(stack, [weir, "-c", str(config)])
        wait_for_port(front)
        client = Client(front)
        check_calls(client)
        check_errors(client)
        check_reload(client, proxy, descriptors)
        client.check("the proxy runs", proxy.poll(), None)
    print(f"{client.passed} passed, {client.failed} failed")
    return 1 if client.failed else 0


sys.exit(main())
