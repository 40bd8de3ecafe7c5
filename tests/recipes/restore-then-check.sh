#!/bin/sh
# restore-then-check.sh NAME FILE: restore paused, compare with the checkpoint, let it run.
set -eu
name=$1 save=$2

xl restore -p "$save"
domid=$(xl domid "$name")
if xbdsnap validate --fail-on=error --domid "$domid" --compare-pages "$save"; then
    xl unpause "$name"
else
    status=$?
    echo "$name stays paused: xbdsnap says $status" >&2
    exit "$status"
fi
