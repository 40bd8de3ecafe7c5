#!/bin/sh
# bench.sh BINARY: build the yardstick and measure the budgets (see bench.py).
set -eu

binary=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/../.."
mkdir -p obj/bench
cc -O2 -o obj/bench/barewalk tests/tools/barewalk.c
checkpoints=${CHECKPOINTS:-tests/fixtures/real}
XBDSNAP_CACHE=$(tests/tools/unpack-checkpoints.sh "$checkpoints" \
    "${XBDSNAP_CACHE:-$PWD/obj/unpacked/$(basename "$checkpoints")}")
export XBDSNAP_CACHE
exec python3 tests/tools/bench.py "$binary" "$PWD/obj/bench/barewalk" "$PWD/obj/bench"
