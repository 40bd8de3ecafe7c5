#!/bin/sh
# xendomains-check.sh: run before xendomains starts; sets aside what must not be restored, and
# what somebody must look at: a guest with disks of whose requests nothing is known (XB028).
# xendomains restores each file in its folder and passes over folders.
set -eu
folder=${XENDOMAINS_SAVE:-/var/lib/xen/save}

set_aside() { # set_aside FOLDER WHY
    echo "$save: set aside, $2" >&2
    mkdir -p "$folder/$1"
    mv "$save" "$folder/$1/"
}

for save in "$folder"/*; do
    [ -f "$save" ] || continue
    status=0
    said=$(xbdsnap validate --fail-on=error "$save") || status=$?
    [ -z "$said" ] || printf '%s\n' "$said"
    case $status:$said in
    0:*) ;;
    4:*XB028*) set_aside look-at "it has disks whose requests xbdsnap cannot see" ;;
    4:*) echo "$save: not checked, nothing that xbdsnap knows" >&2 ;;
    *) set_aside unsafe "xbdsnap says $status" ;;
    esac
done
