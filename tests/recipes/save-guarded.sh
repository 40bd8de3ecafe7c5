#!/bin/bash
# save-guarded.sh NAME FILE: save a guest, and destroy it only if the file is safe to restore.
set -euo pipefail
name=$1 save=$2

if xl save -p "$name" /dev/stdout | xbdsnap guard --veto=error --fail-on=error > "$save"; then
    xl destroy "$name"
else
    status=$?
    echo "$name goes on, saving ended with $status" >&2
    xl unpause "$name"
    exit "$status"
fi
