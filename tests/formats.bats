#!/usr/bin/env bats
# Every format against every command: what happens is a row of the table below, and what comes out
# is what the real checkpoint says from which the file was made.
bats_require_minimum_version 1.5.0

setup() {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints (CHECKPOINTS)"
    cd "$BATS_TEST_TMPDIR" || return
}

legacy() { python3 "$SRCDIR/tests/tools/mklegacy.py" "$REAL" file "$@"; }
core() { python3 "$SRCDIR/tests/tools/mkcore.py" "$1" "$REAL" file; }
rewrap() { python3 "$SRCDIR/tests/tools/mklegacy.py" --wrap "$1" --stream "$REAL" file; }
whole() { ln -sf "$REAL" file; }
# What stands in an xl file behind its header, and behind that of libxl and the record that follows
# it: until the end of the outer stream, which is a record of eight bytes.
libxl() { tail -c "+$((48 + $(od -An -tu4 -j44 -N4 "$REAL") + 1))" "$REAL" >file; }
libxc() { libxl && tail -c +25 file | head -c -8 >cut && mv cut file; }

# The devices without what a configuration confirms, the guest without what its file says of it; a
# table of machine frames may be another's.
essence='{devices: (.devices | map(.confirmed_by -= ["configuration"])),
    guest: (.guest | del(.name, .uuid, .vcpus, .type, .suspended, .nr_pfns))}'
plan='[.plan[] | del(.. | .source_mfn?, .source_mfns?)]'

ask() { # ask STATUS COMMAND ARGUMENT...: its output is in the file `said`
    local want=$1
    shift
    run "-$want" --separate-stderr "$XBDSNAP" "$@"
    printf '%s\n' "$output" >said
}

like() { # like FILTER: what was said and what was to be said, by that filter
    diff <(jq -S "$1" "$BATS_FILE_TMPDIR/$guest.$2") <(jq -S "$1" said)
}

truth_of() { # truth_of GUEST: what the checkpoint itself says
    export REAL="$XBDSNAP_CACHE/linux-6.1-$1/image.save"
    [ ! -e "$BATS_FILE_TMPDIR/$1.payload" ] || return 0
    "$XBDSNAP" dump -q -J "$REAL" >"$BATS_FILE_TMPDIR/$1.dump"
    "$XBDSNAP" replay -q -J "$REAL" >"$BATS_FILE_TMPDIR/$1.replay"
    "$XBDSNAP" extract -q --slot 1 "$REAL" >"$BATS_FILE_TMPDIR/$1.payload"
}

try_info() {
    ask "$1" info -J file
    [ "$(jq -r '.source.layers | join(" > ")' said)" = "$layers" ]
    [ "$(jq '.source.written_by' said)" != null ]
    [ "$(jq '.source.restore' said)" != null ]
    ask "$1" info file
    [ "$(grep -c '^written by' said)" -eq 1 ]
    [[ $output != *"unknown tool"* ]]
    [ "$(grep -c '^restore' said)" -eq 1 ]
}

try_dump() {
    ask "$1" dump -q -J file
    like "$essence" dump
}

try_extract() {
    run "-$1" --separate-stderr "$XBDSNAP" extract -q --force --slot 1 -o got file
    cmp "$BATS_FILE_TMPDIR/$guest.payload" got
}

try_redact() {
    run "-$1" --separate-stderr "$XBDSNAP" redact -q --force --keep-payload file small
    [ "$1" -ne 4 ] || { [[ $stderr == *"packed one by one"* ]] && return; }
    "$XBDSNAP" dump -q -J small >said || [ $? -eq "$1" ]
    like "$essence" dump
    "$XBDSNAP" extract -q --slot 1 small >got || [ $? -eq "$1" ]
    cmp "$BATS_FILE_TMPDIR/$guest.payload" got
}

try_validate() {
    ask "$1" validate -J file
    case $1 in
    0) [ "$(jq -r '[.verdict, .counts.error, .counts.warning] | join(" ")' said)" = "safe 0 0" ] ;;
    *) [ "$(jq -c '[.findings[] | select(.severity != "note") | .rule] | unique' said)" = "$rules" ] ;;
    esac
}

try_replay() {
    ask "$1" replay -q -J file
    like "$plan" replay
}

try_pipe() { # packed, from standard input; then as it is, from a pipe that somebody opened
    ask "$1" dump -q -J - < <(zstd -q -1 <file)
    like "$essence" dump
    [ "$(jq -r '.source.layers | join(" > ")' said)" = "zstd > $layers" ]
    ask "$1" dump -q -J --fd 9 9< <(cat file)
    like "$essence" dump
    ask "$1" dump -q -J --fd 9 9<file
    like "$essence" dump
}

# File(1) knows what stands at a known place.
try_magic() {
    local said_of
    said_of=$(file -L -b -m "$SRCDIR/magic/xbdsnap" file)
    echo "file: $said_of"
    case $1 in
    -) [ "$said_of" = data ] ;;
    *elf | *kdump*) [[ $said_of == "Memory of a machine, $1"* ]] ;;
    *) [[ $said_of == "Xen guest, $1"* ]] ;;
    esac
}

