#!/bin/sh
# salvage.sh FILE VDEV=PATH UNDO: complete the writes of a guest that will not be restored.
set -eu
save=$1 disk=$2 undo=$3

[ ! -e "$undo" ] || { echo "$undo: of another run" >&2; exit 3; }
xbdsnap replay --disk "$disk" "$save"
if ! xbdsnap replay --write --undo "$undo" --disk "$disk" "$save"; then
    [ ! -e "$undo" ] || xbdsnap replay --revert "$undo"
    exit 1
fi
