#!/bin/bash
# Runs one of the tests here; $1 is the proxy, $2 the test.
set -euo pipefail
exec node "$2" "$1"