rows() { # rows FROM TO
    local name maker info dump extract redact validate replay
    while IFS='|' read -r guest layers magic maker info dump extract redact validate replay rules; do
        rules=${rules## }
        truth_of "$guest"
        echo "== $layers: $maker ($guest)"
        rm -f file
        $maker
        try_info "$info"
        try_dump "$dump"
        try_extract "$extract"
        try_redact "$redact"
        try_validate "$validate"
        try_replay "$replay"
        try_pipe "$dump"
        [ "$magic" = = ] && magic=$layers
        try_magic "$magic"
    done < <("$SRCDIR/tests/tools/sample.sh")
}

# guest|layers|what file(1) says (=: the layers, -: nothing)|maker|the statuses of info, dump, extract,
# redact, validate, replay|rules that are broken
@test "today's formats, every command" {
    rows <<'LIST'
base|xl > libxl v2 > libxc v3|=|whole|0|0|0|0|0|0|
hvm|xl > libxl v2 > libxc v3|=|whole|0|0|0|0|0|0|
base|libxl v2 > libxc v3|=|libxl|0|0|0|0|0|0|
base|libxc v3|=|libxc|0|0|0|0|0|0|
base|libvirt > libxl v2 > libxc v3|=|rewrap libvirt2|0|0|0|0|0|0|
hvm|xapi v2 > libxl v2 > libxc v3|xapi v2|rewrap xapi2|0|0|0|0|0|0|
LIST
}

@test "the formats of Xen 3.0 to 4.5, every command" {
    rows <<'LIST'
base|legacy libxc|-|legacy --since 3.0|0|0|0|0|0|0|
base|legacy libxc|=|legacy --since 3.4 --tools 32|0|0|0|0|0|0|
base|xend > legacy libxc|=|legacy --since 3.1 --wrap xend --live|0|0|0|0|0|0|
base|xl > legacy libxc|=|legacy --since 4.4 --wrap xl --live --tmem --verify|0|0|0|0|0|0|
base|xl > legacy libxc|=|legacy --since 4.5 --wrap xl-json|0|0|0|0|0|0|
base|libvirt > legacy libxc|=|legacy --since 4.4 --wrap libvirt1|0|0|0|0|0|0|
base|xapi v1 > legacy libxc|=|legacy --since 4.1 --tools 32 --wrap xapi1|0|0|0|0|0|0|
hvm|xend > legacy libxc|=|legacy --since 3.1 --wrap xend --qemu eof|0|0|0|0|0|0|
hvm|xl > legacy libxc|=|legacy --since 4.2 --wrap xl --qemu 0002|0|0|0|0|0|0|
base|xl > legacy libxc|=|legacy --since 4.2 --wrap xl --remus 3 --compress --cut|5|5|5|5|5|5|["XB001","XB016"]
LIST
}

@test "core dumps, every command" {
    rows <<'LIST'
base|xen core 0.1|xen core dump|core xen|0|0|0|0|1|0|["XB018"]
hvm|xen core 0.1|xen core dump|core xen|0|0|0|0|1|0|["XB018"]
base|xc_core|=|core xccore|0|0|0|0|1|0|["XB018"]
hvm|xc_core|=|core xccore|0|0|0|0|1|0|["XB018"]
hvm|qemu elf|=|core qemu|0|0|0|0|1|0|["XB018"]
hvm|vmcore elf|=|core vmcore|0|0|0|0|1|0|["XB018"]
hvm|kdump v6|=|core kdump|0|0|0|4|1|0|["XB018"]
hvm|flattened > kdump v6|flattened > kdump|core makedumpfile|0|0|0|4|1|0|["XB018"]
LIST
}

# Everything that can be mapped is; a pipe or a packed file becomes one file without a name, once.
@test "nothing is copied to a temporary file twice" {
    command -v strace || skip "no strace"
    truth_of hvm
    copies() { # copies ARGUMENT... of dump: how many files it makes
        strace -f -qq -o trace -e trace=openat,open "$XBDSNAP" dump -q -J "$@" >said
        grep -E 'O_TMPFILE|O_CREAT' trace | grep -vc -E '= -1|/dev/null' || true
    }
    while read -r maker; do
        echo "$maker"
        $maker
        [ "$(copies file)" -eq 0 ]
        [ "$(copies --fd 7 7<file)" -eq 0 ]
        [ "$(copies --fd 7 7< <(cat file))" -eq 1 ]
        [ "$(copies - < <(zstd -q -1 <file))" -eq 1 ]
        zstd -q -f -1 -o packed file
        [ "$(copies packed)" -eq 1 ]
        [ "$(jq '.devices[0].requests | length' said)" -eq 20 ]
    done < <("$SRCDIR/tests/tools/sample.sh" <<'LIST'
core makedumpfile
core kdump
core qemu
core xccore
rewrap libvirt2
legacy --since 3.1 --wrap xend --qemu eof
LIST
    )
}
