"""The proxies that are compared: how each is configured and started.

Every one is a single worker on one core, keeps connections to the origin, writes no access log and
has timeouts that do not come into play. A configuration is text, written anew for every start.
"""

import dataclasses
import json
import os
import shutil

ROUTES = 10_000


@dataclasses.dataclass(frozen=True)
class Wire:
    """How both sides speak. In TLS a client may choose HTTP/2; in the clear it is HTTP/1."""

    tls: bool = False
    upstream: str = "http/1.1"  # or "h2", or "grpc" which is h2 too
    certificate: str = ""  # files in PEM; `both` holds certificate and key
    key: str = ""
    both: str = ""


CLEAR = Wire()


EXTENSIONS = "type.googleapis.com/envoy.extensions."


class Proxy:
    """What is common: a name, the command to run, and the configuration that it reads."""

    name = ""
    scenarios = None  # None: all

    def __init__(self, programs):
        self.programs = programs

    def available(self):
        return self.program() is not None

    def supports(self, scenario):
        return self.scenarios is None or scenario in self.scenarios

    def program(self):
        return shutil.which(self.name)

    def version_command(self):
        raise NotImplementedError

    def prepare(self, folder, listen, origin, routes=0, wire=CLEAR):
        """Writes the configuration and returns the command."""
        raise NotImplementedError


class Relay(Proxy):
    name = "relay"
    scenarios = {"get", "post", "large", "latency", "idle", "start", "syscalls", "instructions"}
    # What a relay that ends TLS can do: the HTTP inside it stays as it is.
    tls_scenarios = {"tls", "tls_large", "handshake", "resume", "tls_idle", "h2_h2", "grpc"}

    def program(self):
        return self.programs["relay"]

    def supports(self, scenario):
        return scenario in self.scenarios or (scenario in self.tls_scenarios and
                                              os.path.exists(self.programs["tls_relay"]))

    def version_command(self):
        return ["echo", "a blind relay of bytes: what the kernel alone takes"]

    def prepare(self, folder, listen, origin, routes=0, wire=CLEAR):
        if wire.tls:
            return [self.programs["tls_relay"], str(listen), str(origin), wire.certificate,
                    wire.key]
        return [self.program(), str(listen), str(origin)]


class Nginx(Proxy):
    name = "nginx"

    def supports(self, scenario):
        return scenario != "h2_h2"  # it speaks HTTP/2 to an upstream for gRPC alone

    def version_command(self):
        return [self.program(), "-v"]

    def prepare(self, folder, listen, origin, routes=0, wire=CLEAR):
        server = """
    server {
        listen 127.0.0.1:%(listen)d%(extra)s;
        server_name %(names)s;%(tls)s
        location / {%(pass)s
        }
    }"""
        what = {"listen": listen, "tls": NGINX_TLS % vars(wire) if wire.tls else "",
                "pass": NGINX_PASS_GRPC if wire.upstream == "grpc" else NGINX_PASS}
        extra = " default_server backlog=4096" + (" ssl http2" if wire.tls else "")
        servers = server % {**what, "extra": extra, "names": "_"}
        for number in range(routes):
            servers += server % {**what, "extra": "", "names": "h%d.example" % number}
        text = """
user root;
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 65536;
error_log stderr crit;
pid %(folder)s/nginx.pid;
events { worker_connections 20000; }
http {
    access_log off;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
    server_names_hash_max_size 131072;
    server_names_hash_bucket_size 128;
    client_body_buffer_size 128k;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 256k;
    proxy_max_temp_file_size 0;
    client_body_temp_path %(folder)s/t1;
    proxy_temp_path %(folder)s/t2;
    fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4;
    scgi_temp_path %(folder)s/t5;
    upstream origin {
        server 127.0.0.1:%(origin)d;
        keepalive 512;
        keepalive_requests 100000000;
    }%(servers)s
}
""" % {"folder": folder, "origin": origin, "servers": servers}
        (folder / "nginx.conf").write_text(text)
        return [self.program(), "-e", "stderr", "-c", str(folder / "nginx.conf")]


