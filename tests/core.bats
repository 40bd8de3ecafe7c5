#!/usr/bin/env bats
# Core dumps: the requests of real guests are found again in every kind of dump that can hold them.

bats_require_minimum_version 1.5.0

setup() {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints (CHECKPOINTS)"
    cd "$BATS_TEST_TMPDIR" || return
}

# What the guest has to do with: devices, requests, the guest itself but for what its file says. A
# core dump brings no configuration that could confirm a device.
guest='{devices: (.devices | map(.confirmed_by -= ["configuration"])),
    guest: (.guest | del(.name, .uuid, .suspended, .type))}'

make_core() { # make_core KIND CHECKPOINT: core
    python3 "$SRCDIR/tests/tools/mkcore.py" "$1" "$XBDSNAP_CACHE/$2/image.save" core
}

same_guest() { # same_guest KIND CHECKPOINT [FILTER]
    make_core "$1" "$2"
    "$XBDSNAP" dump -q -J core | jq -S "$guest ${3:-}" >got
    "$XBDSNAP" dump -q -J "$XBDSNAP_CACHE/$2/image.save" | jq -S "$guest ${3:-}" >want
    [ "$(jq '.devices | length' want)" -gt 0 ]
    diff want got
    [ -n "${3:-}" ] || "$XBDSNAP" dump -q -J core >dump.json
    [ -n "${3:-}" ] || python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/$2/truth.json"
}

# bats test_tags=long
@test "a core dump of a PV guest has the checkpoint's requests, frames and all" {
    same_guest xen linux-6.1-base
    same_guest xen linux-6.1-mq
    same_guest xen linux-6.12-discard
}

@test "machine frames without any order are found" {
    same_guest xen-mixed linux-6.1-base '| del(.. | .source_mfn?, .source_mfns?)'
    [ "$("$XBDSNAP" dump -q -J core | jq -r '.devices[0].requests[0].segments[0].source_mfn')" = 0x4bf53f ]
    [ "$("$XBDSNAP" dump -q -J --locate=scan core | jq '.devices[0].requests | length')" -eq 20 ]
}

# bats test_tags=long
@test "core dumps of PVH and HVM guests have the checkpoint's requests" {
    same_guest xen linux-6.1-pvh
    same_guest xen linux-6.1-hvm
}

# bats test_tags=long
@test "dumps of before Xen 3.1 have the checkpoint's requests, though they list frames alone" {
    same_guest xccore linux-6.1-base
    [ "$("$XBDSNAP" dump -q -J --locate=scan core | jq '.devices[0].requests | length')" -eq 20 ]
    same_guest xccore linux-6.1-mq
    same_guest xccore linux-6.1-hvm '| del(.guest.nr_pfns)'
    same_guest xccore-303 linux-6.1-hvm '| del(.guest.nr_pfns)'
}

@test "of Xen 3.0.0, which leaves out the registers, the page tables are found and that is said" {
    make_core xccore-300 linux-6.1-base
    run -1 --separate-stderr "$XBDSNAP" validate -J core
    [[ $(jq -r '.findings[] | select(.rule == "XB019") | .message' <<<"$output") == \
        *"no registers of a vcpu lead to page tables"* ]]
    "$XBDSNAP" dump -q -J core >dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/linux-6.1-base/truth.json"
}

@test "an old dump without the guest's own table says that nothing tells which page is which" {
    make_core xccore linux-6.1-base
    # The one page that begins with the magic, which leads to the table.
    at=$(grep -abom1 xen-3.0-x86_64 core | cut -d : -f 1)
    printf y | dd of=core bs=1 seek="$at" conv=notrunc status=none
    run -5 --separate-stderr "$XBDSNAP" info core
    [[ $output == *"which page is which is unknown"* ]]
    [[ $output == *"guest          PV"* ]]
}

@test "redact keeps of an old dump what tells its pages, and nothing that is nobody's" {
    make_core xccore linux-6.1-base
    pages=$(od -A n -t u4 -j 20 -N 4 core)
    # A page of the list that the guest's table does not name: another frame in its place.
    printf nobodys-secret >secret
    nr=$(od -A n -t u4 -j 8 -N 4 core)
    index=$(od -A n -t u4 -j 16 -N 4 core)
    for i in $(seq 0 40); do # a page of zeros
        [ -z "$(od -A n -v -t x1 -j $((pages + i * 4096)) -N 4096 core | tr -d ' 0\n')" ] && break
    done
    dd if=secret of=core bs=1 seek=$((pages + i * 4096 + 100)) conv=notrunc status=none
    printf '\x01\x00\x00\xff\x00\x00\x00\x00' |
        dd of=core bs=1 seek=$((index + i * 8)) conv=notrunc status=none
    [ "$nr" -gt 40 ]
    "$XBDSNAP" redact -q core small
    [ "$(du -k small | cut -f 1)" -lt 20000 ]
    diff <("$XBDSNAP" dump -q core) <("$XBDSNAP" dump -q small)
    grep -q nobodys-secret core
    run ! grep -q nobodys-secret small
}

