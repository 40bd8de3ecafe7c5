#!/usr/bin/env bats
# replay --write, --undo, --revert: what is refused, what is done, and that it can be undone.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    ! mountpoint -q "$BATS_TEST_TMPDIR/mnt" || umount "$BATS_TEST_TMPDIR/mnt"
    [ -z "${loop:-}" ] || losetup -d "$loop"
}

on_loop() { # on_loop FILE: $loop is a block device of it; or skip
    loop=$(losetup -f --show "$1" 2>/dev/null) || skip "no loop devices"
}

image() { # image NAME: of a real checkpoint, with its disk as ./disk; or skip
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    dir=$XBDSNAP_CACHE/$1
    [ -e "$dir/image.save" ] || skip "no $1"
    image=$dir/image.save
    before=$(ls "$dir"/disk-before*.img | tail -n 1)
    after=$(ls "$dir"/disk-after*.img | tail -n 1)
    cp --sparse=always "$before" disk
}

write() { "$XBDSNAP" replay --write --undo undo --disk xvda=disk "$@"; }

untouched() {
    cmp disk "$before"
    [ ! -e undo ]
    [ -z "$(ls undo.* 2>/dev/null)" ]
}

# bats test_tags=long
@test "the plan makes of each disk before the restore the disk after it, and revert undoes it" {
    n=0
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for before in "$XBDSNAP_CACHE"/*/disk-before*.img; do
        dir=${before%/*} after=${before/disk-before/disk-after} vdev=xvda
        [[ $before != *-xvdb.img ]] || vdev=xvdb
        cp --sparse=always "$before" disk
        "$XBDSNAP" replay --write --discard --undo undo --disk $vdev=disk "$dir/image.save"
        # On the file system the restored guest wrote more: the test for it compares its files.
        [ $vdev = xvdb ] || cmp disk "$after"
        ! cmp -s disk "$before"
        "$XBDSNAP" replay --revert undo
        cmp disk "$before"
        # Once more: it is the same.
        "$XBDSNAP" replay --revert undo
        cmp disk "$before"
        rm undo
        n=$((n + 1))
    done
    [ $n -gt 0 ]
}

# bats test_tags=long
@test "discards are carried out when asked, and undone" {
    image linux-6.12-discard
    run --separate-stderr write -J "$image"
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.applied.writes, .applied.discards, .applied.discards_left_out]' <<<"$output")" = "[3,0,5]" ]
    [[ $stderr == *"5 discards not carried out (--discard does)"* ]]
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
    rm undo
    run --separate-stderr write -J --discard "$image"
    [ "$status" -eq 0 ]
    echo "$output" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    [ "$(jq -c '[.applied.writes, .applied.discards, .applied.discards_left_out]' j)" = "[3,5,0]" ]
    cmp disk "$after"
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
}

# bats test_tags=long
@test "a file system: file data is as the guest left it, the checker runs before and after" {
    image linux-6.1-ext4
    run "$XBDSNAP" replay --write --undo undo --disk xvdb=disk --fsck 'e2fsck -fn' "$image"
    [ "$status" -eq 0 ]
    [[ $output == *"the checker ended with 0 before and with 0 after"* ]]
    python3 - "$CHECKPOINTS/linux-6.1-ext4/ext4-truth.json" disk "$after" <<'EOF'
import json, sys
truth = json.load(open(sys.argv[1]))
disk, after = (open(p, "rb").read() for p in sys.argv[2:])
n = 0
for r in truth["requests"]:
    if r["op"] != "WRITE" or any(p["type"] != "file" for p in r["pieces"]):
        continue
    start, end = r["sector"] * 512, (r["sector"] + r["nsec"]) * 512
    assert disk[start:end] == after[start:end], r
    n += 1
assert n >= 10, n
EOF
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
    run -1 "$XBDSNAP" replay --write --undo undo2 --disk xvdb=disk --fsck 'exit 3;' "$image"
    [[ $output == *"the checker ended with 3 before and with 3 after"* ]]
}

# bats test_tags=long
@test "a checker sees the file system in an image and in an overlay" {
    image linux-6.1-ext4
    [ -w /dev/fuse ] && command -v qemu-storage-daemon || skip "no FUSE export"
    mv disk -- '-a,b c'
    over() { "$XBDSNAP" replay --write --to over --fsck "$1" --disk xvdb="$2" "$image"; }
    run -0 over 'e2fsck -fn' '-a,b c'
    [[ $output == *"the checker ended with 0 before and with 0 after"* ]]
    rm over
    # What it sees is what a guest would: here the writes, and the disk without them.
    run -1 over "cmp -s '$before'" '-a,b c'
    [[ $output == *"the checker ended with 0 before and with 1 after"* ]]
    rm over
    qemu-img convert -f raw -O qcow2 -- './-a,b c' 'i,m g'
    run -1 over "cmp -s '$before'" 'qcow2:i,m g'
    [[ $output == *"the checker ended with 0 before and with 1 after"* ]]
    run -0 "$XBDSNAP" replay --write --undo undo --fsck 'e2fsck -fn' --disk xvdb='qcow2:i,m g' "$image"
    [[ $output == *"the checker ended with 0 before and with 0 after"* ]]
    "$XBDSNAP" replay --revert undo
}

# bats test_tags=long
@test "a checker that cannot run or is interrupted stops all before any change" {
    image linux-6.1-flush
    run -6 write --fsck no-such-checker "$image"
    [[ $output == *"the checker 'no-such-checker' cannot be run"* ]]
    untouched
    # The checker must hear SIGINT, though we put it off.
    run -6 write --fsck 'kill -INT $PPID; kill -INT $$; sleep 20;' "$image"
    [[ $output == *"interrupted while the checker ran"* ]]
    untouched
    # After the writes: they stay.
    run -1 write --fsck '[ -e undo ] || exit 0; kill -INT $$; sleep 20;' "$image"
    [[ $output == *"the checker ended with 0 before and with 130 after"* ]]
    cmp disk "$after"
}

@test "landed, not landed and torn are told apart before and after" {
    image linux-6.1-mq
    states() { "$XBDSNAP" replay -J --disk xvda=disk "$image" |
        jq -r '[.plan[] | select(.op == "write") | .on_disk.state] | unique | join(",")'; }
    [ "$(states)" = not-landed ]
    write "$image"
    [ "$(states)" = landed ]
    "$XBDSNAP" replay --revert undo
    [ "$(states)" = not-landed ]
}

# bats test_tags=long
@test "a name that is taken, and a folder that is not there, refuse before any change" {
    image linux-6.1-flush
    echo precious >undo
    run -3 write "$image"
    [[ $output == *"undo exists"* ]]
    [ "$(cat undo)" = precious ]
    cmp disk "$before"
    run -6 "$XBDSNAP" replay --write --undo nowhere/undo --disk xvda=disk "$image"
    cmp disk "$before"
}

# bats test_tags=long
@test "the undo file needs no file system that renames without replacing, nor one with links" {
    image linux-6.1-flush
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    without() { LD_PRELOAD=$PWD/shim.so KILLSHIM_HOW=$1 XBDSNAP="$SRCDIR/xbdsnap" write "$image"; }
    for what in norename noname; do
        echo precious >undo
        run -3 without $what
        [[ $output == *"undo exists"* ]]
        [ "$(cat undo)" = precious ]
        cmp disk "$before"
        rm undo
        without $what
        cmp disk "$after"
        "$XBDSNAP" replay --revert undo
        cmp disk "$before"
        [ "$(ls undo*)" = undo ]
        rm undo
    done
}

# bats test_tags=long
@test "another size refuses, with its own override; a request beyond the end too" {
    image linux-6.1-flush
    truncate -s +1M disk
    run -3 write "$image"
    [[ $output == *"--allow=capacity"* ]]
    write --allow=capacity "$image"
    "$XBDSNAP" replay --revert undo
    rm undo
    truncate -s 1000K disk
    cp disk short
    run -3 write --allow=capacity "$image"
    [[ $output == *"--allow=size leaves it out"* ]]
    cmp disk short
    run -1 write --allow=capacity --allow=size "$image"
    [[ $output == *"requests left out"* ]]
    ! cmp -s disk short
    "$XBDSNAP" replay --revert undo
    cmp disk short
}

# bats test_tags=long
@test "a finding of severity error refuses, with its own override" {
    image linux-6.1-flush
    python3 "$SRCDIR/tests/tools/move_request.py" "$image" far 6 100 70000
    run -3 write far
    [[ $output == *"XB135: "*"--allow=findings goes on all the same"* ]]
    untouched
    run -3 write --allow=findings far
    [[ $output == *"slot 6 cannot be carried out: "*"; --allow=size leaves it out"* ]]
    untouched
    run -1 write --allow=findings --allow=size far
    [[ $output == *"1 requests left out"* ]]
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
}

# bats test_tags=long
@test "another file system, and one used since, refuse, each with its own override" {
    image linux-6.1-ext4
    ext4() { "$XBDSNAP" replay --write --undo undo --disk xvdb=disk "$@" "$image"; }
    debugfs -w -R "mkdir intruder" disk
    cp disk used
    run -3 ext4
    [[ $output == *"XB407: "*"--allow=changed goes on all the same"* ]]
    run -3 ext4 --allow=findings
    cmp disk used
    ext4 --allow=changed
    "$XBDSNAP" replay --revert undo
    cmp disk used
    rm undo
    mke2fs -q -F -t ext4 -b 4096 disk
    cp disk other
    run -3 ext4 --allow=changed
    [[ $output == *"XB406: "*"--allow=identity goes on all the same"* ]]
    cmp disk other
    ext4 --allow=changed --allow=identity
    "$XBDSNAP" replay --revert undo
    cmp disk other
}

# bats test_tags=long
@test "a payload page that is absent refuses, with its own override alone" {
    image linux-6.1-flush
    "$XBDSNAP" replay -J "$image" >j
    page() { jq -r ".plan[] | select(.slot == $1) | .segments[0].pfn" j; }
    # Slot 6 writes sectors 100 to 107.
    python3 "$SRCDIR/tests/tools/drop_page.py" "$image" holed "$(page 6)"
    others() { local a; for a in findings size in-use capacity identity overlap changed; do echo "--allow=$a"; done; }
    # shellcheck disable=SC2046
    run -3 write $(others) holed
    [[ $output == *"slot 6 cannot be carried out: the page of segment 0 was poisoned memory; --allow=hole leaves it out"* ]]
    untouched
    run -1 write --allow=hole holed
    [[ $output == *"1 requests left out"* ]]
    cmp -n $((100 * 512)) disk "$after"
    cmp -n $((8 * 512)) -i $((100 * 512)) disk "$before"
    cmp -i $((108 * 512)) disk "$after"
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
    rm undo
    # That of a read is none of the disk's business.
    python3 "$SRCDIR/tests/tools/drop_page.py" "$image" holed "$(page 1)"
    write holed
    cmp disk "$after"
}

# bats test_tags=long
@test "a redacted payload refuses, with its own override alone" {
    image linux-6.1-flush
    "$XBDSNAP" redact "$image" redacted
    run -3 write --allow=findings redacted
    [[ $output == *"cannot be carried out: the page of segment 0 was left out of this redacted checkpoint; --allow=hole leaves it out"* ]]
    untouched
    run -1 write --allow=hole redacted
    [[ $output == *"4 requests left out"* ]]
    cmp disk "$before"
}

# bats test_tags=long
@test "netbsd-xbd's writes land at the true sectors, not at those that it logged" {
    [ -e "${XBDSNAP_CACHE:-/nonexistent}/xen2-netbsd/image.save" ] || skip "no checkpoints"
    image=$XBDSNAP_CACHE/xen2-netbsd/image.save
    truncate -s 1G hda1
    truncate -s 32M hda2
    for vdev in hda1 hda2; do
        "$XBDSNAP" replay --write --undo $vdev.undo --disk $vdev=$vdev "$image"
        "$XBDSNAP" replay -J --disk $vdev=$vdev "$image" >$vdev.json
    done
    python3 - "$CHECKPOINTS/xen2-netbsd/truth.json" "$XBDSNAP" "$image" <<'EOF'
import json, os, subprocess, sys
truth, xbdsnap, image = sys.argv[1:]
names = {769: "hda1", 770: "hda2"}
written = {}
n = 0
for r in json.load(open(truth))["pending"]:
    if r["op"] != "WRITE":
        continue
    vdev = names[r["device"]]
    subprocess.run([xbdsnap, "extract", "--device", vdev, "--slot", str(r["slot"]), "-o", "data", image],
                   check=True, stderr=subprocess.DEVNULL)
    data = open("data", "rb").read()
    os.unlink("data")
    assert len(data) == 512 * sum(s["last"] - s["first"] + 1 for s in r["segments"])
    with open(vdev, "rb") as f:
        f.seek(512 * r["sector"])
        assert f.read(len(data)) == data, r
    written.setdefault(vdev, []).append((512 * r["sector"], len(data)))
    n += 1
assert n >= 20, n
for vdev, ranges in written.items():
    with open(vdev, "r+b") as f: # nothing else was written
        for at, size in ranges:
            f.seek(at)
            f.write(bytes(size))
EOF
    cmp hda2 <(head -c 32M /dev/zero)
    cmp hda1 <(head -c 1G /dev/zero)
    [ "$(jq -r '.plan[] | select(.on_disk) | .op + " " + .on_disk.state' hda1.json hda2.json | sort -u | tr '\n' ,)" = \
        "read not-filled,write landed," ]
}

# Do sectors $2.. of the disk hold what the restored guest put at sectors $1.. ($3 of them)?
holds() {
    cmp <(tail -c +$((512 * $2 + 1)) disk | head -c $((512 * $3))) \
        <(tail -c +$((512 * $1 + 1)) "$after" | head -c $((512 * $3)))
}

# bats test_tags=long
@test "overlapping writes without a barrier are done in the plan's order, and said" {
    image linux-6.1-flush
    # Slot 2 writes sectors 300 to 315; slot 6 shall write 303 to 310 in place of 100 to 107.
    python3 "$SRCDIR/tests/tools/move_request.py" "$image" met 6 100 303
    run "$XBDSNAP" validate met
    [[ $output == *"note XB601 xvda ring 0 slot 6: sectors 303 to 310: "* ]]
    # The block layer's own request is still for the old place.
    run -3 write met
    [[ $output == *"XB307: "*"--allow=findings"* ]]
    untouched
    write() { "$XBDSNAP" replay --write --allow=findings --undo undo --disk xvda=disk "$@"; }
    run -0 write met
    [[ $output == *"requests change the same sectors: the plan's later ones stand"* ]]
    holds 100 303 8
    holds 300 300 3
    holds 311 311 5
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
    rm undo
    # The other order is the plan's to choose.
    "$XBDSNAP" replay -J met | jq '.plan |= reverse' >reversed
    write --plan reversed met
    holds 300 300 16
    "$XBDSNAP" replay --revert undo
    rm undo
    "$XBDSNAP" replay -J met | jq '.plan |= map(select(.slot != 2))' >dropped
    run -0 write --plan dropped met
    [[ $output != *"same sectors"* ]]
    holds 100 303 8
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
}

# bats test_tags=long
@test "a disk that another process locks, and a loop device's file, refuse" {
    image linux-6.1-flush
    python3 - <<'EOF' &
import fcntl, os, struct, time
fd = os.open("disk", os.O_RDWR)
fcntl.fcntl(fd, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
open("locked", "w").close()
time.sleep(30)
EOF
    locker=$!
    for _ in $(seq 100); do [ -e locked ] && break; sleep 0.1; done
    run -3 write "$image"
    [[ $output == *"another process holds a lock"*"--allow=in-use"* ]]
    untouched
    write --allow=in-use "$image"
    run -3 "$XBDSNAP" replay --revert undo
    [[ $output == *"another process holds a lock"* ]]
    kill $locker
    wait $locker || true
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
}

# bats test_tags=long
@test "a block device takes the writes, and gives them back; not while it is mounted" {
    image linux-6.1-mq
    on_loop disk
    "$XBDSNAP" replay --write --undo undo --disk xvda="$loop" "$image"
    cmp "$loop" "$after"
    "$XBDSNAP" replay --revert undo
    cmp "$loop" "$before"
    rm undo
    run -3 write "$image"
    [[ $output == *"a loop device stands on it; --allow=in-use"* ]]
    losetup -d "$loop"
    loop=
    untouched
    image linux-6.1-ext4
    on_loop disk
    mkdir mnt
    mount -o ro,noload "$loop" mnt || skip "no mount"
    run -3 "$XBDSNAP" replay --write --undo undo --disk xvdb="$loop" "$image"
    [[ $output == *"XB408: "*"it is mounted; --allow=in-use goes on all the same"* ]]
    [ ! -e undo ]
    umount mnt
    cmp "$loop" "$before"
    "$XBDSNAP" replay --write --undo undo --disk xvdb="$loop" "$image"
    mount -o ro,noload "$loop" mnt
    run -3 "$XBDSNAP" replay --revert undo
    [[ $output == *" is in use: it is mounted; --allow=in-use goes on all the same"* ]]
    umount mnt
    "$XBDSNAP" replay --revert undo
    cmp "$loop" "$before"
}

# bats test_tags=long
@test "a disk is in use by any name, through any device, and by any writer" {
    image linux-6.1-flush
    refused() { # refused DISK WHY
        run -3 "$XBDSNAP" replay --write --undo undo --disk xvda="$1" "$image"
        [[ $output == *"XB408: "*"$2; --allow=in-use goes on all the same"* ]]
        [ ! -e undo ]
        run -3 "$XBDSNAP" replay --write --to over --disk xvda="$1" "$image"
        [ ! -e over ]
    }
    exec 4<>disk
    refused disk "another process has it open for writing"
    exec 4>&-
    write "$image"
    exec 4<>disk
    run -3 "$XBDSNAP" replay --revert undo
    [[ $output == *"another process has it open for writing; --allow=in-use"* ]]
    "$XBDSNAP" replay --revert undo --allow=in-use
    exec 4>&-
    cmp disk "$before"
    rm undo
    ln disk alias
    on_loop alias
    rm alias
    refused disk "a loop device stands on it"
    upper=$(losetup -f --show "$loop")
    refused "$loop" "a loop device stands on it"
    losetup -d "$upper"
    # As the kernel does it for a device mapper, a volume group or a swap area.
    python3 -c 'import os, sys, time
os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
open("claimed", "w").close()
time.sleep(30)' "$loop" 3>&- &
    claimer=$!
    until [ -e claimed ]; do sleep 0.1; done
    refused "$loop" "another device is made of it, or a part of it is mounted"
    kill $claimer
    wait $claimer || true
}

@test "a disk is in use while a partition of it is mounted" {
    image linux-6.1-flush
    python3 - <<'EOF'
# The whole disk as one partition, Linux, from sector 2048.
with open("disk", "r+b") as f:
    f.seek(446)
    f.write(bytes([0, 0, 0, 0, 0x83, 0, 0, 0]) + (2048).to_bytes(4, "little") +
            (65536 - 2048).to_bytes(4, "little") + bytes(48) + b"\x55\xaa")
EOF
    loop=$(losetup -P -f --show disk) || skip "no loop devices"
    [ -b "${loop}p1" ] || skip "no partitions"
    mke2fs -q -F "${loop}p1"
    mkdir mnt
    mount "${loop}p1" mnt || skip "no mount"
    run -3 "$XBDSNAP" replay --write --undo undo --disk xvda="$loop" "$image"
    umount mnt
    [[ $output == *"XB408: "*"another device is made of it, or a part of it is mounted; "* ]]
}

@test "a disk that is replaced while the checker runs is not written" {
    image linux-6.1-flush
    cp disk other
    run -6 write --fsck 'mv other disk; true' "$image"
    [[ $output == *"/disk was replaced by another disk meanwhile"* ]]
    untouched
    cp disk other
    run -6 "$XBDSNAP" replay --write --to over --fsck 'mv other disk; true' --disk xvda=disk "$image"
    [ ! -e over ]
}

# bats test_tags=long
@test "revert refuses another disk, and a disk written since" {
    image linux-6.1-flush
    write "$image"
    cp disk copy && mv copy disk # another inode
    run -3 "$XBDSNAP" replay --revert undo
    [[ $output == *" is no longer the disk of xvda that undo was made from; --disk=VDEV=PATH names it"* ]]
    cmp disk "$after"
    run -2 "$XBDSNAP" replay --revert undo --disk xvdb=disk
    # Sector 100 was written; now the guest has gone on and written something else there.
    printf 'newer' | dd of=disk bs=1 seek=$((100 * 512 + 7)) conv=notrunc status=none
    cp disk newer
    run -3 "$XBDSNAP" replay --revert undo --disk xvda=disk
    [[ $output == *"sector 100 of"*"--allow=changed"* ]]
    cmp disk newer
    "$XBDSNAP" replay --revert undo --disk xvda=disk --allow=changed
    cmp disk "$before"
    truncate -s +512 disk
    run -3 "$XBDSNAP" replay --revert undo --disk xvda=disk --allow=changed
}

# bats test_tags=long
@test "a damaged undo file is named, and changes nothing" {
    image linux-6.1-flush
    write "$image"
    size=$(stat -c %s undo)
    for n in $(printf '%s\n' 0 7 8 63 64 80 $((size / 2)) $((size - 1)) | "$SRCDIR/tests/tools/sample.sh"); do
        head -c "$n" undo >cut
        run -5 "$XBDSNAP" replay --revert cut
        cmp disk "$after"
    done
    cat undo undo >twice
    run -5 "$XBDSNAP" replay --revert twice
    python3 - <<'EOF'
import random
raw = open("undo", "rb").read()
rng = random.Random(1)
for i in range(40):
    at = rng.randrange(len(raw))
    open(f"flip.{i}", "wb").write(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:])
EOF
    for f in $(printf '%s\n' flip.* | "$SRCDIR/tests/tools/sample.sh"); do
        run -5 "$XBDSNAP" replay --revert "$f"
        cmp disk "$after"
    done
    run -5 "$XBDSNAP" replay --revert "$image"
    run -6 "$XBDSNAP" replay --revert absent
    cmp disk "$after"
}

# bats test_tags=long
@test "an undo file with good checksums and bad contents changes nothing" {
    image linux-6.1-flush
    write "$image"
    cp "$before" victim
    cat >forge.py <<'EOF'
import struct, sys
def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
raw = open("undo", "rb").read()
path_bytes = struct.unpack_from("<I", raw, 12)[0]
def head(flags=None, path=None, size=None, blocks=None):
    h = bytearray(raw[:64])
    p = raw[64:64 + path_bytes] if path is None else path
    for off, fmt, v in ((8, "<I", flags), (12, "<I", len(p)), (16, "<Q", size), (40, "<Q", blocks)):
        if v is not None:
            struct.pack_into(fmt, h, off, v)
    h += p
    return bytes(h) + struct.pack("<I", crc32c(h))
rest = raw[64 + path_bytes + 4:]
def block(off, data, flags=1, length=None):
    b = struct.pack("<QII", off, len(data) if length is None else length, flags)
    return b + struct.pack("<I", crc32c(b + data)) + data
S = bytes(512)
assert head() + rest == raw
forged = {
    "many": head(blocks=2**64 - 1) + rest,
    "none": head(blocks=0) + rest,
    "format": head(flags=9 << 8) + rest,
    "flag": head(flags=2) + rest,
    "size": head(size=2**63) + rest,
    "beyond": head(blocks=1) + block(32 << 20, S),
    "around": head(blocks=1) + block(2**64 - 512, S),
    "odd": head(blocks=1) + block(100, S),
    "part": head(blocks=1) + block(0, S[:100]),
    "empty": head(blocks=1) + block(0, b""),
    "long": head(blocks=1) + block(0, S, length=2**31),
    "future": head(blocks=1) + block(0, S, flags=3),
    "twice": head(blocks=2) + block(512, S) + block(512, S),
    "back": head(blocks=2) + block(512, S) + block(0, S),
    "other": head(path=sys.argv[1].encode() + b"/victim") + rest,
    "link": head(path=sys.argv[1].encode() + b"/link") + rest,
    "folder": head(path=b"/") + rest,
    "nul": head(path=b"\0" * 40) + rest,
    "device": head(path=b"/dev/null") + rest,
}
for name, data in forged.items():
    open("forged." + name, "wb").write(data)
EOF
    python3 forge.py "$PWD"
    ln -s victim link
    reverted() {
        run "-$1" "$XBDSNAP" replay --revert "forged.$2"
        cmp disk "$after"
        cmp victim "$before"
    }
    for f in many none format flag beyond around odd part empty long future twice back; do
        reverted 5 $f
    done
    reverted 3 size
    reverted 3 other
    reverted 3 link
    reverted 2 folder
    reverted 6 nul
    reverted 2 device
    "$XBDSNAP" replay --revert undo
    cmp disk "$before"
}

# bats test_tags=long
@test "what no longer fits is reverted, though its file system stays full" {
    image linux-6.1-indirect
    mkdir mnt
    mount -t tmpfs -o size=200k none mnt || skip "no mount"
    truncate -s 32M mnt/disk
    run -6 "$XBDSNAP" replay --write --undo undo --disk xvda=mnt/disk "$image"
    [[ $output == *"(undo restores it): "*"No space left on device; replay --revert does that"* ]]
    run ! cmp -s mnt/disk <(head -c 32M /dev/zero)
    "$XBDSNAP" replay --revert undo
    cmp mnt/disk <(head -c 32M /dev/zero)
    rm mnt/disk undo
    # Room for some clusters; and for none, not even for a table of them.
    for room in 400 200; do
        mount -o remount,size=${room}k mnt
        qemu-img create -q -f qcow2 mnt/image 32M
        run -6 "$XBDSNAP" replay --write --undo undo --disk xvda=qcow2:mnt/image "$image"
        [[ $output == *"No space left on device"* ]]
        "$XBDSNAP" replay --revert undo
        truncate -s 32M zeros
        cp mnt/image copy
        qemu-img compare -q -f qcow2 -F raw copy zeros
        rm mnt/image undo
    done
}

# bats test_tags=long
@test "the recipe completes the writes, or leaves the disk as it was" {
    image linux-6.1-mq
    mkdir bin
    ln -s "$XBDSNAP" bin/xbdsnap
    export PATH=$PWD/bin:$PATH
    run -0 "$SRCDIR/tests/recipes/salvage.sh" "$image" undo xvda=disk
    cmp disk "$after"
    run -3 "$SRCDIR/tests/recipes/salvage.sh" "$image" undo xvda=disk
    cmp disk "$after"
    xbdsnap replay --revert undo
    rm undo
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    ln -sf "$SRCDIR/xbdsnap" bin/xbdsnap
    # Only the run that writes has as many calls.
    KILLSHIM_AT=300 KILLSHIM_HOW=eio KILLSHIM_COUNT=$PWD/count LD_PRELOAD=$PWD/shim.so \
        run -1 "$SRCDIR/tests/recipes/salvage.sh" "$image" undo xvda=disk
    [ -s undo ]
    cmp disk "$before"
}

# bats test_tags=long
@test "the recipe takes all disks of a guest" {
    two_disks
    mkdir bin
    ln -s "$XBDSNAP" bin/xbdsnap
    export PATH=$PWD/bin:$PATH
    run -0 "$SRCDIR/tests/recipes/salvage.sh" "$image" undo hda1=hda1 hda2=hda2
    are after
    xbdsnap replay --revert undo
    are before
}

@test "a qcow2 image takes the writes, and gives them back" {
    image linux-6.1-flush
    qemu-img convert -f raw -O qcow2 disk image
    same() { # The server of a run that was killed may hold the image for a moment: status 2.
        local tries rc=2
        for ((tries = 0; tries < 50 && rc == 2; tries++)); do
            [ $tries -eq 0 ] || sleep 0.1
            rc=0
            qemu-img compare -q -f qcow2 -F raw image "$1" || rc=$?
        done
        return $rc
    }
    there() { "$XBDSNAP" replay --write --undo undo --disk xvda=qcow2:image "$image"; }
    there
    same "$after"
    "$XBDSNAP" replay --revert undo
    same "$before"
    # On a copy of the disk in another format, too.
    run -3 "$XBDSNAP" replay --revert undo --disk xvda=raw:image
    "$XBDSNAP" replay --revert undo --disk xvda=raw:disk
    cmp disk "$before"
    rm undo
    # Killed, we or the server, or failing, at any write, flush or close.
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    ended() { # ended HOW AT: the status
        status=0
        LD_PRELOAD=$PWD/shim.so KILLSHIM_AT=$2 KILLSHIM_HOW=$1 KILLSHIM_COUNT=$PWD/count \
            XBDSNAP="$SRCDIR/xbdsnap" there || status=$?
    }
    restored() {
        # The server of a run that was killed may take a moment to end.
        tries=0
        until [ ! -e undo ] || "$XBDSNAP" replay --revert undo; do
            [ $((tries += 1)) -le 50 ]
            sleep 0.1
        done
        same "$before"
        rm -f undo undo.*
    }
    ended none 0
    [ $status -eq 0 ]
    calls=$(cat count)
    [ "$calls" -ge 20 ]
    restored
    failed=0
    for ((at = 1; at <= calls; at += ${SAMPLE:-1})); do
        ended kill $at
        [ $status -eq 137 ]
        restored
        ended eio $at
        [ $status -eq 6 ]
        restored
        # Before the last of its calls, each change is still to be synced by it.
        ended server $at
        [ $status -eq 6 ] || [ $status -eq 0 ]
        [ $status -eq 0 ] || failed=$((failed + 1))
        [ $status -eq 6 ] || same "$after"
        restored
    done
    [ $failed -ge $((15 / ${SAMPLE:-1})) ]
}

# bats test_tags=long
@test "a disk may have any name" {
    image linux-6.1-flush
    mv disk original
    n=0
    names=($'line\nline' 'a b' 'a,b=c' nbd:x:1 'json:{"a":1}' raw:x -n $'\xff\xfe')
    for ((i = 0; i < ${#names[@]}; i += ${SAMPLE:-1})); do
        name=${names[i]}
        spec=$name
        [ "$name" != raw:x ] || spec=raw:raw:x
        cp --sparse=always original "./$name"
        "$XBDSNAP" replay -J --write --undo undo --disk xvda="$spec" "$image" >j
        jq -e .applied.path j
        cmp "./$name" "$after"
        "$XBDSNAP" replay --revert undo
        cmp "./$name" "$before"
        rm undo
        qemu-img convert -f raw -O qcow2 original plain
        mv plain "./$name"
        "$XBDSNAP" replay --write --to "over $name" --disk xvda=qcow2:"$name" "$image"
        "$XBDSNAP" replay --write --undo undo --disk xvda=qcow2:"$name" "$image"
        "$XBDSNAP" replay --revert undo
        cp "./$name" plain
        qemu-img compare -q -f qcow2 -F raw plain "$before"
        rm "./$name" undo "over $name"
        n=$((n + 1))
    done
    [ $n -eq $(((8 + ${SAMPLE:-1} - 1) / ${SAMPLE:-1})) ]
}

# bats test_tags=long
@test "a checkpoint that was cut off writes nothing" {
    image linux-6.1-flush
    size=$(stat -c %s "$image")
    for part in 1 50 90 99; do
        head -c $((size * part / 100)) "$image" >cut
        run -5 write cut
        untouched
        run -5 write --allow=findings --allow=hole cut
        untouched
    done
}

# bats test_tags=long
@test "an overlay takes the writes, and the disk stays as it is" {
    image linux-6.1-flush
    qemu-img convert -f raw -O qcow2 disk image
    over() { "$XBDSNAP" replay --write --to over "$@"; }
    run --separate-stderr over -J --disk xvda=disk "$image"
    [ "$status" -eq 0 ]
    echo "$output" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    [ "$(jq -c '[.applied.path, .applied.undo, .applied.writes]' j)" = '["over",null,4]' ]
    cmp disk "$before"
    qemu-img compare -q -f qcow2 -F raw over "$after"
    run -3 over --disk xvda=disk "$image"
    [[ $output == *"over exists"* ]]
    qemu-img compare -q -f qcow2 -F raw over "$after"
    rm over
    over --disk xvda=qcow2:image "$image"
    qemu-img compare -q -f qcow2 -F raw image "$before"
    qemu-img compare -q -f qcow2 -F raw over "$after"
    rm over
    # A refusal leaves no overlay.
    truncate -s +1M disk
    run -3 over --disk xvda=disk "$image"
    [[ $output == *"--allow=capacity"* ]]
    [ ! -e over ]
    mkdir empty
    truncate -s -1M disk
    PATH=$PWD/empty run -6 over --disk xvda=disk "$image"
    [[ $output == *"cannot run qemu-img"* ]]
    [ ! -e over ]
}

# bats test_tags=long
@test "long work tells its progress on a terminal, and there alone" {
    image linux-6.1-flush
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    slow() { # slow MS ARG...: on a terminal
        ms=$1
        shift
        script -qec "LD_PRELOAD=$PWD/shim.so KILLSHIM_AT=$ms KILLSHIM_HOW=slow $SRCDIR/xbdsnap replay $*" /dev/null
    }
    slow 200 --write --undo undo --disk xvda=disk "$image" >talk
    cmp disk "$after"
    grep -q $'\r100 % of 56 KiB saved' talk
    grep -q $'\r.* % of 56 KiB written' talk
    ! grep -q compared talk # it was not long
    # The line ends before the words that follow.
    grep -q '^xbdsnap: disk: 4 writes' talk
    slow 300 --revert undo >talk
    cmp disk "$before"
    grep -q $'\r100 % of 56 KiB restored' talk
    rm undo
    [ -z "$(slow 100 -q --write --undo undo --disk xvda=disk "$image")" ]
    slow 0 --revert undo >talk
    ! grep -q % talk
    rm undo
    LD_PRELOAD=$PWD/shim.so KILLSHIM_AT=100 KILLSHIM_HOW=slow "$SRCDIR/xbdsnap" replay \
        --write --undo undo --disk xvda=disk "$image" >out 2>talk
    ! grep -q % out talk
}

# bats test_tags=long
@test "wrong options are usage errors" {
    image linux-6.1-flush
    run -2 "$XBDSNAP" replay --write --disk xvda=disk "$image"
    run -2 "$XBDSNAP" replay --undo undo --disk xvda=disk "$image"
    run -2 "$XBDSNAP" replay --write --undo undo "$image"
    run -2 "$XBDSNAP" replay --discard "$image"
    run -2 "$XBDSNAP" replay --to over --disk xvda=disk "$image"
    run -2 write --to over "$image"
    [ ! -e over ]
    run -2 write --allow=everything "$image"
    run -2 "$XBDSNAP" replay --allow=hole "$image"
    run -2 "$XBDSNAP" replay --revert undo "$image"
    untouched
}

@test "every failing call leaves the disk as it was, or revert does; so does SIGKILL" {
    image linux-6.1-flush
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    kill="python3 $SRCDIR/tests/tools/kill_replay.py $SRCDIR/xbdsnap $PWD/shim.so"
    mkdir flush discard queues
    (cd flush && exec $kill "$image" 50 enospc,eio,eintr,zero,short,int "xvda=$before=$after") 3>&- &
    flush=$!
    image linux-6.12-discard
    (cd discard && exec $kill "$image" 0 eio,int/5 "xvda=$before=$after") 3>&- &
    discard=$!
    image linux-6.1-mq
    (cd queues && exec $kill "$image" 200 none "xvda=$before=$after")
    wait $flush
    wait $discard
}

two_disks() { # of the original driver's image, both with writes: hda1, hda2, and how they will be
    image=${XBDSNAP_CACHE:-/nonexistent}/xen2-netbsd/image.save
    [ -e "$image" ] || skip "no checkpoints"
    truncate -s 1G hda1
    truncate -s 32M hda2
    for vdev in hda1 hda2; do
        cp --sparse=always $vdev $vdev.before
        cp --sparse=always $vdev $vdev.after
        "$XBDSNAP" replay -q --write --undo one --disk $vdev=$vdev.after "$image"
        rm one
        run ! cmp -s $vdev.before $vdev.after
    done
}

both() { # both ARG...: replay --write on both
    "$XBDSNAP" replay --write --undo undo --disk hda1=hda1 --disk hda2=hda2 "$@" "$image"
}

same() { qemu-img compare -q -f raw -F raw "$1" "$2"; } # which passes over holes

are() { # are STATE: both disks are before, or after
    for vdev in hda1 hda2; do
        same $vdev $vdev."$1" || return 1
    done
}

# bats test_tags=long
@test "two disks in one run, with one undo file: as two runs would, and back" {
    two_disks
    run -0 both
    [[ $output == *"hda1: 9 writes and 0 discards"*"hda2: 15 writes and 0 discards"* ]]
    [[ $output == *"replay --revert=undo undoes them"* ]]
    are after
    run -0 "$XBDSNAP" replay --revert undo
    are before
    [[ $output == *"486400 bytes restored and read back"* ]]
    # Once more, and after half of it, it is the same.
    "$XBDSNAP" replay --revert undo
    rm undo
    both
    cp --sparse=always hda1.before hda1
    "$XBDSNAP" replay --revert undo
    are before
    rm undo
    run -0 --separate-stderr both -J
    echo "$output" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    [ "$(jq -c '.applied | [.path, .undo, .writes, .bytes]' j)" = '[null,"undo",24,486400]' ]
    [ "$(jq -c '[.applied.disks[] | [.device, .path, .writes]]' j)" = \
        '[["hda1","hda1",9],["hda2","hda2",15]]' ]
    rm undo
    # A device without a disk is named.
    cp --sparse=always hda2.before hda2
    cp --sparse=always hda1.before hda1
    run -0 "$XBDSNAP" replay --write --undo undo --disk hda1=hda1 "$image"
    [[ $output == *"hda2: 15 requests not carried out: no --disk is given for it"* ]]
    same hda1 hda1.after
    same hda2 hda2.before
}

@test "what refuses on the second of two disks leaves both as they are, without an undo file" {
    two_disks
    truncate -s +1M hda2
    run -3 both
    [[ $output == *"hda2 has "*"--allow=capacity"* ]]
    truncate -s -1M hda2
    exec 4<>hda2
    run -3 both
    [[ $output == *"another process has it open for writing"* ]]
    exec 4>&-
    run -2 "$XBDSNAP" replay --write --undo undo --disk hda1=hda1 --disk hda2=hda1 "$image"
    [[ $output == *"hda1 is given for hda1 and for hda2"* ]]
    run -2 "$XBDSNAP" replay --write --undo undo --disk hda1=hda1 --disk hda1=hda2 "$image"
    run -2 "$XBDSNAP" replay --write --to over --disk hda1=hda1 --disk hda2=hda2 "$image"
    [ ! -e undo ] && [ ! -e over ]
    are before
}

@test "revert refuses while one of the disks is not what it was, and takes other names for them" {
    two_disks
    both
    # Written since.
    at=$("$XBDSNAP" replay -J "$image" | jq '[.plan[] | select(.device == "hda2" and .op == "write")][0].sector')
    printf 'newer' | dd of=hda2 bs=1 seek=$((at * 512 + 7)) conv=notrunc status=none
    run -3 "$XBDSNAP" replay --revert undo
    [[ $output == *"sector $at of"*"hda2 holds neither"* ]]
    same hda1 hda1.after
    "$XBDSNAP" replay --revert undo --allow=changed
    are before
    rm undo
    both
    mv hda2 elsewhere
    run -6 "$XBDSNAP" replay --revert undo
    same hda1 hda1.after
    run -2 "$XBDSNAP" replay --revert undo --disk hdb=elsewhere
    run -2 "$XBDSNAP" replay --revert undo --disk hda2=elsewhere --disk hda2=elsewhere
    run -3 "$XBDSNAP" replay --revert undo --disk hda2=hda1
    same hda1 hda1.after
    "$XBDSNAP" replay --revert undo --disk hda2=elsewhere
    mv elsewhere hda2
    are before
}

# bats test_tags=long
@test "an undo file of several disks that is damaged or forged changes nothing" {
    two_disks
    both
    python3 - <<'EOF'
import random, struct
raw = open("undo", "rb").read()
def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
def several(nr):
    head = b"XBUNDO2\n" + struct.pack("<I", nr)
    return head + struct.pack("<I", crc32c(head))
assert raw.startswith(several(2))
second = raw.index(b"XBUNDO1\n", 17)
forged = [several(n) + raw[16:] for n in (0, 1, 3, 2 ** 32 - 1)] + [several(2) + raw, raw[:second],
          raw + raw[16:second], several(2) + raw[16:second] + raw]
rng = random.Random(4)
for _ in range(30):
    at = rng.choice([rng.randrange(len(raw)), rng.randrange(100), second + rng.randrange(100)])
    forged.append(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:])
for i, data in enumerate(forged):
    open(f"bad.{i}", "wb").write(data)
# The same disk twice.
open("twice", "wb").write(several(2) + raw[16:second] * 2)
# One of the two alone is a file of one disk, and has been one before there were others.
open("one", "wb").write(raw[second:])
EOF
    for f in $(printf '%s\n' bad.* | "$SRCDIR/tests/tools/sample.sh"); do
        run -5 "$XBDSNAP" replay --revert "$f"
    done
    run -3 "$XBDSNAP" replay --revert twice
    are after
    "$XBDSNAP" replay --revert one
    same hda1 hda1.after
    same hda2 hda2.before
    "$XBDSNAP" replay --revert undo
    are before
}

@test "two disks: every failing call leaves both as they were, or revert does; so does SIGKILL" {
    two_disks
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o shim.so "$SRCDIR/tests/tools/killshim.c"
    kill="python3 $SRCDIR/tests/tools/kill_replay.py $SRCDIR/xbdsnap $PWD/shim.so $image"
    disks="hda1=$PWD/hda1.before=$PWD/hda1.after hda2=$PWD/hda2.before=$PWD/hda2.after"
    mkdir fail killed
    (cd fail && exec $kill 0 eio/3,enospc/7,int/7 $disks) 3>&- &
    fail=$!
    (cd killed && exec $kill 120 none $disks)
    wait $fail
}
