#!/usr/bin/env bats
# What the sectors of requests are on their disk, against what the tools of the file systems say.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    tell=$(dirname "$XBDSNAP")/unit/test_ondisk
    ext4=${XBDSNAP_CACHE:-}/linux-6.1-ext4
}

tell() { # tell DISK [RANGE...]: into lines
    "$tell" "$@" >lines
}

held() { # held DISK [FIRST-SECTOR]: every block of the file system, by debugfs and dumpe2fs
    python3 "$SRCDIR/tests/tools/ext_truth.py" "$1" lines "${2:-0}" >out || {
        cat out
        return 1
    }
}

files() { # what a file system is filled with
    mkdir -p in/a/b in/c
    head -c 300000 /dev/urandom >in/a/large
    head -c 5000 /dev/urandom >in/a/b/small
    for i in $(seq 60); do echo "$i" >"in/c/a file with a name $i"; done
    truncate -s 40M in/holes
    for i in 0 3000 9000 9500 10200; do
        printf x | dd of=in/holes bs=4096 seek=$i conv=notrunc status=none
    done
    ln -s "$(printf '%0200d' 7)" in/link
}

@test "a real ext4 in use: every block, its file, its place in it, and what the journal replays" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for disk in before after; do
        tell "$ext4/disk-$disk-xvdb.img"
        held "$ext4/disk-$disk-xvdb.img"
    done
    tell "$ext4/disk-before-xvdb.img"
    held "$ext4/disk-before-xvdb.img"
    grep -q ' 21 in the journal' out
}

# bats test_tags=long
@test "a journal with checksums, and damage in it: what debugfs replays" {
    [ "$(python3 "$SRCDIR/tests/tools/log_truth.py" "$tell" "-c")" = "6 7 4 0 0 0 5 5" ]
    [ "$(python3 "$SRCDIR/tests/tools/log_truth.py" "$tell" "-c -v 2")" = "6 7 4 0 0 0 5 5" ]
    [ "$(python3 "$SRCDIR/tests/tools/log_truth.py" "$tell" "")" = "6 6 6 6 6 6 6 6" ]
}

# bats test_tags=long
@test "ext2, ext3 and ext4 with other features" {
    files
    while read -r size options; do
        rm -f disk.img
        truncate -s "$size" disk.img
        # shellcheck disable=SC2086 # several options
        mkfs.ext4 -q -F -d in $options disk.img
        tell disk.img
        echo "$options"
        held disk.img
        cut -f3 lines | grep -q '^file data$'
        cut -f3 lines | grep -q '^block map$'
    done <<'EOF'
64M -b 1024 -O ^extents,^has_journal,^64bit,^metadata_csum
64M -b 1024 -O ^extents,^flex_bg,^64bit,^metadata_csum
64M -b 2048 -O ^64bit,meta_bg,^resize_inode,^flex_bg
96M -b 4096 -O sparse_super2,inline_data
EOF
}

# bats test_tags=long
@test "a file system whose blocks come in clusters" {
    files
    truncate -s 128M disk.img
    mkfs.ext4 -q -F -d in -b 4096 -O bigalloc -C 16384 disk.img
    tell disk.img
    held disk.img
}

@test "requests of a real guest: the file, the place and the kind that the guest's account has" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    "$XBDSNAP" dump -J --disk "xvdb=$ext4/disk-before-xvdb.img" "$ext4/image.save" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    python3 "$SRCDIR/tests/tools/meaning_truth.py" j "$CHECKPOINTS/linux-6.1-ext4/ext4-truth.json"
    "$XBDSNAP" dump --disk "xvdb=$ext4/disk-before-xvdb.img" "$ext4/image.save" >t
    grep -Eq '^xvdb +0 +6 write +15016 +128 file data +\(ext4\) /dio/d0 16384-81919 +bytes 16384 to 81919 of /dio/d0 stay as they were$' t
    grep -Eq '^xvdb +0 +18 .* read as zeros: the disk has them as not written yet$' t
    grep -Eq '^xvdb +0 +23 .*/buf/new 0-98303 +bytes .* are lost: the disk does not say yet that they belong to it$' t
    grep -Eq '^xvdb +0 +26 write +352 +48 inode table +\(ext4\) inodes 113 to 208 +nothing is lost: the journal holds it and replays it at the next mount$' t
}

