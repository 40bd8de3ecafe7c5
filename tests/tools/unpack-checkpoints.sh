#!/bin/sh
# unpack-checkpoints.sh FROM INTO: unpack the archive of real checkpoints once; print the folder.
# A stamp with the archive's size keeps an old unpacking from standing in for a new archive.
set -eu

from=$1 into=$2
stamp=$(stat -c %s "$from/images.tar.zst" 2>/dev/null || echo none)
if [ "$(cat "$into/.stamp" 2>/dev/null || true)" != "$stamp" ]; then
    mkdir -p "$into"
    if [ "$stamp" != none ]; then
        zstd -q -dc --long=31 "$from/images.tar.zst" | tar -x -C "$into" >&2
    fi
    mkdir -p "$into/xen2-netbsd"
    for f in "$from"/xen2-netbsd/*.xz; do
        [ -e "$f" ] || continue
        xz -dc "$f" >"$into/xen2-netbsd/$(basename "$f" .xz)"
    done
    echo "$stamp" >"$into/.stamp"
fi
printf '%s\n' "$into"
