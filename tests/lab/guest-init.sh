#!/bin/sh
# The first process of a guest of the lab (busybox): load the block frontend, wait for "go" on the
# console, keep the plans' requests in flight, and stay. lab/vars: FRONTEND (module parameters),
# BUSY (read and write the first disk until "calm"), DISKS (letters), PLANS (letters of the disks that
# have a plan), FS (what disks hold: "b=ext4").
# shellcheck source=/dev/null disable=SC2086
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec </dev/hvc0 >/dev/hvc0 2>&1
stty -echo -onlcr
. /lab/vars

load() { # load FOLDER: its modules, in order
    while read -r module; do
        parameters=
        [ "$module" = xen-blkfront.ko ] && parameters=$FRONTEND
        insmod "$1/$module" $parameters || echo "insmod $module failed"
    done <"$1/ORDER"
}

# Twice as much as the group may keep in memory; the rest goes to the swap area.
swap_under_pressure() {
    swapon "$1"
    mkdir -p /mnt/memory
    mount -t tmpfs memory /mnt/memory
    echo +memory >/group/cgroup.subtree_control
    mkdir /group/small
    echo 4M >/group/small/memory.max
    sh -c 'echo $$ >/group/small/cgroup.procs; dd if=/dev/zero of=/mnt/memory/fill bs=64k count=128'
    grep . /proc/swaps
}

# What the kernel writes of its own accord would come between; write-back is started by guestio.
use() { # use LETTER KIND
    case $2 in
    swap) swap_under_pressure "/dev/xvd$1" ;;
    *-mirror | *-stripe)
        export MDADM_NO_UDEV=1 "START_xvd$1=2048"
        if [ "${2%-mirror}" != "$2" ]; then
            /sbin/mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 --bitmap=none \
                --data-offset=1024 missing "/dev/xvd$1"
        else
            /sbin/mdadm --create /dev/md0 --run --level=0 --raid-devices=1 --force --metadata=1.2 --chunk=64 \
                --data-offset=1024 "/dev/xvd$1"
        fi
        # Its superblock is written once, not whenever writes begin.
        echo 0 >/sys/block/md0/md/safe_mode_delay
        /sbin/mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/md0
        mkdir -p "/mnt/xvd$1"
        mount -t ext4 -o noatime,commit=300 /dev/md0 "/mnt/xvd$1" || echo "mount failed"
        ;;
    *-loop)
        mkdir -p "/mnt/below$1" "/mnt/xvd$1"
        mount -t ext4 -o noatime,commit=300 "/dev/xvd$1" "/mnt/below$1" || echo "mount failed"
        dd if=/dev/zero "of=/mnt/below$1/disk" bs=1M count=20
        sync
        /sbin/losetup --direct-io=on -o 1048576 /dev/loop0 "/mnt/below$1/disk"
        grep . /sys/block/loop0/loop/*
        export "BELOW_xvd$1=2048:/mnt/below$1/disk"
        /sbin/mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/loop0
        mount -t ext4 -o noatime,commit=300 /dev/loop0 "/mnt/xvd$1" || echo "mount failed"
        ;;
    *-cached)
        mkdir -p "/mnt/xvd$1"
        mount -t ext4 -o noatime,commit=300 "/dev/xvd$1" "/mnt/xvd$1" || echo "mount failed"
        dd if=/dev/zero "of=/mnt/xvd$1/1" bs=512 count=2048
        /sbin/losetup -o 32768 /dev/loop1 "/mnt/xvd$1/1"
        ;;
    *-volume | *-crypt)
        mkdir -p "/mnt/xvd$1"
        export DM_DISABLE_UDEV=1 "START_xvd$1=2048"
        sectors=$(cat "/sys/block/xvd$1/size") below=/dev/xvd$1
        if [ "${2%-crypt}" != "$2" ]; then
            key=$(printf '%064d' 18)
            /sbin/dmsetup create secret --table "0 $sectors crypt aes-xts-plain64 $key 0 $below 0"
            below=/dev/mapper/secret
        fi
        /sbin/dmsetup create vg-root --table "0 $((sectors - 2048)) linear $below 2048"
        [ "${2%-crypt}" = "$2" ] || /sbin/mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/vg-root
        mount -t ext4 -o noatime,commit=300 /dev/mapper/vg-root "/mnt/xvd$1" || echo "mount failed"
        ;;
    *)
        mkdir -p "/mnt/xvd$1"
        options=noatime device=/dev/xvd$1
        [ "$2" = "${2%-partition}" ] || device=${device}1
        [ "${2%-partition}" = ext4 ] && options=$options,commit=300
        [ "$2" = btrfs ] && options=$options,commit=300,nodatacow
        mount -t "${2%-partition}" -o "$options" "$device" "/mnt/xvd$1" || echo "mount failed"
        [ "$2" = xfs ] && echo 720000 >/proc/sys/fs/xfs/xfssyncd_centisecs
        ;;
    esac
}

load /lab/modules
load /lab/fs
mkdir -p /group
mount -t cgroup2 group /group
mkdir /group/asking
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
echo 1 >/proc/sys/kernel/sysrq

args=
for letter in $DISKS; do
    tries=0
    while [ ! -b "/dev/xvd$letter" ] && [ $tries -lt 200 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    # Write-back throttling makes a task wait where the freezer cannot stop it.
    echo 0 >"/sys/block/xvd$letter/queue/wbt_lat_usec"
    grep . "/sys/block/xvd$letter/queue/nr_requests" "/sys/block/xvd$letter/queue/max_segments"
    case " $PLANS " in *" $letter "*) args="$args /dev/xvd$letter /lab/plan.$letter" ;; esac
done
grep . /sys/module/xen_blkfront/parameters/*
for pair in $FS; do use "${pair%%=*}" "${pair#*=}"; done
/lab/guestio prepare $args

# Its first disk keeps what is written to it and gives it back.
disk_answers() {
    printf '%-4096s' "$1" >/word
    dd if=/word of=/dev/xvda bs=4k seek=3900 conv=notrunc oflag=direct 2>/dev/null
    dd if=/dev/xvda bs=4k skip=3900 count=1 iflag=direct 2>/dev/null | cmp -s - /word
}

# What dom0 says, until it says "go".
answer() {
    while read -r word number; do
        case $word in
        ping) disk_answers "$number" && echo "PONG $number." ;;
        calm)
            touch /stop
            wait $! && echo CALM
            ;;
        go)
            echo "GO go"
            break
            ;;
        esac
    done
}

[ -z "$BUSY" ] || /lab/guestio busy /dev/xvda &
echo "READY $(uname -r)"
answer
echo $$ >/group/asking/cgroup.procs
/lab/guestio run $args
status=$?
for pair in $FS; do
    letter=${pair%%=*}
    case $pair in
    *=swap) continue ;;
    *-cached) /sbin/losetup -d /dev/loop1 ;;
    esac
    umount "/mnt/xvd$letter" || status=1
    case $pair in *-loop) /sbin/losetup -d /dev/loop0 && umount "/mnt/below$letter" || status=1 ;; esac
done
echo "DONE status $status"
while :; do sleep 1000; done
