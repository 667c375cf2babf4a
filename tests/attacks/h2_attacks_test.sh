#!/bin/bash
# Runs h2_attacks_test.py with the same arguments.
set -euo pipefail
# Under AddressSanitizer freed memory is kept for a while; here memory is what is judged.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:quarantine_size_mb=4:thread_local_quarantine_size_kb=64"
exec timeout 240 python3 "$(dirname "$0")/h2_attacks_test.py" "$@"
