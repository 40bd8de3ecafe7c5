#!/usr/bin/env bats
# What is no saved Xen guest is called by its name: disks, the state of other programs, folders,
# pipes.

setup() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR"
    PATH=$PATH:/sbin:/usr/sbin
}

at() { # at FILE OFFSET BYTES(printf): in a file of zeros
    [ -e "$1" ] || truncate -s 2M "$1"
    # shellcheck disable=SC2059
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

named() { # named STATUS WORDS FILE: by every command that opens one
    for c in info dump validate replay "extract --page 0" "redact"; do
        # shellcheck disable=SC2086
        run -"$1" --separate-stderr "$XBDSNAP" $c "$3" $([ "$c" != redact ] || echo out)
        [ -z "$output" ]
        [[ $stderr == "xbdsnap: $3: $2"* ]]
    done
    [ ! -e out ]
}

# bats test_tags=long
@test "disk images of every format are named, and --disk is what takes them" {
    for f in qcow2 vpc vhdx vmdk vdi; do
        qemu-img create -q -f "$f" "image.$f" 8M
    done
    qemu-img create -q -f vpc -o subformat=fixed fixed.vpc 8M
    qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 8M
    hint="; validate and replay take a disk: --disk=VDEV=[FORMAT:]PATH"
    for f in qcow2 vhdx vmdk vdi; do
        named 5 "not a checkpoint, but a disk image ($f)$hint" "image.$f"
    done
    named 5 "not a checkpoint, but a disk image (vhd)$hint" image.vpc
    named 5 "not a checkpoint, but a disk image (vhd)$hint" fixed.vpc
    named 5 "not a checkpoint, but a disk image (vmdk)$hint" flat.vmdk
    gzip -k image.qcow2
    named 5 "not a checkpoint, but a disk image (qcow2)$hint" image.qcow2.gz
    # A descriptor without data is no raw disk to those who take one, either.
    run -4 "$XBDSNAP" validate --disk xvda=flat.vmdk \
        "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
    [[ $output == *"flat.vmdk looks like vmdk"* ]]
}

# bats test_tags=long
@test "raw disks are named by what they hold" {
    truncate -s 4M ext4
    mkfs.ext4 -q ext4
    named 5 "not a checkpoint, but a raw disk (ext file system)" ext4
    truncate -s 4M swap
    mkswap swap
    named 5 "not a checkpoint, but a raw disk (swap space)" swap
    at gpt 512 'EFI PART'
    named 5 "not a checkpoint, but a raw disk (GPT partition table)" gpt
    at mbr 510 '\125\252'
    named 5 "not a checkpoint: no known format" mbr
    at mbr 446 '\200\0\2\0\203\0\0\0\001\0\0\0\0\020\0\0'
    named 5 "not a checkpoint, but a raw disk (MBR partition table)" mbr
    at xfs 0 XFSB
    named 5 "not a checkpoint, but a raw disk (XFS file system)" xfs
    at btrfs 65600 _BHRfS_M
    named 5 "not a checkpoint, but a raw disk (btrfs file system)" btrfs
    at lvm 512 LABELONE
    named 5 "not a checkpoint, but a raw disk (LVM physical volume)" lvm
    at luks 0 'LUKS\272\276'
    named 5 "not a checkpoint, but a raw disk (LUKS volume)" luks
    at ffs 9564 '\124\031\001\0'
    named 5 "not a checkpoint, but a raw disk (FFS file system)" ffs
    at md 4096 '\374\116\053\251\001\0\0\0'
    named 5 "not a checkpoint, but a raw disk (member of a Linux RAID)" md
    # Half an ext superblock is none, and a short file is read no further than it goes.
    at half 1080 '\123\357'
    at half 1048 '\377'
    named 5 "not a checkpoint: no known format" half
    head -c 1082 ext4 >short
    named 5 "not a checkpoint" short
}

# bats test_tags=long
@test "the state of other programs is named" {
    at qemu 0 'QEVM\0\0\0\003\007\0\0\0\015pc-i440fx-7.2\001\0\0\0\002\003ram\0\0\0\0'
    named 4 "QEMU migration stream (a KVM or emulated guest): not of Xen" qemu
    at devices 0 'QEVM\0\0\0\003\004\0\0\0\0\005timer'
    named 4 "QEMU device state without memory (QEVM): not of Xen" devices
    at libvirt 0 LibvirtQemudSave
    named 4 "libvirt save image of a QEMU or KVM guest: not of Xen" libvirt
    at criu 0 '\031\103\126\124\026\061\061\130'
    named 4 "CRIU image (of processes): not of Xen" criu
    at vbox 0 '\177VirtualBox SavedState V2.0\n'
    named 4 "VirtualBox saved state: not of Xen" vbox
    at vmss 0 '\320\276\322\276\010\0\0\0'
    named 4 "VMware suspended state or snapshot (.vmss, .vmsn): not of Xen" vmss
    at vmrs 0 '\024\040\050\001'
    named 4 "Hyper-V saved state (.vmrs) or configuration (.vmcx): not of Xen" vmrs
    at windows 0 PAGEDU64
    named 4 "Windows crash dump: not of Xen" windows
    at lime 0 EMiL
    named 4 "LiME memory dump: not of Xen" lime
    python3 -c 'import sys; sys.stdout.buffer.write(b"\x53\xff\x00\xf0" * 256 + bytes(2 << 20))' >vmem
    named 4 "raw image of a machine's memory (VMware .vmem or the like): not of Xen" vmem
}

@test "a folder is called one, and what it may be" {
    mkdir folder images
    run -6 "$XBDSNAP" info folder
    [ "$output" = "xbdsnap: cannot read 'folder': Is a directory" ]
    touch images/inventory.img
    run -4 "$XBDSNAP" info images
    [[ $output == *"'images' is a folder, it looks like the images of CRIU (of processes)"* ]]
}

# bats test_tags=long
@test "a pipe without a writer does not hang, one whose writer comes late is read" {
    mkfifo pipe
    run -6 timeout 20 "$XBDSNAP" info pipe
    [ "$output" = "xbdsnap: 'pipe' is a pipe that nothing writes to" ]
    (sleep 0.3 && cat "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst" >pipe) &
    run -0 timeout 20 "$XBDSNAP" dump -o SLOT pipe
    [ "${#lines[@]}" -eq 21 ]
    wait
    # The writer is there, but slow.
    (exec >pipe && sleep 2.5 && cat "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst") &
    run -0 timeout 20 "$XBDSNAP" dump -o SLOT pipe
    [ "${#lines[@]}" -eq 21 ]
    wait
}
