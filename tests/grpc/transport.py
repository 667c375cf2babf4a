"""What the command lines of this folder's Python programs have in common."""

import collections
import pathlib
import sys

OPTIONS = [("grpc.max_receive_message_length", 16 << 20),
           ("grpc.max_send_message_length", 16 << 20)]

Transport = collections.namedtuple("Transport", "ca cert key mutual")


def transport():
    """What `--tls FOLDER` and `--mtls` say; None: cleartext."""
    if "--tls" not in sys.argv:
        return None
    folder = pathlib.Path(sys.argv[sys.argv.index("--tls") + 1])
    pem = [(folder / f"{name}.pem").read_bytes() for name in ("ca", "cert", "key")]
    return Transport(*pem, "--mtls" in sys.argv)
