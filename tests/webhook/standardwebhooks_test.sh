#!/bin/bash
# Runs standardwebhooks_test.mjs; $1 is the proxy.
set -euo pipefail
exec node "$(dirname "$0")/standardwebhooks_test.mjs" "$1"
