#!/bin/bash
# Runs h2_attacks_test.py; $1 is the proxy.
set -euo pipefail
exec timeout 240 python3 "$(dirname "$0")/h2_attacks_test.py" "$1"
