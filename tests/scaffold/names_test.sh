#!/bin/bash
# Names that the scaffold refuses, and that it then changes nothing.
set -euo pipefail
tree=$TEST_TMPDIR/tree
mkdir -p "$tree"
cp -L --parents "$@" "$tree"
cd "$tree"

files() { find . -type f -exec sha256sum {} + | sort; }
before=$(files)

refuses() {
  local said
  if said=$(bazel/new_filter "$@" 2>&1); then
    echo "it took: $*" >&2
    exit 1
  fi
  [[ $said == new_filter:* ]] || {
    echo "of '$*' it said: $said" >&2
    exit 1
  }
}

for name in "" Tag 1tag tag- _tag tag_ a__b ../tag "a b" namespace co_await tls router/x \
  a_name_that_is_longer_than_thirty_; do
  refuses "$name"
done
refuses
refuses one two
[[ $(files) == "$before" ]]

bazel/new_filter tag >/dev/null
grep -q '"//filters/tag"' filters/BUILD
grep -q 'extension Tag' filters/registry.cc
grep -q 'name = "tag"' config/proto/BUILD
before=$(files)
refuses tag # it exists
[[ $(files) == "$before" ]]
