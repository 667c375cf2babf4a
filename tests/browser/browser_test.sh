#!/bin/bash
# Runs browser_test.mjs; $1 is the proxy.
set -euo pipefail
if ! command -v chromium >/dev/null; then
  echo "this needs a browser: apt-get install chromium" >&2
  exit 1
fi
exec timeout 280 node "$(dirname "$0")/browser_test.mjs" "$1"
