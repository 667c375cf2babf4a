#!/bin/bash
# The benchmark program itself: it starts every proxy that is installed, measures for a blink and
# prints a table. What it measures here means nothing.
set -euo pipefail
cd "$(dirname "$0")"
programs=$(mktemp -d)
ln -s "$PWD/load" "$PWD/relay" "$PWD/../../proxy/weir" "$programs"
report=$programs/report
over_tls=tls,tls_large,handshake,resume,tls_idle,h2,h2_h2,grpc
python3 ./run --programs "$programs" --rounds 1 --seconds 0.1 --proxies relay,weir \
  --only "get,post,large,pipeline,latency,start,$over_tls" \
  --idle-connections 100 --json "$programs/samples" | tee "$report"
grep -q 'requests/s' "$report"
grep -q 'p99.9 us' "$report"
python3 - "$programs/samples" <<'CHECK'
import json, sys
samples = json.load(open(sys.argv[1]))
assert samples["get"]["weir"][0]["cpu us"] > 0, samples["get"]
assert samples["large"]["relay"][0]["requests/s"] > 10, samples["large"]
for name in "tls", "tls_large", "handshake", "resume", "h2", "h2_h2", "grpc":
    assert samples[name]["weir"][0]["cpu us"] > 0, (name, samples[name])
assert samples["tls_idle"]["weir"][0]["KiB each"] > 0, samples["tls_idle"]
assert samples["start"]["weir"][0]["MiB"] > 0, samples["start"]
CHECK
