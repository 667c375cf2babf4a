#!/bin/bash
# Runs transcoder_test.py with Debian's Python; $1 is the proxy, $2 the descriptor set.
set -euo pipefail
exec /usr/bin/python3 "$(dirname "$0")/transcoder_test.py" "$1" "$2"
