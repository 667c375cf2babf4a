"""A control plane that pushes what it is told, over delta ADS: gRPC on HTTP/2 in the clear.

It knows no more of HTTP/2 than one long stream needs: it reads no header block, because every
stream that a client opens can only be that one.
"""

import socket
import struct
import threading
import time

import xds_messages

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
WINDOW_BYTES = 1 << 30
# ":status 200" of the static table; "content-type" of it with a text of its own.
ANSWER = b"\x88\x0f\x10" + bytes([len("application/grpc")]) + b"application/grpc"


class ControlPlane:
    """Listens at `port` for one proxy. Pushes wait until the proxy has answered."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.changed = threading.Condition()
        self.connection = None
        self.answers = {}  # by nonce: when it came, and the error if it is a refusal
        self.asked = set()  # (type, name) that the proxy has subscribed to
        self.nonces = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def push(self, kind, version, resources, removed=(), patience_s=120):
        """Seconds until the proxy has acknowledged it."""
        with self.changed:
            self.nonces += 1
            nonce = str(self.nonces)
            self._wait(lambda: self.connection is not None, patience_s, "no proxy connects")
        message = xds_messages.delta_response(kind, nonce, version, resources, removed)
        began = time.monotonic()
        self.connection.send_message(message)
        with self.changed:
            self._wait(lambda: nonce in self.answers, patience_s, "no answer to a push")
            when, error = self.answers[nonce]
        if error:
            raise RuntimeError("refused: " + error)
        return when - began

    def wait_for(self, kind, names, patience_s=120):
        """Until the proxy has asked for all of them."""
        wanted = {(kind, name) for name in names}
        with self.changed:
            self._wait(lambda: wanted <= self.asked, patience_s, "not all names are asked for")

    def _wait(self, condition, patience_s, complaint):
        if not self.changed.wait_for(condition, patience_s):
            raise RuntimeError(complaint)

    def _serve(self):
        while True:
            peer, _ = self.listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(peer, self._take)
            with self.changed:
                self.asked = set()
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        try:
            connection.read(self._opened)
        except (OSError, EOFError):
            pass

    def _opened(self, connection):
        with self.changed:
            self.connection = connection
            self.changed.notify_all()

    # A DeltaDiscoveryRequest.
    def _take(self, message):
        now = time.monotonic()
        request = xds_messages.fields(message)
        kind = request[2][0].decode()
        with self.changed:
            for name in request.get(3, []):
                self.asked.add((kind, name.decode()))
            if 6 in request:
                error = xds_messages.fields(request[7][0]) if 7 in request else {}
                text = error.get(2, [b"without a reason"])[0].decode() if error else ""
                self.answers[request[6][0].decode()] = now, text
            self.changed.notify_all()


class Connection:
    """The frames of one connection, and what its gRPC stream may still send."""

    def __init__(self, peer, take):
        self.peer = peer
        self.take = take
        self.writing = threading.Lock()
        self.windows = threading.Condition()
        self.stream = 0
        self.connection_window = 65535
        self.stream_window = self.first_window = 65535
        self.frame_bytes = 16384
        self.message = bytearray()

    def read(self, opened):
        if self._exactly(len(PREFACE)) != PREFACE:
            raise EOFError
        self._send(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW_BYTES))
        self._send(WINDOW, 0, 0, struct.pack(">I", WINDOW_BYTES))
        while True:
            head = self._exactly(9)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream = int.from_bytes(head[5:], "big")
            payload = self._exactly(size)
            if kind == HEADERS and stream > self.stream:
                self._open(stream, opened)
            elif kind == DATA:
                self._take_data(stream, payload)
            elif kind == SETTINGS and not flags & ACK:
                self._take_settings(payload)
            elif kind == PING and not flags & ACK:
                self._send(PING, ACK, 0, payload)
            elif kind == WINDOW:
                self._widen(stream, struct.unpack(">I", payload)[0])
            elif kind in (GOAWAY, RESET):
                raise EOFError

    def _open(self, stream, opened):
        with self.windows:
            self.stream = stream
            self.stream_window = self.first_window
        self._send(HEADERS, END_HEADERS, stream, ANSWER)
        opened(self)

    def _take_data(self, stream, payload):
        if payload:
            self._send(WINDOW, 0, 0, struct.pack(">I", len(payload)))
            self._send(WINDOW, 0, stream, struct.pack(">I", len(payload)))
        self.message += payload
        while len(self.message) >= 5:
            size = int.from_bytes(self.message[1:5], "big")
            if len(self.message) < 5 + size:
                break
            message = bytes(self.message[5:5 + size])
            del self.message[:5 + size]
            self.take(message)

    def _take_settings(self, payload):
        with self.windows:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                if name == 4:
                    self.stream_window += value - self.first_window
                    self.first_window = value
                if name == 5:
                    self.frame_bytes = value
            self.windows.notify_all()
        self._send(SETTINGS, ACK, 0, b"")

    def _widen(self, stream, by):
        with self.windows:
            if stream == 0:
                self.connection_window += by
            elif stream == self.stream:
                self.stream_window += by
            self.windows.notify_all()

    def send_message(self, message):
        data = memoryview(b"\0" + struct.pack(">I", len(message)) + message)
        at = 0
        while at < len(data):
            with self.windows:
                def room():
                    return min(self.connection_window, self.stream_window, self.frame_bytes)
                if not self.windows.wait_for(lambda: room() > 0, 60):
                    raise RuntimeError("the proxy takes no more bytes")
                size = min(room(), len(data) - at)
                self.connection_window -= size
                self.stream_window -= size
            self._send(DATA, 0, self.stream, data[at:at + size])
            at += size

    def _send(self, kind, flags, stream, payload):
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
        with self.writing:
            self.peer.sendall(head + payload)

    def _exactly(self, size):
        parts = bytearray()
        while len(parts) < size:
            got = self.peer.recv(min(size - len(parts), 1 << 20))
            if not got:
                raise EOFError
            parts += got
        return bytes(parts)
