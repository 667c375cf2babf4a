#!/bin/bash
# Runs websocket_test.mjs; $1 is the proxy.
set -euo pipefail
exec node "$(dirname "$0")/websocket_test.mjs" "$1"
