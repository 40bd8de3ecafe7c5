#!/bin/sh
# bench.sh BINARY: build the yardstick and measure the budgets (see bench.py).
set -eu

binary=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/../.."
mkdir -p obj/bench
cc -O2 -o obj/bench/barewalk tests/tools/barewalk.c
if [ -d "${CHECKPOINTS:-../shared/checkpoints}" ]; then
    XBDSNAP_CACHE=$(tests/tools/unpack-checkpoints.sh "${CHECKPOINTS:-../shared/checkpoints}" \
        "${XBDSNAP_CACHE:-$PWD/obj/checkpoints}")
    export XBDSNAP_CACHE
fi
exec python3 tests/tools/bench.py "$binary" "$PWD/obj/bench/barewalk" "$PWD/obj/bench"