@test "without a disk, what the guest's memory says" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    "$XBDSNAP" dump -o SLOT,MEANING,WHERE,WITHOUT "$ext4/image.save" >t
    grep -Eq '^ *6 file data +\(ext4\) /mnt/dio/d0 16384-81919 +bytes 16384 to 81919 of /mnt/dio/d0 stay as they were$' t
    grep -Eq '^ *26 inode table +\(ext4\) +these inodes stay old: sizes, times, where their data is, unless the journal holds it$' t
    "$XBDSNAP" dump -J -o +MEANING "$ext4/image.save" | jq -e '[.devices[].requests[].meaning[].from] | unique == ["memory"]'
    "$XBDSNAP" dump -J "$ext4/image.save" | jq -e '[.devices[].requests[] | has("meaning")] | any | not'
}

# bats test_tags=long
@test "partitions: a master boot record with logical ones, and a GUID table with its copy" {
    truncate -s 64M disk.img
    printf '%s\n' 'label: dos' '2048,32768,83' '36864,,5' '38912,16384,83' '57344,16384,82' |
        sfdisk -q disk.img
    files
    truncate -s 16M fs.img
    mkfs.ext4 -q -F -b 1024 -d in -O ^64bit fs.img 2>/dev/null || mkfs.ext4 -q -F -b 1024 fs.img
    dd if=fs.img of=disk.img bs=512 seek=2048 conv=notrunc status=none
    tell disk.img
    held "disk.img?offset=$((2048 * 512))" 2048
    # Sectors, kind and partition of all but the file system.
    awk -F '\t' '$5 != 1 {print $1, $2, $3, $5}' lines >got
    diff - got <<'EOF'
0 1 partition table 0
1 2047 unpartitioned 0
34816 2048 unpartitioned 0
36864 1 partition table 0
36865 2047 unpartitioned 0
38912 16384 unknown 5
55296 1 partition table 0
55297 2047 unpartitioned 0
57344 16384 unknown 6
73728 57344 unpartitioned 0
EOF
    truncate -s 64M gpt.img
    printf '%s\n' 'label: gpt' '2048,32768' '36864,16384' | sfdisk -q gpt.img
    dd if=fs.img of=gpt.img bs=512 seek=2048 conv=notrunc status=none
    tell gpt.img
    held "gpt.img?offset=$((2048 * 512))" 2048
    awk -F '\t' '$5 != 1 {print $1, $2, $3, $5}' lines >got
    diff - got <<'EOF'
0 2 partition table 0
2 32 partition table 0
34 2014 unpartitioned 0
34816 2048 unpartitioned 0
36864 16384 unknown 2
53248 77791 unpartitioned 0
131039 33 backup partition table 0
EOF
}

# bats test_tags=long
@test "btrfs: superblocks, and the chunks of each kind on the device" {
    command -v mkfs.btrfs >/dev/null || skip "no btrfs-progs"
    truncate -s 200M disk.img
    for options in "-m dup -d single" "-m single -d single -n 4096"; do
        # shellcheck disable=SC2086 # several options
        mkfs.btrfs -q -f $options disk.img
        tell disk.img
        python3 "$SRCDIR/tests/tools/btrfs_truth.py" disk.img lines
    done
    # Without its tree of chunks nothing is said to be free.
    root=$(btrfs inspect-internal dump-super disk.img | awk '$1 == "chunk_root" {print $2}')
    dd if=/dev/zero of=disk.img bs=4096 seek=$((root / 4096)) count=1 conv=notrunc status=none
    tell disk.img
    run ! grep -q 'free space' lines
    grep -q 'the tree of chunks cannot be read' lines
}

