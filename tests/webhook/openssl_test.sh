#!/bin/bash
# Signs with `openssl dgst` what each sender signs, and lets weir judge it; then the other way round.
# $1 is the proxy.
set -euo pipefail
weir=$PWD/$1
cd "$TEST_TMPDIR"
secret='a secret with spaces & $igns'
printf '%s\n' "$secret" >secret
printf '{"amount": 12.50,\r\n "name": "Gr\xc3\xbc\xc3\x9fe\\u0000"}' >body
now=$(date +%s)
failed=0

# Prints the HMAC-SHA256 of standard input in hex; with -binary as its bytes.
hmac() { openssl dgst -sha256 -hmac "$secret" "$@" | sed 's/^.*= //'; }
hmac_base64() { openssl dgst -sha256 -hmac "$secret" -binary | base64 -w0; }

# check NAME STATUS COMMAND...: the command must end with that status.
check() {
  local name=$1 wanted=$2 status=0
  shift 2
  "$@" <body >out 2>&1 || status=$?
  if [[ $status == "$wanted" ]]; then
    echo "ok $name"
  else
    echo "FAILED $name: exit status $status instead of $wanted"
    cat out
    failed=1
  fi
}

# both NAME HEADER-ARGUMENTS... -- SCHEME-ARGUMENTS...: fine as it is, refused with another body.
both() {
  local name=$1 headers=()
  shift
  while [[ $1 != -- ]]; do
    headers+=(--header "$1")
    shift
  done
  shift
  check "$name" 0 "$weir" webhook verify "$@" --secret-file secret "${headers[@]}"
  { cat body && echo; } >other
  check "$name, another body" 1 "$weir" webhook verify "$@" --secret-file secret "${headers[@]}" \
    --body-file other
}

both github "X-Hub-Signature-256: sha256=$(hmac <body)" -- --preset github
both stripe "Stripe-Signature: t=$now,v1=$({ printf '%s.' "$now" && cat body; } | hmac)" \
  -- --preset stripe
both slack "X-Slack-Request-Timestamp: $now" \
  "X-Slack-Signature: v0=$({ printf 'v0:%s:' "$now" && cat body; } | hmac)" -- --preset slack
both standard_webhooks 'webhook-id: msg_1' "webhook-timestamp: $now" \
  "webhook-signature: v1,$({ printf 'msg_1.%s.' "$now" && cat body; } | hmac_base64)" \
  -- --preset standard_webhooks --secret-form raw
both custom "X-Shop-Hmac: $(hmac_base64 <body)" \
  -- --signature-header X-Shop-Hmac --encoding base64

# What weir signs is what openssl computes.
"$weir" webhook sign --preset stripe --secret-file secret --timestamp 1700000000 <body >headers
if [[ $(cat headers) == "stripe-signature: t=1700000000,v1=$({ printf '1700000000.' && cat body; } |
  hmac)" ]]; then
  echo "ok sign"
else
  echo "FAILED sign: $(cat headers)"
  failed=1
fi
exit $failed
