#!/bin/bash
# Runs the scaffold in a tree of its own and puts what it made below a folder.
#
# usage: make_sample.sh NAME FOLDER FILE...      FILE: what the scaffold reads, itself included
set -euo pipefail
name=$1 out=$PWD/$2
shift 2
api=$PWD/external/envoy_api
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -L --parents "$@" "$tree"
cd "$tree"
bazel/new_filter "$name" >made.txt
cp --parents "filters/registry.cc" "filters/$name/"*.cc "filters/$name/$name.h" "$out"
cd config/proto
protoc --proto_path=. --proto_path="$api/supplements" --proto_path="$api/npm" \
  --proto_path=/usr/include --cpp_out="$out" "weir/filters/http/$name/v1/$name.proto"
