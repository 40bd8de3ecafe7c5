#!/bin/sh
# The hotplug script of the lab's disks: a block device as the target, no bash, no udev. What
# stands in /lab/backend.VDEV lowers what the backend offers (its keys are in xenstore by now, and
# the frontend reads them later).
export PATH=/bin:/sbin:/usr/bin
[ "$1" = add ] || exit 0
device=$(readlink -f "$(xenstore-read "$XENBUS_PATH/params")")
vdev=$(xenstore-read "$XENBUS_PATH/dev")
if [ -f "/lab/backend.$vdev" ]; then
    while read -r key value; do
        xenstore-write "$XENBUS_PATH/$key" "$value"
    done <"/lab/backend.$vdev"
fi
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c %t:%T "$device")"
xenstore-write "$XENBUS_PATH/physical-device-path" "$device"
xenstore-write "$XENBUS_PATH/hotplug-status" connected
