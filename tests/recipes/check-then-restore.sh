#!/bin/sh
# check-then-restore.sh FILE VDEV=PATH...: look at the disks first, then restore.
set -eu
save=$1
shift

for disk; do
    set -- "$@" --disk "$disk"
    shift
done
xbdsnap validate --fail-on=error "$@" "$save" || exit
xl restore "$save"
