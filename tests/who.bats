#!/usr/bin/env bats
# dump --who on Linux guests: who asked for each request, against what the guests themselves know.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
}

unpack_loop() {
    zstd -q -dc "$SRCDIR/tests/fixtures/linux-6.1-ext4/checkpoint.save.zst" >base
    zstd -q -dc --long=31 --patch-from=base "$SRCDIR/tests/fixtures/loop/checkpoint.patch.zst"
}

account_of() { # account_of DUMP ACCOUNT: sectors of which the guest's program says the same
    python3 "$SRCDIR/tests/tools/account_truth.py" "$@"
}

@test "process, file and place of every request are those that the guest knows" {
    local dir name
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        name=$(basename "$dir")
        "$XBDSNAP" dump --who -J "$dir/image.save" >dump.json
        python3 "$SRCDIR/tests/tools/who_truth.py" dump.json "$CHECKPOINTS/$name"
        python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" dump.json
    done
}

@test "files of an ext4 file system: direct, write-back, metadata, each with its place" {
    "$XBDSNAP" dump --who "$XBDSNAP_CACHE/linux-6.1-ext4/image.save" >t
    grep -Eq '^xvdb +0 +6 write +15016 +128 +[0-9.]+s direct +ext4io\[145\] +/mnt/dio/d0 +16384$' t
    grep -Eq '^xvdb +0 +21 write +14704 +80 +[0-9.]+s write-back - +/mnt/buf/over +131072$' t
    grep -Eq '^xvdb +0 +26 write +352 +48 +[0-9.]+s metadata +- +\(ext4\) +180224$' t
}

@test "a column that says who asks for it; without one, nobody looks" {
    image=$XBDSNAP_CACHE/linux-6.1-base/image.save
    "$XBDSNAP" dump -o DEVICE,SLOT,PROCESS,FILE,STACK "$image" >t
    [ "$(sed -n 2p t | tr -s ' ')" = "xvda 0 stuckio[168] /dev/xvda xvda 128" ]
    [ "$("$XBDSNAP" dump -J "$image" | jq '[.devices[].requests[] | has("who")] | any')" = false ]
    "$XBDSNAP" dump -J -o +KIND "$image" | jq -e '[.devices[].requests[] | has("who")] | all'
}

@test "what redact left out is unknown, and where it was lost is said; --keep-who keeps it" {
    image=$XBDSNAP_CACHE/linux-6.1-ext4/image.save
    "$XBDSNAP" redact -q "$image" without.save
    "$XBDSNAP" dump --who -J without.save >j
    jq -e '[.devices[].requests[].who[] | select(.lost == null or .process or .file.path)] == []' j
    "$XBDSNAP" redact -q --keep-who "$image" with.save
    diff <("$XBDSNAP" dump --who -J "$image" | jq 'del(.source.path)') \
        <("$XBDSNAP" dump --who -J with.save | jq 'del(.source.path)')
}

@test "a guest that is no Linux has nobody to name" {
    run -0 --separate-stderr "$XBDSNAP" dump --who "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst"
    [ "$(awk 'NR > 1 {print $8, $9}' <<<"$output" | sort -u)" = "- -" ]
}

# bats test_tags=long
@test "loop devices, past the page cache and through it: to the file on top, with the sector on each" {
    local kinds='[.layers[].kind] | join(" ")'
    unpack_loop >image.save
    "$XBDSNAP" dump --who -J image.save >j
    [ "$(account_of j "$SRCDIR/tests/fixtures/loop/account.json")" = 1336 ]
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    jq -e '[.devices[].requests[].who[] | select(.kind == "unknown" or .lost)] == []' j
    [ "$(jq -r ".devices[].requests[].who[] | select(.file.path | startswith(\"/mnt/xvdb/\")) | $kinds" j |
        sort -u)" = "disk loop" ]
    # The file below: before the loop device begins, and from there on.
    jq -ce '.devices[].requests[] | select(.sector == 12520) | .who | map([.position, .bytes, .layers[1]])
        == [[0, 32768, null], [32768, 32768,
            {name: "loop1", label: "/mnt/xvdc/1", kind: "loop", sector: 0}]]' j
    "$XBDSNAP" dump -o SECTOR,STACK image.save >t
    grep -Eq '^ *14568 xvdb 14568 > loop0 /mnt/belowb/disk loop 38064$' t
    # Without a disk: a file is lost, in no volume.
    "$XBDSNAP" dump -J -o +MEANING image.save |
        jq -e '[.devices[].requests[].meaning[] | select(.volume or .partition)] == []'
}

# bats test_tags=long
@test "volumes, dm-crypt, a mirror and a stripe: pieces of large requests keep their place on each" {
    local name want fixtures=$SRCDIR/tests/fixtures/stacks
    unpack_loop >loop.save
    while read -r name want; do
        zstd -q -dc --long=31 --patch-from=loop.save "$fixtures/$name.patch.zst" >image.save
        "$XBDSNAP" dump --who -J image.save >j
        [ "$(account_of j "$fixtures/$name.json")" = 1144 ]
        jq -e '[.devices[].requests[].who[] | select(.kind == "unknown" or .lost)] == []' j
        # What lies in between, and that the last of them begins 2048 sectors into the disk.
        [ "$(jq -r '.devices[].requests[].who[].layers | [[.[] | [.name, .label, .kind] | join(" ")],
            .[0].sector - .[-1].sector] | flatten | join(",")' j | sort -u)" = "$want" ]
    done <<'EOF'
volume xvdb  disk,dm-0 vg-root linear,2048
crypt xvdb  disk,dm-0 secret crypt,dm-1 vg-root linear,2048
mirror xvdb  disk,md0  raid1,2048
stripe xvdb  disk,md0  raid0,2048
EOF
}

@test "a partition, and the offset in it" {
    cp "$XBDSNAP_CACHE/linux-6.1-base/image.save" image.save
    chmod u+w image.save
    python3 "$SRCDIR/tests/tools/as_partition.py" image.save 63
    "$XBDSNAP" dump --who -J -o +MEANING image.save >j
    jq -e '[.devices[].requests[] | .sector as $at | .who[] | .layers == [
        {name: "xvda", label: null, kind: "disk", sector: $at},
        {name: "xvda3", label: null, kind: "partition", sector: ($at - 63)}] and
        .position == ($at - 63) * 512] | length == 20 and all' j
    jq -e '[.devices[].requests[].meaning[].partition] | unique == [3]' j
    "$XBDSNAP" dump -o SLOT,STACK image.save >t
    grep -Eq '^ *0 xvda 128 > xvda3 65$' t
}

@test "the control group, as a container's, with a name that is hostile to a terminal" {
    cp "$XBDSNAP_CACHE/linux-6.1-base/image.save" image.save
    chmod u+w image.save
    [ "$("$XBDSNAP" dump --who -J image.save | jq -c '[.devices[].requests[].who[].cgroup] | unique')" = '["/"]' ]
    python3 "$SRCDIR/tests/tools/as_container.py" image.save
    "$XBDSNAP" dump --who -J image.save >j
    jq -e '[.devices[].requests[].who[].cgroup] | length == 20 and unique == ["/machine.slice/db \u001b[31m"]' j
    "$XBDSNAP" dump -o SLOT,CGROUP image.save >t
    run ! grep -q $'\e' t
    grep -Eq '^ *0 /machine\.slice/db \\x5cx1b\[31m$' t
}
