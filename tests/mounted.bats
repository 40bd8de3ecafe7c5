#!/usr/bin/env bats
# A real guest that has xfs and btrfs mounted: is a disk the one that it knows (XB407), and what its
# requests are for.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    fixture=$SRCDIR/tests/fixtures/xfs-btrfs
    zstd -q -dc "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst" >base
    zstd -q -dc --long=31 --patch-from=base "$fixture/checkpoint.patch.zst" >image.save
    for disk in b c; do
        zstd -q -dc "$fixture/before-$disk.img.zst" >"before-$disk.img"
        zstd -q -dc --patch-from="before-$disk.img" "$fixture/after-$disk.patch.zst" >"after-$disk.img"
    done
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    there=$BATS_FILE_TMPDIR
}

judge() { # judge DISK-B DISK-C: into j; the status is not looked at
    "$XBDSNAP" validate -J --disk "xvdb=$1" --disk "xvdc=$2" "$there/image.save" >j || true
    stale=$(jq -c '[.findings[] | select(.rule == "XB407") | .device]' j)
}

# Another transaction number in the superblock of a btrfs (at 64 KiB: checksum, then from byte 72 on the
# number), with the checksum that belongs to it.
set_generation() { # set_generation DISK NUMBER
    python3 - "$1" "$2" <<'EOF'
import sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
with open(sys.argv[1], "r+b") as f:
    f.seek(65536)
    raw = bytearray(f.read(4096))
    assert int.from_bytes(raw[:4], "little") == crc32c(raw[32:])
    raw[72:80] = int(sys.argv[2]).to_bytes(8, "little")
    raw[:4] = crc32c(raw[32:]).to_bytes(4, "little")
    f.seek(65536)
    f.write(raw)
EOF
}

@test "the disks as they stood are the guest's; as it left them later they are not" {
    judge "$there/before-b.img" "$there/before-c.img"
    jq -e '.verdict == "safe" and ([.not_evaluated[].rule] | index("XB407") == null)' j
    [ "$stale" = '[]' ]
    judge "$there/after-b.img" "$there/after-c.img"
    [ "$stale" = '["xvdb","xvdc"]' ]
    judge "$there/before-b.img" "$there/after-c.img"
    [ "$stale" = '["xvdc"]' ]
    run -3 "$XBDSNAP" validate --disk "xvdb=$there/after-b.img" "$there/image.save"
    [[ $output == *"/after-b.img is at transaction 8, the guest has written 6 last"* ]]
}

# bats test_tags=long
@test "btrfs: each transaction that the guest has not made is seen, an older state of the disk too" {
    cp "$there/before-b.img" b.img
    set_generation b.img 7
    judge b.img "$there/before-c.img"
    [ "$stale" = '["xvdb"]' ]
    set_generation b.img 5
    judge b.img "$there/before-c.img"
    [ "$stale" = '["xvdb"]' ]
    jq -e '[.findings[] | select(.rule == "XB407") | .message | test("an older state of the disk")] == [true]' j
    set_generation b.img 6
    judge b.img "$there/before-c.img"
    [ "$stale" = '[]' ]
}

@test "xfs: one sector of the log where the guest has not come to" {
    # The first sector of the log that another has written: where the guest's would go on.
    at=$(cmp -l "$there/before-c.img" "$there/after-c.img" | awk '$1 > 20971520 {print int(($1 - 1) / 512); exit}')
    cp "$there/before-c.img" c.img
    dd if="$there/after-c.img" of=c.img bs=512 skip="$at" seek="$at" count=1 conv=notrunc status=none
    judge "$there/before-b.img" c.img
    [ "$stale" = '["xvdc"]' ]
    # One turn earlier it may well have been written.
    printf '\0\0\0\0\0\0\0\0' | dd of=c.img bs=512 seek="$at" count=8 conv=notrunc status=none
    judge "$there/before-b.img" c.img
    [ "$stale" = '[]' ]
}

# bats test_tags=long
@test "what the requests are for: files of both, and who asked" {
    "$XBDSNAP" dump -J --disk "xvdb=$there/before-b.img" --disk "xvdc=$there/before-c.img" \
        "$there/image.save" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    jq -r '.devices[] | .vdev as $d | (.requests + .queued)[] | . as $r | .who[] |
        [$d, $r.op, .kind, .file.path, .position, .process.comm] | map(. // "-") | join(" ")' j | sort -u >got
    diff got - <<'EOF'
xvdb read direct /mnt/xvdb/1 262144 guestio
xvdb read direct /mnt/xvdb/1 307200 guestio
xvdb write direct /mnt/xvdb/1 0 guestio
xvdb write direct /mnt/xvdb/1 131072 guestio
xvdb write metadata - 5488640 -
xvdc read direct /mnt/xvdc/1 262144 guestio
xvdc write direct /mnt/xvdc/1 0 guestio
xvdc write direct /mnt/xvdc/1 131072 guestio
xvdc write write-back /mnt/xvdc/2 0 -
xvdc write write-back /mnt/xvdc/2 262144 -
EOF
    jq -r '.devices[] | (.requests + .queued)[].meaning[] | [.filesystem, .kind, .from] | join(" ")' j |
        sort | uniq -c | tr -s ' ' >got
    diff got - <<'EOF'
 4 btrfs file data memory
 1 btrfs metadata disk
 5 xfs file data memory
EOF
}
