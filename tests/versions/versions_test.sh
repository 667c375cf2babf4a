#!/bin/bash
# Runs versions_test.mjs; $1 is the proxy.
set -euo pipefail
exec timeout 240 node "$(dirname "$0")/versions_test.mjs" "$1"
