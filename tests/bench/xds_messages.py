"""Envoy's messages as bytes, with no more of protobuf than a large push needs.

Field numbers are those of Envoy's v3 API. Resources of 100,000 parts are joined from bytes, because
a library takes longer to encode them than the proxy takes to apply them.
"""

TYPES = "type.googleapis.com/envoy."
CLUSTER = TYPES + "config.cluster.v3.Cluster"
ENDPOINTS = TYPES + "config.endpoint.v3.ClusterLoadAssignment"
ROUTES = TYPES + "config.route.v3.RouteConfiguration"


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, value):
    """A text, bytes, or a message that is encoded already."""
    if isinstance(value, str):
        value = value.encode()
    return varint(field << 3 | 2) + varint(len(value)) + value


def fields(message):
    """{number: [values]} of a message: bytes, or integers."""
    out, at = {}, 0

    def read_varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = read_varint()
        if key & 7 == 2:
            size = read_varint()
            value, at = message[at:at + size], at + size
        elif key & 7 == 0:
            value = read_varint()
        else:
            size = 8 if key & 7 == 1 else 4
            value = int.from_bytes(message[at:at + size], "little")
            at += size
        out.setdefault(key >> 3, []).append(value)
    return out


def endpoint_address(place):
    """One of 16 million addresses of the loopback: all lead to the same origin."""
    return "127.%d.%d.%d" % (1 + place // 62500, place // 250 % 250, 1 + place % 250)


def assignment(cluster, places, port):
    """ClusterLoadAssignment with an endpoint for each of the places, in one locality."""
    parts = []
    for place in places:
        socket_address = part(2, endpoint_address(place)) + number(3, port)
        parts.append(part(2, part(1, part(1, part(1, socket_address)))))
    locality = part(1, part(1, "bench")) + b"".join(parts)
    return part(1, cluster) + part(2, locality)


def cluster(name, timeout_ms=5000):
    """A Cluster of type EDS, whose endpoints come over ADS.

    Connections that are idle for a second end: there may be more endpoints than descriptors.
    """
    ads = part(3, b"") + number(6, 2)
    return (part(1, name) + number(2, 3) + part(3, part(1, ads)) +
            part(4, number(1, timeout_ms // 1000) + number(2, timeout_ms % 1000 * 1_000_000)) +
            part(10, part(1, limits())) + part(29, part(1, number(1, 1))))


def limits():
    """Thresholds that do not come into play."""
    return b"".join(part(field, number(1, 1_000_000)) for field in (2, 3, 4))


def route_configuration(name, to, hosts):
    """RouteConfiguration with a virtual host for each of the names, and one for the rest."""
    route = part(3, part(1, part(1, "/")) + part(2, part(1, to)))
    rest = part(2, part(1, "rest") + part(2, "*") + route)
    return part(1, name) + rest + b"".join(
        part(2, part(1, host) + part(2, host + ".example") + route) for host in hosts)


def delta_response(kind, nonce, version, resources, removed=()):
    """DeltaDiscoveryResponse with {name: bytes}."""
    parts = [part(1, version), part(4, kind), part(5, nonce)]
    for name, content in resources.items():
        anything = part(1, kind) + part(2, content)
        parts.append(part(2, part(3, name) + part(1, version) + part(2, anything)))
    return b"".join(parts + [part(6, name) for name in removed])