# bats test_tags=long
@test "xfs: superblocks and headers of its groups, and the log" {
    command -v mkfs.xfs >/dev/null || skip "no xfsprogs"
    truncate -s 320M disk.img
    mkfs.xfs -q disk.img
    tell disk.img
    field() { xfs_db -r -c "sb 0" -c "print $1" disk.img | awk '{print $3}'; }
    groups=$(field agcount) size=$(($(field agblocks) * $(field blocksize) / 512))
    for ((g = 0; g < groups; g++)); do
        for header in "sb $g" "agf $g" "agi $g" "agfl $g"; do
            daddr=$(xfs_db -r -c "$header" -c daddr disk.img | awk '{print $4}')
            name=${header% *}
            case $name in
            sb) [ "$g" = 0 ] && kind=superblock || kind="backup superblock" ;;
            *) kind="allocation group headers" ;;
            esac
            grep -q "^$daddr"$'\t1\t'"$kind"$'\t' lines
            [ "$name" = sb ] || grep -q "^$daddr"$'\t.*\t'"${name^^} of group $g"$'\t' lines
        done
    done
    log=$(xfs_db -r -c "sb 0" -c "convert fsblock $(field logstart) daddr" disk.img | sed 's/.*(\([0-9]*\)).*/\1/')
    grep -q "^$log"$'\t'"$(($(field logblocks) * $(field blocksize) / 512))"$'\tjournal\t' lines
    awk -F '\t' '$3 == "unknown" {print $10}' lines | grep -qx "group 1, block 1"
    [ "$size" -gt 0 ]
}

# bats test_tags=long
@test "a logical volume in two pieces, with the label and metadata that LVM wrote" {
    zstd -q -dc "$SRCDIR/tests/fixtures/lvm/pv0-head.zst" >disk.img
    truncate -s 64M disk.img
    files
    truncate -s 20M fs.img
    mkfs.ext4 -q -F -b 1024 -m 0 -d in fs.img
    dd if=fs.img of=disk.img bs=512 seek=2048 count=24576 conv=notrunc status=none
    dd if=fs.img of=disk.img bs=512 seek=43008 skip=24576 conv=notrunc status=none
    tell disk.img
    awk -F '\t' '$11 != "vg/root" {print $1, $2, $3, $11}' lines >got
    diff - got <<'EOF'
0 1 free space vg
1 1 LVM label vg
2 6 free space vg
8 2040 LVM metadata vg
26624 16384 unknown vg/data
59392 16384 unknown vg/striped
75776 55296 free space vg
EOF
    awk -F '\t' -v OFS='\t' '$11 == "vg/root" {$1 -= $1 < 26624 ? 2048 : 43008 - 24576; print}' lines >t
    mv t lines
    held fs.img
    # Metadata that is cut: nothing is said of volumes.
    printf 'x' | dd of=disk.img bs=1 seek=$((4096 + 4)) conv=notrunc status=none
    tell disk.img
    [ "$(cut -f3,12 lines)" = $'unknown\tit has no metadata here' ]
}

@test "LUKS: the header, and what is enciphered" {
    command -v cryptsetup >/dev/null || skip "no cryptsetup"
    for version in 1 2; do
        rm -f disk.img
        truncate -s 40M disk.img
        echo secret | cryptsetup -q luksFormat --type "luks$version" --pbkdf pbkdf2 \
            --pbkdf-force-iterations 1000 disk.img -
        offset=$(cryptsetup luksDump disk.img | sed -n 's/^Payload offset:[^0-9]*//p; s/^\toffset: \([0-9]*\) \[bytes\]/\1/p' | head -1)
        [ "$version" = 1 ] || offset=$((offset / 512))
        tell disk.img
        diff <(cut -f1-3 lines) - <<<"0"$'\t'"$offset"$'\tLUKS header\n'"$offset"$'\t'"$((81920 - offset))"$'\tencrypted data'
    done
}

@test "a swap area: its header, its pages, and what is behind them" {
    truncate -s 9M disk.img
    mkswap -q disk.img 2>/dev/null
    truncate -s 10M disk.img
    tell disk.img
    diff <(cut -f1-3 lines) - <<<$'0\t8\tswap header\n8\t18424\tswap\n18432\t2048\tbehind the end'
}

# bats test_tags=long
@test "an image of another format is read through its server" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    qemu-img convert -O qcow2 "$ext4/disk-before-xvdb.img" disk.qcow2
    diff <("$XBDSNAP" dump --disk "xvdb=$ext4/disk-before-xvdb.img" "$ext4/image.save") \
        <("$XBDSNAP" dump --disk xvdb=qcow2:disk.qcow2 "$ext4/image.save")
}

