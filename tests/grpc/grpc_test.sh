#!/bin/bash
# Runs grpc_test.py with Debian's Python, which has grpcio; $1 is the proxy, $2 the transport.
set -euo pipefail
exec /usr/bin/python3 "$(dirname "$0")/grpc_test.py" "$1" "$2"
