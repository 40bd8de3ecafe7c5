#!/bin/sh
# xendomains-check.sh: run before xendomains starts; sets aside what must not be restored.
# xendomains restores each file in its folder and passes over folders.
set -eu
folder=${XENDOMAINS_SAVE:-/var/lib/xen/save}

for save in "$folder"/*; do
    [ -f "$save" ] || continue
    status=0
    xbdsnap validate --fail-on=error "$save" || status=$?
    case $status in
    0) ;;
    4) echo "$save: not checked, nothing that xbdsnap knows" >&2 ;;
    *)
        echo "$save: set aside, xbdsnap says $status" >&2
        mkdir -p "$folder/unsafe"
        mv "$save" "$folder/unsafe/"
        ;;
    esac
done
