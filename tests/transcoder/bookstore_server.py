"""Serves bookstore.Bookstore with python3-grpcio on a free port, its first line of output.

Unary methods give back the bytes that they got. A request with "missing" in it is NOT_FOUND.
"""

from concurrent import futures

import grpc

LIMIT = 32 << 20


def refuse_missing(request, context):
    if b"missing" in request:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such book: é")


def give_back(request, context):
    refuse_missing(request, context)
    return request


def three_books(request, context):
    refuse_missing(request, context)
    for name in b"abc":
        yield b"\x0a\x01" + bytes([name])  # Book.name


def count(requests, _context):
    shelf = b"\x08" + bytes([sum(1 for _ in requests)])  # Shelf.id
    return b"\x0a" + bytes([len(shelf)]) + shelf  # ListShelvesResponse.shelves


def chat(requests, _context):
    yield from requests


class Bookstore(grpc.GenericRpcHandler):
    """The methods by name."""

    def service(self, details):
        method = details.method.rsplit("/", 1)[1]
        if method == "WatchBooks":
            return grpc.unary_stream_rpc_method_handler(three_books)
        if method == "BulkCreate":
            return grpc.stream_unary_rpc_method_handler(count)
        if method == "Chat":
            return grpc.stream_stream_rpc_method_handler(chat)
        return grpc.unary_unary_rpc_method_handler(give_back)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[
        ("grpc.max_receive_message_length", LIMIT), ("grpc.max_send_message_length", LIMIT)])
    server.add_generic_rpc_handlers((Bookstore(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


main()
