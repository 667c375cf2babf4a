#!/bin/bash
# Runs refused_test.mjs; $1 is the proxy.
set -euo pipefail
exec node "$(dirname "$0")/refused_test.mjs" "$1"
