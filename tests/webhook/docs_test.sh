#!/bin/bash
# Runs the example of the filter's page as it stands there. $1 is the proxy, $2 the page.
set -euo pipefail
weir=$PWD/$1
page=$PWD/$2
cd "$TEST_TMPDIR"
awk '/^```yaml/ { on = 1; next } /^```/ { on = 0 } on' "$page" >gateway.yaml
export HOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
export GITHUB_SECRET="It's a Secret to Everybody"
"$weir" --mode validate -c gateway.yaml

port=$((20000 + RANDOM % 10000))
sed -i "s/port_value: 10000/port_value: $port/" gateway.yaml
"$weir" -c gateway.yaml &
proxy=$!
trap 'kill $proxy' EXIT
url=http://127.0.0.1:$port
curl -s --retry 50 --retry-connrefused --retry-delay 0 -o first "$url/" || true

failed=0
# expect TEXT ARGUMENTS...: what curl gets.
expect() {
  local wanted=$1 got
  shift
  got=$(curl -s "$@")
  if [[ $got != "$wanted" ]]; then
    echo "FAILED: '$got' instead of '$wanted'"
    failed=1
  fi
}
printf '{"paid":true}' >event
"$weir" webhook sign --preset standard_webhooks --secret-env HOOK_SECRET <event >headers
expect 'taken' -H @headers --data-binary @event "$url/"
expect 'The webhook was received before.' -H @headers --data-binary @event "$url/"
expect 'The webhook signature is missing.' --data-binary @event "$url/github"
"$weir" webhook sign --preset github --secret-env GITHUB_SECRET <event >headers
expect "GitHub's" -H @headers --data-binary @event "$url/github"
expect 'The webhook signature does not match.' -H @headers --data-binary other "$url/github"
exit $failed
