#!/usr/bin/env bats
# Made-up guests of the BSDs, of Windows, of the small ones, and of drivers that nobody knows.

make_guest() { # make_guest KIND OPTIONS...
    img=$BATS_TEST_TMPDIR/image.save truth=$BATS_TEST_TMPDIR/truth.json
    python3 "$SRCDIR/tests/tools/mkdomu.py" "$@" "$img" --truth "$truth" --disk "$BATS_TEST_TMPDIR/disk"
}

dump_ok() { # dump_ok OPTIONS...: dump -J ends 0 and tells the truth
    local pages=
    [ "$1" = --no-pages ] && pages=$1 && shift
    "$XBDSNAP" dump -q -J "$@" "$img" >"$BATS_TEST_TMPDIR/dump.json"
    python3 "$SRCDIR/tests/tools/domu-truth.py" "$BATS_TEST_TMPDIR/dump.json" "$truth" $pages
}

of_dump() { # of_dump FILTER
    jq -c "$1" "$BATS_TEST_TMPDIR/dump.json"
}

rules_of() { # rules_of STATUS: ids and severities of what validate says; it ends with STATUS
    local status=0
    "$XBDSNAP" validate -q -J "$img" >"$BATS_TEST_TMPDIR/validate.json" || status=$?
    [ "$status" = "$1" ]
    jq -r '[.findings[] | select(.severity != "note") | .rule + " " + .severity] | unique | join(", ")' \
        "$BATS_TEST_TMPDIR/validate.json"
}

writes_ok() { # the disk with the writes is what its requests say
    local vdev
    rm -f "$BATS_TEST_TMPDIR"/u-*
    for vdev in $(jq -r '.devices[].vdev' "$truth"); do
        cp "$BATS_TEST_TMPDIR/disk-$vdev.before" "$BATS_TEST_TMPDIR/w.img"
        "$XBDSNAP" replay -q --disk "$vdev=$BATS_TEST_TMPDIR/w.img" --write --undo "$BATS_TEST_TMPDIR/u-$vdev" "$img" >/dev/null
        cmp "$BATS_TEST_TMPDIR/w.img" "$BATS_TEST_TMPDIR/disk-$vdev.after"
    done
}

# bats test_tags=long
@test "an unknown driver: what stands in its shared rings, nothing of where the data lies" {
    for bits in 32 64; do
        for more in "--with two" "--with full" "--with wrapped --with disorder" "--with unconsumed" \
            "--with long --with wrapped --with indirect" "--with noconfig"; do
            make_guest ring --bits $bits $more
            [ "$more" = "--with noconfig" ] && sed -i 's/"xvda"/"vbd-51712"/' "$truth"
            if [[ $more == *indirect* ]]; then
                "$XBDSNAP" dump -q -J "$img" | jq -e '.devices[0].requests[-1] | .flags == ["indirect"] and .nr_sectors == null and .segments == []'
                continue
            fi
            dump_ok --no-pages
            [ "$(of_dump '[.devices[].requests[].segments[].pfn] | unique')" = "[null]" ]
        done
    done
    make_guest ring --bits 32 --with abi32 --with wrapped
    dump_ok --no-pages
    make_guest ring --with abi32 --with wrapped
    dump_ok --no-pages
}

@test "an unknown driver: no verdict but that nobody knows" {
    make_guest ring
    [ "$(rules_of 4)" = "XB604 warning, XB801 warning" ]
    [ "$(jq -r .verdict "$BATS_TEST_TMPDIR/validate.json")" = undetermined ]
    make_guest ring --with empty --with wrapped
    [ "$(rules_of 4)" = "" ]
    # An answer lies over a request that waits still.
    make_guest ring --with disorder
    [ "$(rules_of 4)" = "XB604 warning, XB801 warning, XB802 warning" ]
    "$XBDSNAP" dump -q -J "$img" | jq -e '.devices[0].nr_requests == null'
    # A ring that was never used could be anybody's.
    make_guest ring --with empty --with unused
    [ "$(rules_of 4)" = "XB028 warning" ]
    # What resume does is not known.
    make_guest ring
    "$XBDSNAP" replay -q -J "$img" | jq -e '[.plan[].order_known] | any | not'
}

# bats test_tags=long
@test "an unknown driver: the grant table tells where the data lies, and whose the ring is" {
    for more in "--with grants" "--with grants2 --with two" "--bits 32 --with grants --with indirect"; do
        make_guest ring $more --with store
        dump_ok
        [ "$(of_dump '.devices[0].confirmed_by')" = '["configuration","xenstore","grant-table"]' ]
        writes_ok
    done
    make_guest ring --with store --with noconfig
    sed -i 's/"xvda"/"vbd-51712"/' "$truth"
    dump_ok --no-pages
    [ "$(of_dump '[.devices[0].confirmed_by, .devices[0].handle]')" = '[["xenstore"],51712]' ]
}

# bats test_tags=long
@test "a kernel is named whether or not a frontend of ours is in it" {
    named() { # named BANNER OS RELEASE [OPTION...]
        make_guest ring --banner "$1" "${@:4}"
        sed -i '/"frontend"/d' "$truth" # the kernel names that, too
        dump_ok --no-pages
        [ "$(of_dump '[.guest.os, .guest.release]')" = "[\"$2\",$3]" ]
    }
    named freebsd FreeBSD '"13.2-RELEASE-p11"'
    named netbsd NetBSD '"9.3"'
    named openbsd OpenBSD '"7.3"'
    named linux Linux '"2.6.18-8.el5xen"'
    named "Xen Minimal OS!" Mini-OS null
    named "GNU GRUB  version %s" GRUB null
    # In two pages of the image, where each system has its own.
    named freebsd FreeBSD '"13.2-RELEASE-p11"' --image 0xffffffff81654000
    named openbsd OpenBSD '"7.3"' --image 0xd0654000 --bits 32
    named netbsd NetBSD '"9.3"' --image 0xc0123000 --bits 32
    named "Xen Minimal OS!" Mini-OS null --image 0x9000
    # Who only mentions a kernel runs none.
    make_guest ring --banner "see also FreeBSD 4 and Linux version numbers, NetBSD 9.3 is out"
    dump_ok --no-pages
    [ "$(of_dump .guest.os)" = null ]
}

