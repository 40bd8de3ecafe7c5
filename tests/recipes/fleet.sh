#!/bin/sh
# fleet.sh HOSTS [FOLDER]: what all hosts of a list say of their saved guests, a row for each host.
set -eu
hosts=$1 folder=${2:-/var/lib/xen/save}

# shellcheck disable=SC2016 # for the shells of the hosts
parallel --nonall --sshloginfile "$hosts" --quote sh -c '
    find "$1" -type f -print0 | xbdsnap validate -q --json-lines -0 --files-from=-
' sh "$folder" | xbdsnap summary
