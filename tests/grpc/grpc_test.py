"""Each client of this folder through the proxy to each server: grpc-js and grpcio, both ways.

usage: grpc_test.py WEIR TRANSPORT     (TRANSPORT: cleartext, tls or mtls)
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"  # Debian's, which has grpcio
SERVERS = {"grpc-js": ["node", str(HERE / "echo_server.mjs")],
           "grpcio": [PYTHON, str(HERE / "echo_server.py")]}
CLIENTS = {"grpc-js": ["node", str(HERE / "echo_client.mjs")],
           "grpcio": [PYTHON, str(HERE / "echo_client.py")]}
CLIENT_PATIENCE_S = 60
ENVOY = "type.googleapis.com/envoy."


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


# ---- certificates ----

def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """ca.pem, and cert.pem with key.pem for localhost, as server and as client."""
    def file(name):
        return str(folder / name)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=test ca", "-days", "2", "-keyout", file("ca_key.pem"),
            "-out", file("ca.pem"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=localhost", "-keyout", file("key.pem"), "-out", file("csr.pem"))
    (folder / "san.cnf").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", file("csr.pem"), "-CA", file("ca.pem"), "-CAkey",
            file("ca_key.pem"), "-CAcreateserial", "-days", "2", "-extfile", file("san.cnf"),
            "-out", file("cert.pem"))


def common_tls(folder, transport, verify):
    context = {"alpn_protocols": ["h2"]}
    own = {"certificate_chain": {"filename": f"{folder}/cert.pem"},
           "private_key": {"filename": f"{folder}/key.pem"}}
    if transport == "mtls" or not verify:
        context["tls_certificates"] = [own]
    if transport == "mtls" or verify:
        context["validation_context"] = {"trusted_ca": {"filename": f"{folder}/ca.pem"}}
    return context


def downstream_socket(folder, transport):
    if transport == "cleartext":
        return {}
    return {"transport_socket": {"name": "tls", "typed_config": {
        "@type": ENVOY + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common_tls(folder, transport, verify=False),
        "require_client_certificate": transport == "mtls"}}}


def upstream_socket(folder, transport):
    if transport == "cleartext":
        return {}
    return {"transport_socket": {"name": "tls", "typed_config": {
        "@type": ENVOY + "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": "localhost",
        "common_tls_context": common_tls(folder, transport, verify=True)}}}


# ---- the proxy ----

def routes(cluster):
    slow = {"cluster": cluster, "max_stream_duration": {"grpc_timeout_header_max": "0.2s"}}
    retried = {"cluster": cluster, "timeout": "0s", "retry_policy": {
        "retry_on": "unavailable", "retry_back_off": {"base_interval": "0.001s"}}}
    limited = {"prefix": "/test.Echo/Slow", "grpc": {},
               "headers": [{"name": "x-limit", "string_match": {"exact": "yes"}}]}
    return [{"match": limited, "route": slow},
            {"match": {"prefix": "/test.Echo/Flaky"}, "route": retried},
            {"match": {"prefix": "/nowhere.Service/"}, "route": {"cluster": "nowhere"}},
            {"match": {"prefix": "/test.Echo/", "grpc": {}},
             "route": {"cluster": cluster, "timeout": "0s"}}]


def listener(name, port, socket_part):
    manager = {
        "@type": ENVOY + "extensions.filters.network.http_connection_manager.v3."
                         "HttpConnectionManager",
        "stat_prefix": "grpc",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"],
                                            "routes": routes(name)}]},
        "http_filters": [{"name": "router", "typed_config": {
            "@type": ENVOY + "extensions.filters.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "hcm", "typed_config": manager}], **socket_part}
    return {"name": name, "address": address(port), "filter_chains": [chain]}


def cluster(name, ports, socket_part):
    options = {"@type": ENVOY + "extensions.upstreams.http.v3.HttpProtocolOptions",
               "explicit_http_config": {"http2_protocol_options": {}}}
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    return {"name": name, "type": "STATIC", "connect_timeout": "5s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
            **socket_part}


def bootstrap(fronts, servers, folder, transport):
    down, up = downstream_socket(folder, transport), upstream_socket(folder, transport)
    return {"static_resources": {
        "listeners": [listener(name, port, down) for name, port in fronts.items()],
        "clusters": [cluster(name, [port], up) for name, port in servers.items()] +
                    [cluster("nowhere", [], {})]}}


# ---- processes ----

def start_server(stack, command, arguments):
    process = stack.enter_context(subprocess.Popen(
        command + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    return int(process.stdout.readline())


def start_proxy(stack, weir, config, ports):
    process = stack.enter_context(subprocess.Popen([weir, "-c", str(config)]))
    stack.callback(process.kill)
    limit = time.monotonic() + 10
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > limit:
                    raise
                time.sleep(0.02)
    return process


def run_client(client, port, arguments):
    """How many checks held, and whether all did."""
    environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
    done = subprocess.run(CLIENTS[client] + [str(port)] + arguments, stdout=subprocess.PIPE,
                          text=True, timeout=CLIENT_PATIENCE_S, env=environment)
    for line in done.stdout.splitlines():
        print("  " + line)
    return done.stdout.count("ok "), done.returncode == 0


def main():
    weir, transport = sys.argv[1:]
    passed, failed = 0, 0
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))))
        arguments = []
        if transport != "cleartext":
            make_certificates(folder)
            arguments = ["--tls", str(folder)] + (["--mtls"] if transport == "mtls" else [])
        servers = {name: start_server(stack, command, arguments)
                   for name, command in SERVERS.items()}
        fronts = {name: free_port() for name in servers}
        config = folder / "weir.json"
        config.write_text(json.dumps(bootstrap(fronts, servers, folder, transport)))
        proxy = start_proxy(stack, weir, config, fronts.values())
        for server, port in fronts.items():
            for client in CLIENTS:
                print(f"{client} -> {server}, {transport}", flush=True)
                held, fine = run_client(client, port, arguments)
                passed += held
                failed += not fine
        if proxy.poll() is not None:
            print(f"the proxy ended with {proxy.returncode}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
