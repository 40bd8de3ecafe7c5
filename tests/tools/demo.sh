#!/bin/sh
# demo.sh BINARY: show what the tool does on real checkpoints that the repository ships.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
cd "$here"

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

echo "A Linux guest, saved while its disk did not answer. Nothing but the checkpoint is read:"
run "$1" info tests/fixtures/linux-6.1-base/checkpoint.save.zst
run "$1" dump tests/fixtures/linux-6.1-base/checkpoint.save.zst
echo
echo "The NetBSD guest of Xen 2 with which it all began; its driver never logged the sectors:"
run "$1" dump tests/fixtures/xen2-netbsd/checkpoint.save.zst
