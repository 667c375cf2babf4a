#!/bin/bash
# Validates and runs every example. $1 is the proxy.
set -uo pipefail
weir=$PWD/$1
work=${TEST_TMPDIR:-$(mktemp -d)}
export GITHUB_WEBHOOK_SECRET=the-secret-of-this-test STRIPE_WEBHOOK_SECRET=and-another-secret
started=()
failed=0

# port: listener, admin, two upstreams, one where nobody listens, and a control plane
read -r port admin up up2 dead control < <(python3 - <<'PORTS'
import socket
sockets = [socket.socket() for _ in range(6)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in sockets])
PORTS
)
at=127.0.0.1:$port

check() {
  if [[ $3 == $2 ]]; then
    echo "ok $1"
  else
    printf 'FAILED %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
    failed=1
  fi
}

stop_all() {
  ((${#started[@]})) || return 0
  kill -TERM "${started[@]}" 2>/dev/null
  wait "${started[@]}" 2>/dev/null
  started=()
}
trap stop_all EXIT

# until_true COMMAND...: waits for it, for 20 s at most.
until_true() {
  local i
  for ((i = 0; i < 200; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "FAILED: waited in vain for: $*"
  failed=1
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

start() {
  "$@" >>"$work/log" 2>&1 &
  started+=($!)
}

# on_these_ports FILE: the example on this test's ports.
on_these_ports() {
  sed -e "s/port_value: 10000\b/port_value: $port/; s/port_value: 9901\b/port_value: $admin/" \
    -e "s/port_value: 10001\b/port_value: $up/; s/port_value: 10002\b/port_value: $up2/" \
    -e "s/port_value: 10009\b/port_value: $dead/; s/port_value: 18000\b/port_value: $control/" "$1"
}

# serve FILE: the example, with both upstreams.
serve() {
  on_these_ports "examples/$1" >"$work/config.yaml"
  : >"$work/log"
  start "$weir" demo-upstream "$up"
  start "$weir" demo-upstream "$up2"
  cd "$work"
  start "$weir" -c config.yaml --concurrency 1 --file-flush-interval-msec 50
  cd "$OLDPWD"
  until_true listens "$up"
  until_true listens "$up2"
  until_true listens "$port"
}

status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
header() { curl -s -o /dev/null -D- "${@:2}" | tr -d '\r' | sed -n "s/^$1: //Ip"; }

quickstart() {
  WEIR=$weir PORT=$port ADMIN_PORT=$admin UPSTREAM_PORT=$up examples/quickstart.sh \
    >"$work/said" 2>&1 &
  local pid=$!
  until_true grep -q 'Weir is ready' "$work/said"
  check 'quickstart: its own answer' 'hello from weir' "$(curl -s "$at/hello")"
  check 'quickstart: the upstream sees the client' '*"x-client": "127.0.0.1"*' "$(curl -s "$at/a")"
  check 'quickstart: a header for the client' weir "$(header x-served-by "$at/a")"
  check 'quickstart: redirect' "http://$at/new/page?q=1" "$(header location "$at/old/page?q=1")"
  check 'quickstart: rate limit' 200200200429 \
    "$(for _ in 1 2 3 4; do status "$at/limited"; done)"
  check 'quickstart: ready' LIVE "$(curl -s "127.0.0.1:$admin/ready")"
  check 'quickstart: a second one says what is wrong' "*port $port is taken*PORT=*" \
    "$(WEIR=$weir PORT=$port ADMIN_PORT=$admin UPSTREAM_PORT=$up examples/quickstart.sh 2>&1)"
  kill -TERM $pid
  wait $pid
  check 'quickstart: ends well' 0 $?
  check 'quickstart: leaves nothing behind' 'nobody nobody nobody' \
    "$(for p in $port $admin $up; do listens "$p" 2>/dev/null && echo "$p" || echo nobody; done |
      xargs)"
}

weighted() {
  check 'weighted: by weight' 'v[12]' "$(header x-version "$at/")"
  check 'weighted: by hand' v2 "$(header x-version -H 'x-canary: yes' "$at/")"
}

retries() {
  check 'retries: no request is lost' 200200200200200200 \
    "$(for _ in 1 2 3 4 5 6; do status "$at/"; done)"
  check 'retries: they were needed' '*upstream_rq_retry: [1-9]*' \
    "$(curl -s "127.0.0.1:$admin/stats?filter=upstream_rq_retry")"
}

rate_limit() {
  check 'rate limit: five pass' 200200200200200429 \
    "$(for _ in 1 2 3 4 5 6; do status "$at/"; done)"
}

webhook() {
  printf '{"zen": "Keep it simple."}' >"$work/event"
  local scheme
  for scheme in github stripe; do
    "$weir" webhook sign --preset $scheme --secret-env "${scheme^^}_WEBHOOK_SECRET" \
      <"$work/event" >"$work/signature"
    check "webhook: $scheme, signed" 200 \
      "$(status -H "@$work/signature" --data-binary "@$work/event" "$at/$scheme")"
    check "webhook: $scheme, a second time" 409 \
      "$(status -H "@$work/signature" --data-binary "@$work/event" "$at/$scheme")"
    check "webhook: $scheme, another body" 401 \
      "$(status -H "@$work/signature" -d other "$at/$scheme")"
    check "webhook: $scheme, unsigned" 401 "$(status -d other "$at/$scheme")"
  done
}

tcp() {
  check 'tcp: relayed' '*"path": "/x"*' "$(curl -s "$at/x")"
}

redirects() {
  check 'redirects: prefix' "http://$at/manual/intro?page=2" \
    "$(header location "$at/docs/intro?page=2")"
  check 'redirects: scheme and host' https://www.example.com/x \
    "$(header location -H 'Host: example.com' "$at/x")"
  check 'redirects: regex' "http://$at/people?id=17" "$(header location "$at/user/17")"
  check 'redirects: query' "http://$at/home" "$(header location "$at/gone/x?y=1")"
  check 'redirects: statuses' '301 308 303 307 404' "$(for path in docs/ user/1 '' gone other; do
    status "$at/$path" && echo; done | xargs)"
}

health_check() {
  check 'health check: both answer' '200 200' \
    "$(status "$at/healthz") $(status "$at/healthz/app")"
  curl -s -X POST "127.0.0.1:$admin/healthcheck/fail" >/dev/null
  check 'health check: both fail' '503 503' "$(status "$at/healthz") $(status "$at/healthz/app")"
  curl -s -X POST "127.0.0.1:$admin/healthcheck/ok" >/dev/null
  check 'health check: fine again' 200 "$(status "$at/healthz")"
}

access_logs() {
  curl -s "$at/?q=1" "$at/status/503" >/dev/null
  until_true grep -q '"path":"/status/503"' "$work/weir_access.json"
  check 'access logs: JSON' '/?q=1 200' "$(head -n 1 "$work/weir_access.json" | python3 -c '
import json, sys
line = json.load(sys.stdin)
print(line["path"], line["status"])')"
  until_true grep -q 'GET /?q=1 200 [0-9]* ms' "$work/log"
  until_true grep -q '"GET /status/503 HTTP/1.1" 503' "$work/log"
  check 'access logs: only failures on stderr' 1 "$(grep -c 'HTTP/1.1"' "$work/log")"
}

websocket() {
  local upgrade=(-H 'Connection: Upgrade' -H 'Upgrade: websocket')
  check 'websocket: refused elsewhere' 403 "$(status "${upgrade[@]}" "$at/")"
  check 'websocket: ordinary requests' 200 "$(status "$at/chat")"
}

dns() {
  check 'dns: both kinds' '200 200' "$(status "$at/") $(status "$at/logical")"
  check 'dns: a name became an address' "*strict::127.0.0.1:$up::*" \
    "$(curl -s "127.0.0.1:$admin/clusters")"
}

# What examples/xds.yaml is fed by.
start_control_plane() {
  local file
  mkdir "$work/control_plane"
  for file in examples/control_plane/*.yaml; do
    on_these_ports "$file" >"$work/control_plane/${file##*/}"
  done
  start "$weir" xds-server --dir "$work/control_plane" --listen "127.0.0.1:$control" --admin off
}

xds() {
  check 'xds: a route that came by ADS' 'hello from the control plane' "$(curl -s "$at/hello")"
  check 'xds: endpoints that came by ADS' '*"path": "/x"*' "$(curl -s "$at/x")"
  sed -i 's/from the control plane/after a change/' "$work/control_plane/routes.yaml"
  says_so() { [[ $(curl -s "$at/hello") == 'hello after a change' ]]; }
  until_true says_so
  check 'xds: it follows' 'hello after a change' "$(curl -s "$at/hello")"
}

for file in examples/*.yaml; do
  check "$file is valid" '*OK' "$("$weir" -c "$file" --mode validate 2>&1)"
  lines=$(wc -l <"$file")
  check "$file is short" yes "$( ((lines >= 30 && lines <= 100)) && echo yes || echo "$lines")"
done
check 'examples/control_plane is valid' '*CDS 1, EDS 1, LDS 1, RDS 1; OK' \
  "$("$weir" xds-server --dir examples/control_plane --validate 2>&1)"
quickstart
for name in weighted retries rate_limit webhook tcp redirects health_check access_logs websocket \
  dns xds; do
  if [[ $name == xds ]]; then start_control_plane; fi
  serve "$name.yaml"
  "$name"
  if ((failed)) && [[ ! -e $work/shown ]]; then cat "$work/log" && touch "$work/shown"; fi
  stop_all
done
exit $failed