NGINX_TLS = """
        ssl_certificate %(certificate)s;
        ssl_certificate_key %(key)s;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;"""
NGINX_PASS = """
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;"""
NGINX_PASS_GRPC = """
            grpc_pass grpc://origin;
            grpc_buffer_size 64k;"""


class Haproxy(Proxy):
    name = "haproxy"

    def version_command(self):
        return [self.program(), "-v"]

    def prepare(self, folder, listen, origin, routes=0, wire=CLEAR):
        rule = ""
        if routes:
            lines = "".join("h%d.example origin\n" % number for number in range(routes))
            (folder / "hosts.map").write_text(lines)
            rule = "use_backend %%[req.hdr(host),lower,map(%s,origin)]" % (folder / "hosts.map")
        # Large bodies gain from large buffers, small requests lose: each gets what suits it.
        buffer = 65536 if folder.name.startswith(("large", "tls_large")) else 16384
        text = """
global
    nbthread 1
    maxconn 9000
    tune.bufsize %(buffer)d
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
frontend front
    bind 127.0.0.1:%(listen)d backlog 4096%(tls)s
    %(rule)s
    default_backend origin
backend origin
    server one 127.0.0.1:%(origin)d%(upstream)s
""" % {"buffer": buffer, "listen": listen, "origin": origin, "rule": rule,
       "tls": HAPROXY_TLS % wire.both if wire.tls else "",
       "upstream": "" if wire.upstream == "http/1.1" else " proto h2"}
        (folder / "haproxy.cfg").write_text(text)
        return [self.program(), "-db", "-q", "-f", str(folder / "haproxy.cfg")]


# It would choose AES-256; all do AES-128, which BoringSSL chooses and does not let one set.
HAPROXY_TLS = (" ssl crt %s ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256"
               " alpn h2,http/1.1")


class Weir(Proxy):
    name = "weir"

    def program(self):
        return self.programs["weir"]

    def version_command(self):
        return [self.program(), "--version"]

    def prepare(self, folder, listen, origin, routes=0, wire=CLEAR):
        (folder / "weir.json").write_text(json.dumps(
            weir_bootstrap(listen, origin, routes, wire)))
        return [self.program(), "-c", str(folder / "weir.json"), "--concurrency", "1"]


def weir_tls(wire):
    """The transport socket of a listener, as fields of its filter chain."""
    if not wire.tls:
        return {}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": EXTENSIONS + "transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                           "tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": {"filename": wire.certificate},
                                  "private_key": {"filename": wire.key}}]}}}}


def weir_upstream(wire):
    """What a cluster says of the version of HTTP, as its fields."""
    if wire.upstream == "http/1.1":
        return {}
    return {"typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}}}}}


def weir_bootstrap(listen, origin, routes, wire):
    """An Envoy bootstrap with one listener, one cluster and `routes` virtual hosts."""
    types = EXTENSIONS + "filters."
    route = {"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "600s"}}
    hosts = [{"name": "rest", "domains": ["*"], "routes": [route]}]
    hosts += [{"name": "h%d" % n, "domains": ["h%d.example" % n], "routes": [route]}
              for n in range(routes)]
    manager = {
        "@type": types + "network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "common_http_protocol_options": {"idle_timeout": "600s"},
        "route_config": {"name": "local", "virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router",
                          "typed_config": {"@type": types + "http.router.v3.Router"}}],
    }
    return {"static_resources": {
        "listeners": [{
            "name": "front",
            "address": address(listen),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager}], **weir_tls(wire)}],
        }],
        "clusters": [{
            "name": "origin",
            "type": "STATIC",
            **weir_upstream(wire),
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [{"max_connections": 20000,
                                                 "max_pending_requests": 20000,
                                                 "max_requests": 20000}]},
            "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": address(origin)}}]}]},
        }],
    }}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


ALL = [Relay, Nginx, Haproxy, Weir]
