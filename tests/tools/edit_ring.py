#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make of a checkpoint of a 64-bit guest with Linux 6.1 one whose blkfront is not as it should be.

edit_ring.py IN OUT HOW RING: RING is the address of a struct blkfront_ring_info, as dump -J has it.

  unlist      take its device off the driver's list info_list, as list_del() does
  unbind      of its device's place on the guest's bus: no driver has it
  cut-list    the list goes on, behind its device, where nothing is mapped
  back        its dev_info points beside its device
  shape       the device's rinfo_size is 8 more
  published   the shared ring has published one request less than the driver made
  restart     the request of a pending slot was started later: another one, where it was
  held        no request is in the ring: they all wait in the guest's queue
  slot        a pending slot of its shadow names another sector than the request in the shared ring

Offsets are those of struct blkfront_info and its friends in Linux 6.1, by pahole.
"""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from second_reader import Reader  # noqa: E402

XBDEV, RINFO_SIZE, INFO_LIST = 32, 292, 328  # of struct blkfront_info
PVT, CONS, ENTRIES, SRING = 8, 12, 16, 24  # of struct blkfront_ring_info
FREE, DEV_INFO, SHADOW = 208, 216, 224
SLOT, ID, SECTOR, REQUEST = 160, 8, 16, 112  # struct blk_shadow
RSP_PROD = 8  # of struct blkif_sring
START_TIME = 104  # of struct request: start_time_ns
FRAME = ((1 << 52) - 1) & ~4095


class Guest:
    """Its memory by virtual address, through the page tables in the checkpoint."""

    def __init__(self, path):
        self.raw = bytearray(open(path, "rb").read())
        self.reader = Reader(bytes(self.raw))
        self.reader.start()
        self.root = self.reader.out["vcpus"][0]

    def page_at(self, pfn):
        return self.reader.pages.at[pfn][1]

    def off(self, va):
        """Offset in the file."""
        table = self.root
        for shift in (39, 30, 21, 12):
            entry, = struct.unpack_from("<Q", self.raw, self.page_at(table) + 8 * (va >> shift & 511))
            assert entry & 1, "0x%x is not mapped" % va
            table = (entry & FRAME) >> 12
            if entry & 128 and shift in (30, 21):
                return self.page_at(table + (va >> 12 & (1 << shift - 12) - 1)) + va % 4096
        return self.page_at(table) + va % 4096

    def get(self, va, fmt="<Q"):
        return struct.unpack_from(fmt, self.raw, self.off(va))[0]

    def put(self, va, value, fmt="<Q"):
        struct.pack_into(fmt, self.raw, self.off(va), value)


def used_slot(g, ring):
    """The newest request in the shared ring that the shadow still has: its slot."""
    pvt, entries = g.get(ring + PVT, "<I"), g.get(ring + ENTRIES, "<I")
    sring = g.get(ring + SRING)
    for index in range(pvt - 1, pvt - entries, -1):
        slot = g.get(sring + 64 + 112 * (index % entries) + 8)
        if slot < entries and g.get(ring + SHADOW + SLOT * slot + REQUEST):
            return slot
    raise SystemExit("no request is pending")


def hold_back(g, ring):
    """Nothing is on the way: the indices are equal and the slots are in the list of free ones."""
    made = g.get(ring + PVT, "<I")
    g.put(ring + CONS, made, "<I")
    for at in (0, RSP_PROD):
        g.put(g.get(ring + SRING) + at, made, "<I")
    for i in range(g.get(ring + ENTRIES, "<I")):
        slot = ring + SHADOW + SLOT * i
        if g.get(slot + REQUEST):
            g.put(slot + REQUEST, 0)
            g.put(slot + ID, g.get(ring + FREE))
            g.put(ring + FREE, i)


def edit(g, how, ring):
    info = g.get(ring + DEV_INFO)
    node = info + INFO_LIST
    if how == "unlist":
        after, before = g.get(node), g.get(node + 8)
        g.put(before, after)
        g.put(after + 8, before)
    elif how == "cut-list":
        g.put(node, 0xffffdead00000000)
    elif how == "unbind":
        # struct xenbus_device.dev.driver_data is the one word of it that points to the device.
        xbdev = g.get(info + XBDEV)
        at, = [xbdev + k for k in range(0, 1024, 8) if g.get(xbdev + k) == info]
        g.put(at, 0)
    elif how == "back":
        g.put(ring + DEV_INFO, info + 8)
    elif how == "shape":
        g.put(info + RINFO_SIZE, g.get(info + RINFO_SIZE, "<I") + 8, "<I")
    elif how == "published":
        sring = g.get(ring + SRING)
        g.put(sring, g.get(sring, "<I") - 1, "<I")
    elif how == "restart":
        request = g.get(ring + SHADOW + SLOT * used_slot(g, ring) + REQUEST)
        g.put(request + START_TIME, g.get(request + START_TIME) + 1000000)
    elif how == "held":
        hold_back(g, ring)
    elif how == "slot":
        at = ring + SHADOW + SLOT * used_slot(g, ring) + SECTOR
        g.put(at, g.get(at) + 8)
    else:
        raise SystemExit(__doc__)


guest = Guest(sys.argv[1])
edit(guest, sys.argv[3], int(sys.argv[4], 0))
open(sys.argv[2], "wb").write(guest.raw)
