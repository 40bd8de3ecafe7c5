#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What drgn finds in an exported core, against what xbdsnap finds in the checkpoint.

core_in_drgn.py CORE VMLINUX DUMP: VMLINUX has the debugging symbols of the guest's kernel (Debian:
linux-image-...-dbg), DUMP is `xbdsnap dump --who -J` of the checkpoint. Compared are the release, the
tasks that asked for requests, and the requests that xen-blkfront's disks have in flight, as the block
layer's tags have them.
"""
import json
import sys

import drgn
from drgn.helpers.linux.block import disk_name, for_each_disk
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.xarray import xa_for_each

program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
with open(sys.argv[3]) as f:
    dump = json.load(f)


def must(what, got, want):
    if got != want:
        sys.exit(f"{what}: drgn {got}, xbdsnap {want}")
    print(f"{what}: {got if len(str(got)) < 60 else len(got)}")


def in_flight(disk):
    """{address of the struct request: (sector, bytes)}"""
    found = {}
    for _, entry in xa_for_each(disk.queue.hctx_table.address_of_()):
        hctx = drgn.cast("struct blk_mq_hw_ctx *", entry)
        for tags in (hctx.tags, hctx.sched_tags):
            for i in range(tags.nr_tags.value_() if tags else 0):
                rq = tags.static_rqs[i]
                if rq and rq.ref.counter:
                    found[rq.value_()] = rq.member_("__sector").value_(), rq.member_("__data_len").value_()
    return found


must("release", program["init_uts_ns"].name.release.string_().decode(), dump["guest"]["release"])
tasks = {t.pid.value_(): t.comm.string_().decode() for t in for_each_task(program)}
asked = {w["process"]["pid"]: w["process"]["comm"] for d in dump["devices"] for r in d["requests"]
         for w in r["who"] if w["process"]}
must("tasks that asked", {p: tasks.get(p) for p in asked}, asked)
print(f"tasks: {len(tasks)}")
disks = {disk_name(d).decode(): d for d in for_each_disk(program)}
for device in dump["devices"]:
    want = {int(r["request"], 16): (r["sector"], r["nr_sectors"] * 512)
            for r in device["requests"] + device["queued"] if r["op"] != "flush"}
    got = in_flight(disks[device["vdev"]])
    must(f"requests of {device['vdev']}", {k: got.get(k) for k in want}, want)