# bats test_tags=long
@test "a dump of the emulator's has the checkpoint's requests" {
    same_guest qemu linux-6.1-pvh
    same_guest qemu linux-6.1-hvm
}

# Not a generator's: the emulator is given a guest's memory and registers, and asked for its dump.
# bats test_tags=long
@test "dumps that the emulator itself writes have the checkpoint's requests" {
    image="$XBDSNAP_CACHE/linux-6.1-hvm/image.save"
    for kind in elf kdump-zlib; do
        status=0
        python3 "$SRCDIR/tests/tools/qemudump.py" "$kind" "$image" core || status=$?
        [ "$status" -ne 77 ] || skip "no emulator (qemu-system-x86)"
        [ "$status" -eq 0 ]
        "$XBDSNAP" dump -q -J core >dump.json
        python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/linux-6.1-hvm/truth.json"
        diff <("$XBDSNAP" dump -q -J "$image" | jq -S "$guest | del(.guest.nr_pfns)") \
            <(jq -S "$guest | del(.guest.nr_pfns)" dump.json)
        "$XBDSNAP" info core | grep -q '^written by *QEMU (dump-guest-memory'
        rm -f core
    done
}

# bats test_tags=long
@test "packed dumps have the checkpoint's requests, whatever packed them" {
    for kind in kdump makedumpfile kdump-lzo kdump-snappy kdump-zstd; do
        same_guest $kind linux-6.1-pvh
    done
    [ "$("$XBDSNAP" dump -q -J --locate=scan core | jq '.devices[0].requests | length')" -eq 20 ]
    "$XBDSNAP" extract -q --slot 1 core >got
    "$XBDSNAP" extract -q --slot 1 "$XBDSNAP_CACHE/linux-6.1-pvh/image.save" >want
    cmp want got
    run -4 "$XBDSNAP" redact core small
    [[ $output == *"its pages are packed one by one"* ]]
}

@test "every command says that the guest of a core dump was not suspended" {
    make_core xen linux-6.1-base
    run --separate-stderr "$XBDSNAP" info core
    [ "$status" -eq 0 ]
    [[ $output == *"state          not suspended"* ]]
    [ "$("$XBDSNAP" info -J core | jq .guest.suspended)" = false ]
    run -1 --separate-stderr "$XBDSNAP" validate -J core
    [ "$(jq -c '[.findings[].rule]' <<<"$output")" = '["XB018"]' ]
    [ "$(jq -r '.not_evaluated[] | select(.rule == "XB105") | .reason' <<<"$output")" = \
        "the guest was not suspended" ]
    run --separate-stderr "$XBDSNAP" replay core
    [ "$status" -eq 0 ]
    [ "$(grep -c pending <<<"$output")" -eq 20 ]
    [[ $stderr == *XB018* ]]
}

@test "extract and redact work on a core dump" {
    make_core xen linux-6.1-base
    "$XBDSNAP" extract -q --slot 1 core >got
    "$XBDSNAP" extract -q --slot 1 "$XBDSNAP_CACHE/linux-6.1-base/image.save" >want
    cmp want got
    "$XBDSNAP" redact -q core small
    [ "$(du -k small | cut -f 1)" -lt 20000 ]
    diff <("$XBDSNAP" dump -q core) <("$XBDSNAP" dump -q small)
}

@test "a core dump that is cut off is shown as far as it goes" {
    make_core xen linux-6.1-base
    truncate -s 100M core
    run -5 --separate-stderr "$XBDSNAP" info core
    [[ $output == *"complete       NO: the file ends at 0x6400000, before the end of its section"* ]]
    [[ $output == *"PV, 64-bit, 4-level page tables, 1 vcpu"* ]]
}

@test "core dumps that are of no guest are named" {
    printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\004\0\076\0\001\0\0\0' >process
    head -c 8192 /dev/zero >>process
    printf '\x40' | dd of=process bs=1 seek=32 conv=notrunc status=none # e_phoff
    printf '\x38\0\x01\0' | dd of=process bs=1 seek=54 conv=notrunc status=none # one header of 56
    run -4 "$XBDSNAP" info process
    [[ $output == *"it is not one of a guest"* ]]
}
