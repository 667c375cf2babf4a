#!/bin/bash
# The benchmark of pushes at a tiny size: every push is acknowledged, and no request fails. What it
# measures here means nothing.
set -euo pipefail
cd "$(dirname "$0")"
samples=$(mktemp)
python3 ./run_xds --weir "$PWD/../../proxy/weir" --load "$PWD/load" --sizes 20 --clusters 30 \
  --pushes 1 --rate 200 --seconds 0.5 --json "$samples"
python3 - "$samples" <<'CHECK'
import json, sys
rows = {(what, change): found for what, _, change, found in json.load(open(sys.argv[1]))}
for what, first in (("endpoints", "first"), ("routes", "first"), ("clusters", "start")):
    for change in first, "one of ten", "all":
        sample = rows[what, change][0]
        assert sample["ack_ms"] > 0 and sample["mib"] > 1, (what, change, sample)
assert rows["endpoints", "all"][0]["longest_ms"] > 0, rows
CHECK
