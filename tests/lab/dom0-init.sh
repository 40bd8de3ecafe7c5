#!/bin/sh
# The first process of the lab's dom0 (busybox): start what Xen's toolstack needs, run the cycle,
# hand all of /out to the host as a tar archive on /dev/vda, power off.
# shellcheck source=/dev/null
export PATH=/bin:/sbin:/usr/bin:/lab/xen
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /out /run/xen /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs -o size=95% out /out
mount -t tracefs trace /sys/kernel/tracing
exec </dev/hvc0 >/dev/hvc0 2>&1

log() { echo "[lab $(cut -d' ' -f1 /proc/uptime)] $*"; }

log "dom0 is up"
while read -r module; do
    insmod "/lab/modules/$module" || log "insmod $module failed"
done </lab/modules/ORDER
mount -t xenfs xenfs /proc/xen
xenstored --pid-file=/run/xen/xenstored.pid
tries=0
until xenstore-read -s / >/dev/null 2>&1 || [ $tries -gt 50 ]; do
    sleep 0.2
    tries=$((tries + 1))
done
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/run/xen/xenconsoled.pid
log "daemons are up"

. /lab/vars
. /lab/cycle.sh
. /lab/kills.sh
if cycle; then log "CYCLE OK"; else log "CYCLE FAILED"; fi

mkdir -p /out/logs
cp /var/log/xen/*.log /var/log/xen/console/*.log /out/logs/ 2>/dev/null
dmesg >/out/logs/dom0-dmesg.txt
xl dmesg >/out/logs/xl-dmesg.txt
tar -c -C /out . >/dev/vda && sync
log "BYE"
echo o >/proc/sysrq-trigger
sleep 10
