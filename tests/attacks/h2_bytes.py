"""HTTP/2 frames (RFC 9113 4.1) and field sections (RFC 7541) written by hand."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def integer(value, prefix_bits, first=0):
    """An integer with a prefix (RFC 7541 5.1)."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out = bytes([first | most])
    value -= most
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def string(text):
    return integer(len(text), 7) + text


def literal(name, value):
    """Without indexing, the name in full."""
    return b"\0" + string(name) + string(value)


def indexed_literal(name, value):
    """Added to the dynamic table, where it is number 62."""
    return b"\x40" + string(name) + string(value)


def indexed(number):
    return integer(number, 7, 0x80)


def request(method=b"GET", path=b"/"):
    scheme_http, = [indexed(6)]
    return (literal(b":method", method) + scheme_http + literal(b":path", path) +
            literal(b":authority", b"a"))


def window_update(stream, by):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", by))


def frames_in(data):
    """(kind, payload) of each whole frame."""
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            return
        yield data[3], data[9:9 + size]
        data = data[9 + size:]
