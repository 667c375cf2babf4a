"""The proxies that are compared: how each is configured and started.

Every one is a single worker on one core, keeps connections to the origin, writes no access log and
has timeouts that do not come into play. A configuration is text, written anew for every start.
"""

import json
import shutil

ROUTES = 10_000


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

    def prepare(self, folder, listen, origin, routes=0):
        """Writes the configuration and returns the command."""
        raise NotImplementedError


class Relay(Proxy):
    name = "relay"
    scenarios = {"get", "post", "large", "latency", "idle", "start", "syscalls", "instructions"}

    def program(self):
        return self.programs["relay"]

    def version_command(self):
        return ["echo", "a blind relay of bytes: what the kernel alone takes"]

    def prepare(self, folder, listen, origin, routes=0):
        return [self.program(), str(listen), str(origin)]


class Nginx(Proxy):
    name = "nginx"

    def version_command(self):
        return [self.program(), "-v"]

    def prepare(self, folder, listen, origin, routes=0):
        server = """
    server {
        listen 127.0.0.1:%(listen)d backlog=4096 %(extra)s;
        server_name %(names)s;
        location / {
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }
    }"""
        servers = server % {"listen": listen, "extra": "default_server", "names": "_"}
        for number in range(routes):
            servers += (server % {"listen": listen, "extra": "", "names": "h%d.example" % number}
                        ).replace(" backlog=4096", "")
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


class Haproxy(Proxy):
    name = "haproxy"

    def version_command(self):
        return [self.program(), "-v"]

    def prepare(self, folder, listen, origin, routes=0):
        rule = ""
        if routes:
            lines = "".join("h%d.example origin\n" % number for number in range(routes))
            (folder / "hosts.map").write_text(lines)
            rule = "use_backend %%[req.hdr(host),lower,map(%s,origin)]" % (folder / "hosts.map")
        # Large bodies gain from large buffers, small requests lose: each gets what suits it.
        buffer = 65536 if folder.name.startswith("large") else 16384
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
    bind 127.0.0.1:%(listen)d backlog 4096
    %(rule)s
    default_backend origin
backend origin
    server one 127.0.0.1:%(origin)d
""" % {"buffer": buffer, "listen": listen, "origin": origin, "rule": rule}
        (folder / "haproxy.cfg").write_text(text)
        return [self.program(), "-db", "-q", "-f", str(folder / "haproxy.cfg")]


class Weir(Proxy):
    name = "weir"

    def program(self):
        return self.programs["weir"]

    def version_command(self):
        return [self.program(), "--version"]

    def prepare(self, folder, listen, origin, routes=0):
        (folder / "weir.json").write_text(json.dumps(weir_bootstrap(listen, origin, routes)))
        return [self.program(), "-c", str(folder / "weir.json"), "--concurrency", "1"]


def weir_bootstrap(listen, origin, routes):
    """An Envoy bootstrap with one listener, one cluster and `routes` virtual hosts."""
    types = "type.googleapis.com/envoy.extensions.filters."
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
                "typed_config": manager}]}],
        }],
        "clusters": [{
            "name": "origin",
            "type": "STATIC",
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
