#!/bin/bash
# Runs a test in node: $1 is its file beside this one, $2 the proxy, what follows is the test's own.
# The .proto files lie beside the runfiles of this repository.
set -euo pipefail
test=$1 proxy=$2
shift 2
exec timeout 280 node "$(dirname "$0")/$test" "$proxy" "$TEST_SRCDIR/envoy_api" "$@"
