#!/bin/bash
# Starts Weir on examples/gateway.yaml with a demo upstream, and says what to try. Ctrl-C drains both
# and ends them.
#
# usage: [PORT=10000] [ADMIN_PORT=9901] [UPSTREAM_PORT=10001] [WEIR=bazel-bin/proxy/weir]
#        examples/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")/.."
weir=${WEIR:-bazel-bin/proxy/weir}
port=${PORT:-10000}
admin_port=${ADMIN_PORT:-9901}
upstream_port=${UPSTREAM_PORT:-10001}
config=examples/gateway.yaml
proxy_pid=
upstream_pid=
scratch=
stopping=0

fail() {
  echo "quickstart: $*" >&2
  exit 1
}

# Whether something listens there. The descriptor closes with the subshell.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_port() {
  listens "$2" || return 0
  fail "port $2 is taken. Free it ('ss -ltnp' shows whose it is), or choose another:" \
    "$1=$(($2 + 1000)) make run"
}

# Configurations that Weir reads name their ports, so other ports need another configuration.
choose_config() {
  [[ $port/$admin_port/$upstream_port != 10000/9901/10001 ]] || return 0
  scratch=$(mktemp -d)
  sed -e "s/port_value: 10000\b/port_value: @port@/; s/port_value: 9901\b/port_value: $admin_port/" \
    -e "s/port_value: 10001\b/port_value: $upstream_port/; s/@port@/$port/" "$config" \
    >"$scratch/gateway.yaml"
  config=$scratch/gateway.yaml
}

is_ready() {
  local status=
  {
    printf 'GET /ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n' >&3
    IFS= read -r -t 2 status <&3
  } 3<>"/dev/tcp/127.0.0.1/$admin_port" || return 1
  [[ $status == "HTTP/1.1 200"* ]]
}

wait_until_ready() {
  local i
  for ((i = 0; i < 150; i++)); do
    kill -0 "$upstream_pid" 2>/dev/null || fail "the demo upstream has ended; see above"
    kill -0 "$proxy_pid" 2>/dev/null || fail "weir has ended; see above"
    is_ready 2>/dev/null && return
    sleep 0.1
  done
  fail "weir is not ready after 15 s; see http://127.0.0.1:$admin_port/clusters"
}

say_what_to_try() {
  local at=http://127.0.0.1:$port
  cat <<TEXT

Weir is ready. Try, in another terminal:
  curl $at/any/path         the demo upstream shows what reached it
  curl -i $at/hello         an answer of Weir's own
  curl -i $at/old/page      a redirect
  curl -i $at/limited       four times within 10 s: 429
  curl -i $at/status/503    an error of the upstream
Admin: http://127.0.0.1:$admin_port  (or: curl 127.0.0.1:$admin_port/stats?usedonly)
Configuration: $config; after a change: kill -HUP $proxy_pid
Ctrl-C drains and ends it.

TEXT
}

# Weir first, so that what is under way still gets its answer. A second Ctrl-C ends the drain.
stop() {
  local status=$?
  trap - EXIT
  stopping=1
  if [[ -n $proxy_pid ]]; then
    kill -TERM "$proxy_pid" 2>/dev/null || true
    while kill -0 "$proxy_pid" 2>/dev/null; do wait "$proxy_pid" 2>/dev/null || true; done
  fi
  if [[ -n $upstream_pid ]]; then
    kill -TERM "$upstream_pid" 2>/dev/null || true
    wait "$upstream_pid" 2>/dev/null || true
  fi
  [[ -z $scratch ]] || rm -rf "$scratch"
  exit "$status"
}

on_signal() {
  ((stopping)) || exit 0
  kill -TERM "$proxy_pid" 2>/dev/null || true
}

[[ -x $weir ]] || fail "there is no $weir: run 'make build' first"
check_port PORT "$port"
check_port ADMIN_PORT "$admin_port"
check_port UPSTREAM_PORT "$upstream_port"
trap stop EXIT
trap on_signal INT TERM HUP
choose_config
# A process group each, so that Ctrl-C reaches this script alone, which ends them in order.
set -m
"$weir" demo-upstream "$upstream_port" >/dev/null &
upstream_pid=$!
"$weir" -c "$config" --file-flush-interval-msec 300 &
proxy_pid=$!
wait_until_ready
say_what_to_try
wait -n "$proxy_pid" "$upstream_pid" || true
fail "a process has ended by itself; see above"
