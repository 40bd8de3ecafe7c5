#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mkxen2linux.py OUT.save OUT.json [--elf OUT.elf] [--with FAULT] [--requests N] [--seed N]
            [--no-data]

Write a checkpoint of Xen 2.0 with a small Linux guest, whose block driver (rec_ring of 2.4 and 2.6) is
played here: requests are logged when they are made, answered and consumed in any order.

FAULT: full (all 64 slots in use), idle, probe, answers (some wait in the ring), cycle (the free list
runs in a circle), recovery, noring (the shared page is not in the checkpoint).
"""
import argparse
import json
import random
import struct

import mkxen2
from mkxen2 import NPFN, PAGE, PROBE, READ, WRITE

BASE, NIL = 0xC0000000, 0x0FFFFFFF
REC_RING, STATICS, RING, P2M, FIRST_DATA = BASE + 120 * PAGE + 0x5C4, BASE + 118 * PAGE, 300, 310, 400
SLOT, HDA1, HDC, SDB2 = 60, 3 << 8 | 1, 22 << 8, 8 << 8 | 18


class Guest(mkxen2.Guest):
    def __init__(self, rnd):
        super().__init__(rnd)
        self.map = {BASE + pfn * PAGE: pfn for pfn in range(NPFN)}
        self.rnd = rnd


class Driver:
    def __init__(self, g, rnd):
        self.g, self.rnd = g, rnd
        self.p2m_va = BASE + P2M * PAGE
        self.log = [dict(op=0, device=0, sector=0, id=i + 1 if i < 63 else NIL, segs=[])
                    for i in range(64)]
        self.free, self.next = 0, FIRST_DATA
        self.ring = [bytearray(SLOT) for _ in range(64)]
        self.req_prod = self.resp_prod = self.resp_cons = 0
        self.where = {}  # of a slot's request in the ring

    def submit(self, op, device, sector, segs):
        slot = self.free
        rec = self.log[slot]
        self.free = rec["id"]
        rec.update(op=op, device=device, sector=sector, segs=segs,
                   id=BASE + 0x200000 + 128 * slot)
        entry = self.ring[self.req_prod % 64]
        struct.pack_into("<BBHIQ", entry, 0, op, len(segs), device, slot, sector)
        for i, (pfn, first, last) in enumerate(segs):
            struct.pack_into("<I", entry, 16 + 4 * i, self.g.p2m[pfn] << 12 | first << 3 | last)
        self.where[slot] = self.req_prod
        self.req_prod += 1

    def make(self):
        segs = []
        for _ in range(self.rnd.randrange(1, 12)):
            first = self.rnd.randrange(8)
            segs.append((self.next, first, self.rnd.randrange(first, 8)))
            self.next = FIRST_DATA + (self.next + 1 - FIRST_DATA) % (NPFN - FIRST_DATA)
        self.submit(self.rnd.choice((READ, WRITE)), self.rnd.choice((HDA1, HDC, SDB2)),
                    200 * self.req_prod, segs)

    def answer(self, slot):
        struct.pack_into("<IBh", self.ring[self.resp_prod % 64], 0, slot, self.log[slot]["op"], 0)
        self.resp_prod += 1

    def consume(self):
        while self.resp_cons != self.resp_prod:
            slot, = struct.unpack_from("<I", self.ring[self.resp_cons % 64])
            self.log[slot]["id"], self.free = self.free, slot
            del self.where[slot]
            self.resp_cons += 1

    def used(self):
        return [i for i in range(64) if self.log[i]["id"] >= BASE]

    def layout(self, recovering, data=True):
        g = self.g
        for i, r in enumerate(self.log):
            words = [pfn << 12 | first << 3 | last for pfn, first, last in r["segs"]]
            words += [0] * (11 - len(words))
            g.write(REC_RING + SLOT * i, struct.pack("<BBHIQ11I", r["op"], len(r["segs"]), r["device"],
                                                     r["id"], r["sector"], *words))
        g.write(BASE + RING * PAGE, struct.pack("<II", self.req_prod, self.resp_prod) +
                b"".join(self.ring))
        for i, value in enumerate((self.free, BASE + RING * PAGE, self.req_prod, self.resp_cons,
                                   recovering)):
            g.w32(STATICS + 4 * i, value)
        for i, mfn in enumerate(g.p2m):
            g.w32(self.p2m_va + 4 * i, mfn)
        for pfn in range(FIRST_DATA, NPFN if data else 0):
            g.pages[pfn][:] = bytes((pfn * 31 + j * 7) & 0xFF for j in range(PAGE))


def truth_of(drv, answered):
    return [dict(slot=i, op=("read", "write", "probe")[r["op"]], device=r["device"],
                 sector=None if r["op"] == PROBE else r["sector"], answered=i in answered,
                 segments=[] if r["op"] == PROBE else
                 [dict(pfn=p, offset=a * 512, bytes=(b - a + 1) * 512) for p, a, b in r["segs"]])
            for i, r in ((i, drv.log[i]) for i in drv.used())]


def make(rnd, drv, fault, requests):
    if fault == "idle":
        return
    while len(drv.used()) < (64 if fault == "full" else requests):
        drv.make()
        if fault != "full" and rnd.random() < 0.4 and drv.used():
            drv.answer(rnd.choice(drv.used()))
            drv.consume()
    if fault == "probe":
        drv.submit(PROBE, 0, 0, [(drv.next, 0, 7)])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("save")
    p.add_argument("truth")
    p.add_argument("--elf")
    p.add_argument("--with", dest="fault", default="")
    p.add_argument("--requests", type=int, default=20)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--no-data", action="store_true")
    a = p.parse_args()
    rnd = random.Random(a.seed)
    g = Guest(rnd)
    drv = Driver(g, rnd)
    make(rnd, drv, a.fault, a.requests)
    answered = []
    if a.fault == "answers":
        answered = rnd.sample(drv.used(), 4)
        for slot in answered:
            drv.answer(slot)
    truth = truth_of(drv, answered)
    if a.fault == "cycle":
        drv.log[[i for i in range(64) if drv.log[i]["id"] == NIL][0]]["id"] = drv.free
    drv.layout(a.fault == "recovery", not a.no_data)
    if a.fault == "noring":
        g.missing.add(RING)
    mkxen2.save(a.save, g, mkxen2.page_tables(g), drv, b"root=/dev/hda1")
    if a.elf:
        names = ("rec_ring_free", "blk_ring", "req_prod", "resp_cons", "recovery")
        mkxen2.elf(a.elf, [("rec_ring", REC_RING, 3840)] +
                   [(n, STATICS + 4 * i, 4) for i, n in enumerate(names)])
    with open(a.truth, "w") as f:
        json.dump(truth, f)


if __name__ == "__main__":
    main()
