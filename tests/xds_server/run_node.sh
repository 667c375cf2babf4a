#!/bin/bash
# Runs a test of this folder, $1; $2 is the proxy.
set -euo pipefail
exec node "$(dirname "$0")/$1" "$2"
