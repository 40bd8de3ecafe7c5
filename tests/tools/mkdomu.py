#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mkdomu.py KIND OUT.save [--truth OUT.json] [--bits 32|64] [--seed N] [--with WORD]...

Write a saved HVM guest whose block driver is played here: it gets requests, posts them, gets some
answered, and is saved with the rest on the way. The truth names what is pending. Places in its
structures come from frontends.h through the compiler.

KIND: ring        a driver that nobody knows

WORD, for any kind:
  two            a second disk           full       as many requests as the ring has entries
  empty          nothing is pending      grants     the grant table is in the memory (2: version 2)
  wrapped        the ring went round once     unused     never used
  long           a ring of four pages         abi32      of the other layout
  indirect       with an indirect request     unconsumed an answer waits
  disorder       answers out of turn wait     noconfig   the disks are not in the configuration
  store          the store's ring still holds what the guest told it
"""
import argparse
import random
import sys

import domu
from domu import BARRIER, DISCARD, FLUSH, PAGE, READ, WRITE, Guest, Request, Ring

DISKS = {"xvda": 51712, "xvdb": 51728}


class Disk:
    """Traffic on one disk: some requests long done, some answered and not consumed, some pending."""

    def __init__(self, guest, rnd, words, name, ids):
        self.g, self.rnd, self.words, self.name = guest, rnd, words, name
        self.handle = DISKS[name]
        self.ids = ids
        self.next = 8 * rnd.randrange(16)

    def place(self, nsect):
        """No two requests at one place, with odd sectors between."""
        self.next += nsect + self.rnd.choice((0, 1, 8))
        return self.next - nsect

    def request(self, op, pages=None, unaligned=False):
        """With a buffer of its own, full of bytes that tell whose it is."""
        g, rnd = self.g, self.rnd
        if op in (FLUSH, DISCARD):
            r = Request(op, self.place(64) if op == DISCARD else 0, 64 if op == DISCARD else 0)
        else:
            n = pages or rnd.choice((1, 1, 2, 3, 8, 11))
            buf = g.alloc(n * PAGE)
            skip = rnd.choice((0, 512, 2048)) if n < 11 else 0
            nsect = n * 8 - skip // 512 - rnd.choice((0, 1, 3))
            domu.fill(g, buf, n * PAGE, rnd.getrandbits(48))
            r = Request(op, self.place(nsect), nsect, buf + skip)
        r.id = self.ids()
        r.handle = self.handle
        return r


    def truth(self, frontend, located_by, pending, **more):
        """pending: (request, slot)"""
        self.pending = [r for r, _ in pending]
        if self.words_disk:
            self.write_disk(self.words_disk + "-" + self.name)
        return dict({"vdev": self.name, "frontend": frontend, "located_by": located_by,
                     "requests": [r.truth(self.g, slot) for r, slot in pending]}, **more)

    words_disk = None

    def write_disk(self, path):
        """What is on the disk when all that is pending was written; it was full of 0xa5."""
        data = bytearray(b"\xa5" * (512 * (self.next + 64)))
        with open(path + ".before", "wb") as f:
            f.write(data)
        for r in self.pending:
            if r.op in (WRITE, BARRIER):
                data[512 * r.sector:512 * (r.sector + r.nsect)] = self.g.read(r.buf, 512 * r.nsect)
        with open(path + ".after", "wb") as f:
            f.write(data)


def ring_only(args, guest, rnd, words):
    """Ids are anything; half of the requests are done, the backend answers in order."""
    devices = []
    for name in ["xvda", "xvdb"][:2 if "two" in words else 1]:
        disk = Disk(guest, rnd, words, name, lambda: 0xffff000000000000 | rnd.getrandbits(40))
        ring = Ring(guest, 4 if "long" in words else 1, 32 if "abi32" in words else None)
        small = lambda: disk.request(rnd.choice((READ, WRITE)), 1)
        for _ in range(ring.n + 7 if "wrapped" in words else 0 if "unused" in words else 5):
            ring.answer(ring.post(small()))
        if "empty" not in words:
            ops = [WRITE, READ, FLUSH, DISCARD, WRITE, BARRIER]
            nr = ring.n if "full" in words else len(ops)
            reqs = [ring.post(disk.request(ops[i % 6]) if i < 6 else small()) for i in range(nr)]
            if "indirect" in words:
                ring.post(disk.request(WRITE, 20))
            if "unconsumed" in words:
                ring.answer(reqs[0], consume=False)
            if "disorder" in words:
                ring.answer(reqs[2], consume=False)
                ring.answer(reqs[4], -1, consume=False)
        if "store" in words:
            guest.tell_store("device/vbd/%d/ring-ref" % disk.handle, str(ring.grefs[0]))
            guest.tell_store("device/vbd/%d/event-channel" % disk.handle, "9")
        devices.append(disk.truth("ring-only", "ring", [(r, r.index % ring.n) for r in ring.window()]))
    return devices


KINDS = {"ring": ring_only}

BANNERS = {
    "freebsd": "FreeBSD 13.2-RELEASE-p11 releng/13.2-n254666-made GENERIC",
    "netbsd": "NetBSD 9.3 (XEN3_DOMU) #0: Thu Aug  4 15:30:37 UTC 2022",
    "openbsd": "OpenBSD 7.3 (GENERIC.MP) #1125: Sat Mar 25 10:36:29 MDT 2023",
    "linux": "Linux version 2.6.18-8.el5xen (nobody@nowhere) (gcc version 4.1.1) #1 SMP",
}


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("kind", choices=KINDS)
    ap.add_argument("out")
    ap.add_argument("--truth")
    ap.add_argument("--bits", type=int, default=64, choices=(32, 64))
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--banner", help="a text in memory, or freebsd, netbsd, openbsd, linux")
    ap.add_argument("--disk", help="write PREFIX-VDEV.before and .after")
    ap.add_argument("--with", dest="words", action="append", default=[])
    args = ap.parse_args()
    rnd = random.Random(args.seed)
    Disk.words_disk = args.disk
    guest = Guest(args.bits, 1200 if set(args.words) & {"full", "wrapped", "long"} else 512)
    devices = KINDS[args.kind](args, guest, rnd, set(args.words))
    if args.banner:
        guest.text(BANNERS.get(args.banner, args.banner) + "\n")
    if "grants" in args.words:
        guest.put_grant_table()
    if "grants2" in args.words:
        guest.put_grant_table(2)
    disks = [] if "noconfig" in args.words else [d["vdev"] for d in devices]
    guest.save(args.out, disks)
    if args.truth:
        domu.write_truth(args.truth, {"devices": devices})


if __name__ == "__main__":
    sys.exit(main())