@test "names on a disk are harmless: no control character, no tag" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    python3 - "$ext4/disk-before-xvdb.img" <<'EOF'
import sys
disk = open(sys.argv[1], "rb").read()
assert disk.count(b"frag0") >= 1 and disk.count(b"frag1") >= 1
with open("evil.img", "wb") as f:
    f.write(disk.replace(b"frag0", b"\x1b[7m0").replace(b"frag1", b"<b>&1"))
EOF
    "$XBDSNAP" dump --disk xvdb=evil.img "$ext4/image.save" >t
    grep -q ' /dio/\\x5cx1b\[7m0 8192-12287 ' t
    run ! grep -q $'\x1b' t
    "$XBDSNAP" dump -J --disk xvdb=evil.img "$ext4/image.save" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    jq -e '[.devices[].requests[].meaning[].path] | index("/dio/\u001b[7m0") != null' j
    "$XBDSNAP" report --disk xvdb=evil.img "$ext4/image.save" >page.html
    python3 "$SRCDIR/tests/tools/check_html.py" page.html
    grep -q '/dio/&lt;b&gt;&amp;1' page.html
    run ! grep -q $'\x1b' page.html
}

# bats test_tags=long
@test "a sector that cannot be read: what lies there is unknown, and the rest of the disk is told" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    gcc -shared -fPIC -O1 -Wall -Werror -o bad.so "$SRCDIR/tests/tools/badsector.c"
    truncate -s 32M disk.img
    printf '%s\n' 'label: dos' '64,8192,83' '10240,40960,83' | sfdisk -q disk.img
    zstd -q -dc "$SRCDIR/tests/fixtures/lvm/pv0-head.zst" |
        dd of=disk.img bs=512 seek=64 conv=notrunc status=none
    truncate -s 20M fs.img
    mkfs.ext4 -q -F fs.img
    dd if=fs.img of=disk.img bs=512 seek=10240 conv=notrunc status=none
    image=$XBDSNAP_CACHE/linux-6.1-base/image.save
    # A volume at first; then the header of LVM's metadata is lost (byte 4096 of the partition).
    ask() { "$SRCDIR/xbdsnap" dump -J --disk xvda=disk.img "$image" >j; }
    ask
    jq -e '[.devices[].requests[].meaning[] | select(.partition == 1 and .volume)] != []' j
    BAD_SIZE=$((32 << 20)) BAD_AT=$((72 * 512)) LD_PRELOAD=$PWD/bad.so ask
    jq -e '[.devices[].requests[].meaning[] | select(.partition == 1 and .volume)] == []' j
    [ "$(jq -c '[.devices[].requests[].meaning[] | select(.partition == 2) | .filesystem] | unique' j)" = '["ext4"]' ]
}

@test "a disk that is damaged or too short: unknown, and why; never a crash" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    head -c 5M "$ext4/disk-before-xvdb.img" >short.img
    tell short.img 10000-20000
    [ "$(cut -f1-3,12 lines)" = $'10000\t240\tjournal\t-\n10240\t9761\tunknown\t'"the disk ends before" ]
    "$XBDSNAP" dump -J --disk xvdb=short.img "$ext4/image.save" >j
    jq -e '[.devices[].requests[] | select(.sector > 10240) | .meaning[].from] | unique == ["memory"]' j
    cp "$ext4/disk-before-xvdb.img" bad.img
    printf '\1\0\0\0' | dd of=bad.img bs=1 seek=$((1024 + 0x20)) conv=notrunc status=none # blocks a group
    "$XBDSNAP" dump -J --disk xvdb=bad.img "$ext4/image.save" >j
    jq -e '[.devices[].requests[].meaning[] | select(.from == "disk") | .kind] | unique - ["unknown"] == []' j
    run -2 "$XBDSNAP" dump --disk xvdz=short.img "$ext4/image.save"
    run -2 "$XBDSNAP" dump --disk xvdb "$ext4/image.save"
    run -6 "$XBDSNAP" dump --disk xvdb=/nowhere "$ext4/image.save"
}
