#!/bin/sh
# salvage.sh FILE UNDO VDEV=PATH...: complete the writes of a guest that will not be restored.
set -eu
save=$1 undo=$2
shift 2
for disk; do set -- "$@" --disk "$disk"; shift; done

[ ! -e "$undo" ] || { echo "$undo: of another run" >&2; exit 3; }
xbdsnap replay "$@" "$save"
if ! xbdsnap replay --write --undo "$undo" "$@" "$save"; then
    [ ! -e "$undo" ] || xbdsnap replay --revert "$undo"
    exit 1
fi
