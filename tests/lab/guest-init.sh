#!/bin/sh
# The first process of a guest of the lab (busybox): load the block frontend, wait for "go" on the
# console, keep the plans' requests in flight, and stay. lab/vars: FRONTEND (module parameters),
# DISKS (letters), PLANS (letters of the disks that have a plan).
# shellcheck source=/dev/null disable=SC2086
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec </dev/hvc0 >/dev/hvc0 2>&1
stty -echo -onlcr
. /lab/vars

while read -r module; do
    parameters=
    [ "$module" = xen-blkfront.ko ] && parameters=$FRONTEND
    insmod "/lab/modules/$module" $parameters || echo "insmod $module failed"
done </lab/modules/ORDER

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
echo "READY $(uname -r)"
read -r go
echo "GO $go"
/lab/guestio $args
echo "DONE status $?"
while :; do sleep 1000; done
