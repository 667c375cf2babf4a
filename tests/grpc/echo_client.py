"""Calls everything there is in echo.mjs with Debian's python3-grpcio; a line for each check.

usage: echo_client.py PORT [--tls FOLDER [--mtls]]
"""

import sys
import time
import uuid

import grpc

from transport import OPTIONS, transport

PATIENCE_S = 20


def connect():
    files = transport()
    target = f"localhost:{sys.argv[1]}"
    if files is None:
        return grpc.insecure_channel(target, options=OPTIONS)
    own = (files.key, files.cert) if files.mutual else (None, None)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(files.ca, *own), OPTIONS)


CHANNEL = connect()
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def unary(name, message, service="test.Echo", timeout=PATIENCE_S, **kwargs):
    call = CHANNEL.unary_unary(f"/{service}/{name}")
    return call.with_call(message, timeout=timeout, **kwargs)


def error_of(*args, **kwargs):
    try:
        unary(*args, **kwargs)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call should fail")


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r} instead of {wanted!r}")


@check
def unary_call():
    expect(unary("Unary", b"hello")[0], b"hello")


@check
def empty_message():
    expect(unary("Unary", b"")[0], b"")


@check
def large_message():
    large = b"0123456789" * (1 << 19)
    expect(unary("Unary", large)[0] == large, True)


@check
def compression():
    reply, _ = unary("Unary", b"a" * 10000, compression=grpc.Compression.Gzip)
    expect(reply, b"a" * 10000)


@check
def client_streaming():
    messages = (bytes(i * 10) for i in range(200))
    expect(CHANNEL.stream_unary("/test.Echo/Collect")(messages, timeout=PATIENCE_S), b"200:199000")


@check
def server_streaming():
    got = list(CHANNEL.unary_stream("/test.Echo/Repeat")(b"200:10000", timeout=PATIENCE_S))
    expect(got == [bytes([i]) * 10000 for i in range(200)], True)


@check
def both_streaming():
    replies = []

    def messages():
        for i in range(50):
            yield f"message {i}".encode()
            while len(replies) <= i:
                time.sleep(0.001)

    for reply in CHANNEL.stream_stream("/test.Echo/Chat")(messages(), timeout=PATIENCE_S):
        replies.append(reply)
    expect(replies, [f"message {i}".encode() for i in range(50)])


@check
def metadata():
    sent = [("x-echo", "a value, with commas"), ("x-echo-bin", b"\x00\xff\x80\n")]
    _, call = unary("Unary", b"x", metadata=sent)
    expect(dict(call.initial_metadata())["x-echo"], "a value, with commas")
    expect(dict(call.trailing_metadata())["x-echo-bin"], b"\x00\xff\x80\n")


@check
def status_codes():
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = error_of("Fail", f"{code.value[0]}:reason {code.value[0]}".encode())
        expect(error.code(), code)
        expect(error.details(), f"reason {code.value[0]}")


@check
def status_message_with_special_characters():
    text = '50% of äöü 漢字\r\n\t"quoted" ~ %41'
    error = error_of("Fail", f"9:{text}".encode())
    expect(error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    expect(error.details(), text)


@check
def unimplemented():
    expect(error_of("Missing", b"x").code(), grpc.StatusCode.UNIMPLEMENTED)


@check
def no_route():
    error = error_of("Call", b"x", service="other.Service")
    expect(error.code(), grpc.StatusCode.UNIMPLEMENTED)


@check
def no_host():
    error = error_of("Call", b"x", service="nowhere.Service")
    expect(error.code(), grpc.StatusCode.UNAVAILABLE)
    expect(error.details(), "no healthy upstream")


@check
def cancelled():
    before = int(unary("Cancelled", b"")[0])
    call = CHANNEL.unary_unary("/test.Echo/Slow").future(b"x", timeout=PATIENCE_S)
    time.sleep(0.05)
    call.cancel()
    limit = time.monotonic() + PATIENCE_S
    while int(unary("Cancelled", b"")[0]) != before + 1:
        expect(time.monotonic() < limit, True)
        time.sleep(0.02)


@check
def deadline_exceeded():
    error = error_of("Slow", b"x", timeout=0.15)
    expect(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


@check
def deadline_exceeded_says_the_proxy():
    begun = time.monotonic()
    error = error_of("Slow", b"x", metadata=[("x-limit", "yes")])
    expect(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    expect(time.monotonic() - begun < PATIENCE_S / 2, True)


@check
def retry_of_a_status():
    key = uuid.uuid4().bytes
    expect(unary("Flaky", key)[0], key)


@check
def many_calls_at_once():
    call = CHANNEL.unary_unary("/test.Echo/Unary")
    asked = [call.future(f"call {i}".encode(), timeout=PATIENCE_S) for i in range(300)]
    expect([one.result() for one in asked], [f"call {i}".encode() for i in range(300)])


def main():
    for one in CHECKS:
        one()
        print(f"ok {one.__name__.replace('_', ' ')}", flush=True)
    CHANNEL.close()


main()
