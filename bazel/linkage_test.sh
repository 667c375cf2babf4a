#!/bin/bash
# Fails when the binary named by $1 needs a shared library other than libc's own: above all OpenSSL,
# which would stand beside BoringSSL under the same symbol names.
set -euo pipefail
binary=$1
allowed='^(linux-vdso|libc|libm|ld-linux-[a-z0-9-]+|libstdc\+\+|libgcc_s)\.so'

needed=$(ldd "$binary" | awk '{ sub(".*/", "", $1); print $1 }')
[[ $needed == *libc.so* ]] || {
  echo "ldd shows no libc for $binary, so its list cannot be trusted:" >&2
  echo "$needed" >&2
  exit 1
}
unexpected=$(grep -Ev "$allowed" <<<"$needed" || true)
if [[ -n $unexpected ]]; then
  echo "$binary needs shared libraries that it must not: link them statically, or not at all:" >&2
  echo "$unexpected" >&2
  exit 1
fi