by_symbols() { # the same by the symbols of a kernel that is named
    sed -i 's/"located_by": "scan"/"located_by": "elf-symbols"/' "$truth"
    dump_ok --locate=symbols --kernel "$BATS_TEST_TMPDIR/map"
}

# bats test_tags=long
@test "FreeBSD's xbd and xb: by structure and by symbols" {
    for more in "" "--with two --with shift --with wrapped" "--with indirect --with long" "--with queued --with bioq" \
        "--with unmapped --with suspended" "--with disorder" "--bits 32 --with old --with full" "--with fourteen --with dump" \
        "--bits 32 --with two --with shift --with unconsumed --with queued" "--with old --with unmapped"; do
        make_guest freebsd $more
        dump_ok
        make_guest freebsd $more --symbols "$BATS_TEST_TMPDIR/map"
        by_symbols
    done
    # Bios that wait for a command, in each width, mapped and not, and a list that does not close.
    for more in "--bits 32 --with bioq --with empty" "--with old --with bioq --with unmapped" \
        "--bits 32 --with old --with bioq --with queued" "--with unmapped --with bioq" "--with bioq --with brokenq"; do
        make_guest freebsd $more
        dump_ok
    done
    # What the loader left in memory.
    for more in "--with two" "--bits 32 --with old" "--with fourteen"; do
        make_guest freebsd --banner freebsd --with ksyms $more
        sed -i 's/"located_by": "scan"/"located_by": "ksyms"/' "$truth"
        dump_ok
    done
    make_guest freebsd --with indirect --with two
    writes_ok
    make_guest freebsd --bits 32 --with unmapped
    writes_ok
}

# bats test_tags=long
@test "FreeBSD drains: what is on the way of a saved guest is lost" {
    make_guest freebsd --with suspended
    [ "$(rules_of 3)" = "XB803 error" ]
    [ "$(jq '[.findings[] | select(.rule == "XB803")] | length' "$BATS_TEST_TMPDIR/validate.json")" = 7 ]
    make_guest freebsd --with suspended --with empty --with queued
    [ "$(rules_of 0)" = "" ]
    make_guest freebsd --bits 32 --with old --with empty
    [ "$(rules_of 0)" = "" ]
    # The counter of the queue; a link of the free list; an index of the ring.
    make_guest freebsd --with empty --with miscounted
    [ "$(rules_of 3)" = "XB806 error" ]
    make_guest freebsd --with empty --with badlink
    [ "$(rules_of 3)" = "XB102 error" ]
    make_guest freebsd --with empty --with leaked
    [ "$(rules_of 1)" = "XB104 warning" ]
    "$XBDSNAP" replay -q -J "$img" | jq -e '.plan == []'
}

# bats test_tags=long
@test "NetBSD's xbd of Xen 3 and newer: by structure and by symbols" {
    for more in "" "--with two --with shift --with wrapped" "--with indirect" "--with old --with full" "--with v3" \
        "--bits 32 --with two --with wrapped" "--bits 32 --with old --with shift" "--with disorder" \
        "--bits 32 --with unconsumed"; do
        make_guest netbsd $more
        dump_ok
        make_guest netbsd $more --symbols "$BATS_TEST_TMPDIR/map"
        by_symbols
    done
    for more in "--with two" "--bits 32 --with old"; do
        make_guest netbsd --banner netbsd --with ksyms $more
        sed -i 's/"located_by": "scan"/"located_by": "ksyms"/' "$truth"
        dump_ok
    done
    make_guest netbsd --with two --with indirect
    writes_ok
    make_guest netbsd --bits 32 --with old
    writes_ok
}

@test "NetBSD drains all but flushes" {
    make_guest netbsd --with suspended --with noflush
    [ "$(rules_of 3)" = "XB803 error" ]
    make_guest netbsd --with suspended
    [ "$(rules_of 3)" = "XB803 error, XB805 error" ]
    make_guest netbsd --with suspended --with empty
    [ "$(rules_of 0)" = "" ]
    make_guest netbsd --with empty --with badlink --bits 32
    [[ "$(rules_of 3)" == *"XB102 error"* ]]
}

# bats test_tags=long
@test "Mini-OS, GRUB and Unikraft know of no suspension" {
    for kind in minios grub unikraft; do
        make_guest $kind --with wrapped --with two
        dump_ok
        writes_ok
        [ "$(rules_of 3)" = "XB804 error" ]
        make_guest $kind --with empty
        [ "$(rules_of 0)" = "" ]
    done
    make_guest minios --bits 32 --with full
    dump_ok
    make_guest grub --bits 32
    dump_ok
    make_guest openbsd --with two --with wrapped
    dump_ok --no-pages
    [ "$(rules_of 3)" = "XB804 error" ]
    make_guest openbsd --bits 32
    dump_ok --no-pages
}

@test "Windows: named with its version, and that of xenvbd" {
    make_guest windows --with wrapped --with two
    dump_ok --no-pages
    [ "$(of_dump '[.guest.os, .guest.release]')" = '["Windows","10.0.17763"]' ]
    [ "$(rules_of 4)" = "XB801 warning" ]
    make_guest windows --bits 32 --with nine --with grants
    dump_ok
    writes_ok
}
