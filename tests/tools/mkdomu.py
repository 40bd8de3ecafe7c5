#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mkdomu.py KIND OUT.save [--truth OUT.json] [--bits 32|64] [--seed N] [--with WORD]...

       mkdomu.py --seeds DIR

Write a saved HVM guest whose block driver is played here: it gets requests, posts them, gets some
answered, and is saved with the rest on the way. The truth names what is pending. Places in its
structures come from frontends.h through the compiler.

KIND: ring        a driver that nobody knows
      freebsd     xbd, or with "old" xb of 9.x; "fourteen": no variable of the driver for its devices
      minios, unikraft, grub, openbsd, windows ("nine": xenvbd 9)
      netbsd      xbd of 2020 and newer, with "old" that of 5.x to 8.x, with "v3" of 3.0

WORD, for any kind:
  two            a second disk           full       as many requests as the ring has entries
  empty          nothing is pending      grants     the grant table is in the memory (2: version 2)
  wrapped        the ring went round once     unused     never used
  long           a ring of four pages         abi32      of the other layout
  indirect       with an indirect request     unconsumed an answer waits
  disorder       answers out of turn wait     noconfig   the disks are not in the configuration
  shift          of a build with larger locks  suspended  by its own word
  queued         one waits for the ring        bioq       bios wait for a command
  brokenq        the list of those is damaged
  unmapped       buffers are lists of pages    dump       data without a bio
  miscounted, badlink, leaked: the queue's counter, a link, a member of the free list
  ksyms          the loader left the symbols in memory (freebsd, netbsd)
  noflush        without one (netbsd)
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


FB_MEMBERS = ["fb_command"] + ["fb_command." + m for m in
              "link sc flags id refs bio data length nseg op sector status".split()] + \
             ["fb_softc"] + ["fb_softc." + m for m in
              "dev disk bioq vdevice state ring_pages max_requests refs ring lock shadow".split()] + \
             ["front_ring.rsp_cons", "front_ring.nr_ents", "front_ring.sring", "fb_bio", "fb_bio.disk",
              "fb_bio.cmd", "fb_bio.queue", "fb_bio.flags", "fb_bio.offset", "fb_bio.bcount", "fb_bio.data", "fb_bio.ma", "fb_bio.ma_offset",
              "fb_bio.ma_n", "fb_page", "fb_page.phys", "fb_devclass", "fb_devclass.name",
              "fb_devclass.devices", "fb_devclass.maxunit", "fb_device", "fb_device.devclass", "fb_device.unit",
              "fb_device.softc"]


def put_front_ring(guest, m, at, ring):
    guest.put(at, ring.req_prod, 4)
    guest.put(at + m["front_ring.rsp_cons"], ring.rsp_cons, 4)
    guest.put(at + m["front_ring.nr_ents"], ring.n, 4)
    guest.ptr(at + m["front_ring.sring"], ring.va)


class FreeBSD:
    """xbd: commands on queues; or xb, before 10.0, with a bit for each list."""

    def __init__(self, args, guest, rnd, words):
        self.g, self.rnd, self.words = guest, rnd, words
        self.old = "old" in words
        more = ["OLD", "REFS=8"] if self.old else ["INDIRECT"] if "indirect" in words else []
        more += ["SHIFT"] if "shift" in words else []
        queues = ["fb_softc.lists", "fb_softc.stat"] if self.old else ["fb_softc.queues"]
        if "indirect" in words:
            queues.append("fb_command.indirect")
        self.m = domu.Members(args.bits, more, FB_MEMBERS + queues)

    def disk(self, name, unit):
        g, m, rnd, words = self.g, self.m, self.rnd, self.words
        disk = Disk(g, rnd, words, name, lambda: None)
        ring = Ring(g, 2 if "long" in words else 1)
        softc = g.heap(m["fb_softc"], 64)
        shadow = g.alloc(ring.n * m["fb_command"])
        self.softc, self.ring, self.shadow = softc, ring, shadow
        free = list(range(ring.n))
        rnd.shuffle(free)
        self.bios = {}
        busy, ready = {}, {}

        def start(r):
            slot = free.pop(0)
            r.id, r.handle = slot, rnd.randrange(1 << 16)   # the driver's handle is a cut pointer
            r.grefs = [g.give(s[0]) for s in r.segments(g)]
            busy[slot] = r
            return ring.post(r)

        def finish(r, **kw):
            ring.answer(r, **kw)
            if r.state == "done":
                free.append(r.id)
                self.command(r.id, busy.pop(r.id), 0)

        self.dev, self.diskp = g.heap(m["fb_device"]), g.heap(64)
        for slot in range(ring.n):
            self.command(slot, None, 0)
        small = lambda: disk.request(rnd.choice((READ, WRITE)), 1)
        for _ in range(ring.n + 5 if "wrapped" in words else 9):
            finish(start(small()))
        if "empty" not in words:
            ops = [WRITE, READ, FLUSH, WRITE, BARRIER, READ, WRITE]
            nr = ring.n if "full" in words else len(ops)
            reqs = [start(disk.request(ops[i]) if i < len(ops) else small()) for i in range(nr)]
            if "indirect" in words:
                start(disk.request(WRITE, 21))
            if "unconsumed" in words:
                finish(reqs[1], consume=False)
            if "disorder" in words:
                finish(reqs[3])
                finish(reqs[1])
            if "queued" in words:
                ready[free.pop(0)] = disk.request(WRITE, 3)
        for slot, r in busy.items():
            self.command(slot, r, 2)
        for slot, r in ready.items():
            self.command(slot, r, 1)
        self.lists(free, ready, busy)
        self.fill_softc(name, unit, ring, "suspended" if "suspended" in words else "connected")
        more = {"state": "suspended" if "suspended" in words else "connected",
                "nr_queued": len(ready)}
        more["queued"] = [dict(r.truth(g, s), state="queued") for s, r in ready.items()]
        if "bioq" in words:
            waiting = [disk.request(WRITE, 2), disk.request(READ), disk.request(DISCARD), disk.request(FLUSH)]
            self.put_bioq(waiting)
            more["nr_queued"] += len(waiting)
            more["queued"] += [dict(r.truth(g, 0), state="queued") for r in waiting]
        if "brokenq" in words:
            more = {"state": more["state"], "nr_queued": None}
        return disk.truth("freebsd-blkfront", self.by, [(r, s) for s, r in sorted(busy.items())], **more)

    by = "scan"

    def bio(self, r, data):
        g, m = self.g, self.m
        at = g.heap(m["fb_bio"])
        g.ptr(at + m["fb_bio.disk"], self.diskp)
        g.put(at + m["fb_bio.offset"], 512 * r.sector, 8)
        g.ptr(at + m["fb_bio.bcount"], 512 * r.nsect)
        g.ptr(at + m["fb_bio.data"], r.buf if data else 0)
        if not data:
            pages = [va for va, _, _ in r.segments(g)]
            table = g.heap(g.word * len(pages))
            for i, va in enumerate(pages):
                page = g.heap(m["fb_page"])
                g.put(page + m["fb_page.phys"], g.pfn(va) << 12, 8)
                g.ptr(table + g.word * i, page)
            g.ptr(at + m["fb_bio.ma"], table)
            g.put(at + m["fb_bio.ma_offset"], r.buf % PAGE, 4)
            g.put(at + m["fb_bio.ma_n"], len(pages), 4)
            g.put(at + m["fb_bio.flags"], 0x10, 1 if self.old else 2)
        return at

    def put_bioq(self, waiting):
        """bio_queue_head: a TAILQ, whose entries point forth to a bio and back to what points to it."""
        g, m = self.g, self.m
        head = self.softc + m["fb_softc.bioq"]
        link = head
        for r in waiting:
            at = self.bio(r, not ("unmapped" in self.words))
            codes = {READ: 1, WRITE: 2, DISCARD: 4 if self.old else 3, FLUSH: 0x10 if self.old else 5}
            g.put(at + m["fb_bio.cmd"], codes[r.op], 1 if self.old else 2)
            g.ptr(link, at)
            g.ptr(at + m["fb_bio.queue"] + g.word, link)
            link = at + m["fb_bio.queue"]
        g.ptr(head + g.word, link)
        if "brokenq" in self.words:
            g.ptr(link, head - 64)

    def command(self, slot, r, queue):
        g, m = self.g, self.m
        at = self.shadow + slot * m["fb_command"]
        put = lambda member, value, size: g.put(at + m["fb_command." + member], value, size)
        put("sc", self.softc, g.word)
        put("flags", (1 << 2, 1 << 3, 1 << 4)[queue] if self.old else queue, 4)
        put("id", slot, 8)
        put("op", self.rnd.randrange(4), 4)
        if r is None:
            return
        refs = g.heap(4 * max(11, len(r.grefs)), 4)
        for i, gref in enumerate(r.grefs):
            g.put(refs + 4 * i, gref, 4)
        put("refs", refs, g.word)
        put("op", r.op, 4)
        put("sector", r.sector, 8)
        put("nseg", len(r.segments(g)) if queue == 2 else self.rnd.randrange(12), 4)
        if r.nsect:
            if self.old or "dump" in self.words:
                put("data", r.buf, g.word)
                put("length", 512 * r.nsect, g.word)
            if "dump" not in self.words:
                put("bio", self.bio(r, not ("unmapped" in self.words)), g.word)
        if len(r.segments(g)) > 11:
            page = g.alloc(PAGE)
            for k, ((_, a, b), gref) in enumerate(zip(r.segments(g), r.grefs)):
                g.write(page + 8 * k, domu.struct.pack("<IBBH", gref, a, b, 0))
            put("indirect", page, g.word)

    def lists(self, free, ready, busy):
        g, m = self.g, self.m
        for number, slots in enumerate((free, ready, busy)):
            if self.old:
                head = self.softc + m["fb_softc.lists"] + 2 * g.word * number
                g.put(self.softc + m["fb_softc.stat"] + 8 * (0, 2, 3)[number], len(slots), 4)
            else:
                head = self.softc + m["fb_softc.queues"] + (2 * g.word + 8) * number
                g.put(head + 2 * g.word, len(slots), 4)
            slots = [self.shadow + s * m["fb_command"] for s in slots]
            if number == 0 and "leaked" in self.words:
                slots.pop(3)
            g.ptr(head, slots[0] if slots else 0)
            for a, b in zip(slots, slots[1:] + [0]):
                g.ptr(a, b)
            if number == 0 and "badlink" in self.words:
                g.ptr(slots[4], slots[4] + 8)
            if number == 2 and "miscounted" in self.words:
                g.put(head + 2 * g.word, 3, 4)

    def fill_softc(self, name, unit, ring, state):
        g, m, at = self.g, self.m, self.softc
        g.ptr(at + m["fb_softc.dev"], self.dev)
        g.ptr(at + m["fb_softc.disk"], self.diskp)
        g.put(at + m["fb_softc.vdevice"], DISKS[name], 4)
        g.put(at + m["fb_softc.state"], ("disconnected", "connected", "suspended").index(state), 4)
        g.put(at + m["fb_softc.ring_pages"], ring.pages, 4)
        g.put(at + m["fb_softc.max_requests"], ring.n, 4)
        for i, gref in enumerate(ring.grefs):
            g.put(at + m["fb_softc.refs"] + 4 * i, gref, 4)
        put_front_ring(g, m, at + m["fb_softc.ring"], ring)
        g.ptr(at + m["fb_softc.shadow"], self.shadow)
        g.put(self.dev + m["fb_device.unit"], unit, 4)
        g.ptr(self.dev + m["fb_device.softc"], at)


def freebsd(args, guest, rnd, words):
    f = FreeBSD(args, guest, rnd, words)
    f.by = "elf-symbols" if args.symbols else "scan"
    devices, table = [], guest.heap(guest.word * 4)
    for unit, name in enumerate(["xvda", "xvdb"][:2 if "two" in words else 1]):
        devices.append(f.disk(name, unit))
        guest.ptr(table + guest.word * unit, f.dev)
    m = f.m
    klass, var = guest.heap(m["fb_devclass"]), guest.heap(guest.word)
    guest.ptr(klass + m["fb_devclass.name"], guest.text("xb" if f.old else "xbd"))
    guest.ptr(klass + m["fb_devclass.devices"], table)
    guest.put(klass + m["fb_devclass.maxunit"], 4, 4)
    guest.ptr(var, klass)
    args.map = [(var, "d", "devclasses")]
    if "fourteen" not in words:
        args.map.append((var, "d", "xb_devclass" if f.old else "xbd_devclass"))
    return devices


NX_MEMBERS = ["nx_req", "nx_req.id", "nx_req.grants", "nx_req.bp", "nx_req.data", "nx_softc"] + \
             ["nx_softc." + m for m in "ring reqs free state shutdown sectors secsize size info handle".split()] + \
             ["front_ring.rsp_cons", "front_ring.nr_ents", "front_ring.sring", "nx_cfdriver", "nx_cfdriver.devs",
              "nx_cfdriver.name", "nx_device", "nx_device.priv", "nx_device.xname"]


def netbsd_disk(args, guest, rnd, words, name, m, new):
    g = guest
    disk = Disk(g, rnd, words, name, lambda: None)
    ring = Ring(g)
    softc = g.alloc(m["nx_softc"])
    reqs = softc + m["nx_softc.reqs"]
    free, busy = list(range(31, -1, -1)), {}

    def start(r):
        slot = free.pop(0)
        r.id, r.handle = slot, disk.handle
        r.grefs = [g.give(s[0]) for s in r.segments(g)]
        at = reqs + slot * m["nx_req"]
        for i, gref in enumerate(r.grefs):
            g.put(at + m["nx_req.grants"] + 4 * i, gref, 4)
        if r.nsect:
            g.ptr(at + m["nx_req.bp"], g.heap(160))
            g.ptr(at + m["nx_req.data"], r.buf)
            if not new:
                g.put(at + m["nx_req.nseg"], len(r.grefs), 4)
        if len(r.grefs) > 11:
            page, ind = g.alloc(PAGE), g.heap(3 * g.word)
            r.indirect = [page]
            g.ptr(ind + g.word, page)
            g.ptr(at + m["nx_req.indirect"], ind)
        busy[slot] = r
        return ring.post(r)

    def finish(r, **kw):
        ring.answer(r, **kw)
        if r.state == "done":
            free.insert(0, r.id)
            del busy[r.id]

    small = lambda: disk.request(rnd.choice((READ, WRITE)), 1)
    for _ in range(40 if "wrapped" in words else 3):
        finish(start(small()))
    if "empty" not in words:
        ops = [WRITE, READ, WRITE, READ, WRITE] if "noflush" in words else [WRITE, READ, FLUSH, WRITE, READ, WRITE]
        nr = 32 if "full" in words else len(ops)
        made = [start(disk.request(ops[i]) if i < len(ops) else small()) for i in range(nr)]
        if "indirect" in words:
            start(disk.request(WRITE, 16))
        if "unconsumed" in words:
            finish(made[1], consume=False)
        if "disorder" in words:
            finish(made[3])
    for slot in range(32):
        g.put(reqs + slot * m["nx_req"] + m["nx_req.id"], slot, 2)
    chain = [reqs + s * m["nx_req"] for s in free]
    g.ptr(softc + m["nx_softc.free"], chain[0] if chain else 0)
    for a, b in zip(chain, chain[1:] + [0]):
        g.ptr(a, b)
    if "badlink" in words:
        g.ptr(chain[4], chain[4] + 4)
    put = lambda member, value, size: g.put(softc + m["nx_softc." + member], value, size)
    state = "suspended" if "suspended" in words else "connected"
    put("state", ("disconnected", "connected", "suspended").index(state), 4)
    put("sectors", disk.next + 64, 8)
    put("secsize", 512, g.word)
    put("size", disk.next + 64, 8)
    put("handle", disk.handle, g.word)
    put_front_ring(g, m, softc + m["nx_softc.ring"], ring)
    truth = disk.truth("netbsd-xenbus", "elf-symbols" if args.symbols else "scan",
                       [(r, s) for s, r in sorted(busy.items())], state=state, nr_sectors=disk.next + 64)
    for t, (_, r) in zip(truth["requests"], sorted(busy.items())):
        if r.state == "pending" and r.index < ring.rsp_prod:    # an answer lies there
            t.update(op="unknown", nr_sectors=None)
    return softc, truth


def netbsd(args, guest, rnd, words):
    new = "old" not in words and "v3" not in words
    defines = (["NEW"] if new else ["V3"] if "v3" in words else []) + (["SHIFT"] if "shift" in words else [])
    m = domu.Members(args.bits, defines, NX_MEMBERS + (["nx_req.indirect"] if new else ["nx_req.nseg"]))
    devices, table = [], guest.heap(guest.word * 4)
    for unit, name in enumerate(["xvda", "xvdb"][:2 if "two" in words else 1]):
        softc, truth = netbsd_disk(args, guest, rnd, words, name, m, new)
        dev = guest.heap(m["nx_device"])
        guest.write(dev + m["nx_device.xname"], b"xbd%d\0" % unit)
        guest.ptr(dev + m["nx_device.priv"], softc)
        guest.ptr(table + guest.word * unit, dev)
        devices.append(truth)
    cd = guest.heap(m["nx_cfdriver"])
    guest.ptr(cd + m["nx_cfdriver.devs"], table)
    guest.ptr(cd + m["nx_cfdriver.name"], guest.text("xbd"))
    args.map = [(cd, "D", "xbd_cd")]
    return devices


SMALL = ["mini_aiocb", "mini_aiocb.buf", "mini_aiocb.gref", "mini_aiocb.nbytes", "uk_request", "uk_request.req",
         "uk_request.gref", "uk_blkreq", "uk_blkreq.start", "uk_blkreq.sectors", "uk_blkreq.buf", "grub_virtdisk",
         "grub_virtdisk.ring", "grub_virtdisk.shared_page", "grub_virtdisk.grant", "grub_virtdisk.dma_page",
         "grub_virtdisk.dma_grant", "front_ring.rsp_cons", "front_ring.nr_ents", "front_ring.sring"]


def small_ring(args, guest, rnd, words, frontend, banner, start, ops, devices):
    """A frontend without a list of its own: start() makes what the id of a request leads to."""
    args.banner = args.banner or banner
    truths = []
    for name in ["xvda", "xvdb"][:2 if "two" in words else 1]:
        disk = Disk(guest, rnd, words, name, lambda: None)
        ring = Ring(guest)

        def post(r):
            r.grefs = r.grefs or [guest.give(s[0]) for s in r.segments(guest)]
            start(r)
            return ring.post(r)
        for _ in range(37 if "wrapped" in words else 3):
            ring.answer(post(disk.request(ops[0], 1)))
        if "empty" not in words:
            for i in range(32 if "full" in words and len(ops) > 1 else len(ops)):
                post(disk.request(ops[i % len(ops)], None if i < len(ops) > 1 else 1))
        devices(disk, ring)
        truths.append(disk.truth(frontend, "ring", [(r, r.index % ring.n) for r in ring.window()]))
    return truths


def minios(args, guest, rnd, words):
    m = domu.Members(args.bits, [], SMALL)

    def start(r):
        if r.op == FLUSH:
            r.id = 0
            return
        r.id = guest.heap(m["mini_aiocb"])
        guest.ptr(r.id + m["mini_aiocb.buf"], r.buf)
        guest.ptr(r.id + m["mini_aiocb.nbytes"], 512 * r.nsect)
        for i, gref in enumerate(r.grefs):
            guest.put(r.id + m["mini_aiocb.gref"] + 4 * i, gref, 4)
    return small_ring(args, guest, rnd, words, "minios-blkfront", "Xen Minimal OS!", start,
                      [WRITE, READ, FLUSH, WRITE], lambda d, r: None)


def unikraft(args, guest, rnd, words):
    m = domu.Members(args.bits, [], SMALL)

    def start(r):
        r.id, own = guest.heap(m["uk_request"]), guest.heap(m["uk_blkreq"])
        guest.ptr(r.id + m["uk_request.req"], own)
        guest.ptr(own + m["uk_blkreq.start"], r.sector)
        guest.ptr(own + m["uk_blkreq.sectors"], r.nsect)
        guest.ptr(own + m["uk_blkreq.buf"], r.buf)
        for i, gref in enumerate(r.grefs):
            at = guest.heap(16)
            guest.put(at, gref, 4)
            guest.ptr(r.id + m["uk_request.gref"] + guest.word * i, at)
    return small_ring(args, guest, rnd, words, "unikraft-blkfront", "o.   .o       _ _               __ _", start,
                      [WRITE, READ, WRITE, READ], lambda d, r: None)


def grub(args, guest, rnd, words):
    """One request at a time, through one page; it reserves no grants."""
    guest.next_gref = 2
    m = domu.Members(args.bits, [], SMALL)
    page, gref = {}, {}

    def start(r):
        d = r.handle
        if d not in page:
            page[d] = guest.alloc(PAGE)
            gref[d] = guest.give(page[d])
        r.id, r.buf, r.grefs = 0, page[d], [gref[d]]

    def device(disk, ring):
        at = guest.heap(m["grub_virtdisk"])
        guest.put(at, disk.handle, 4)
        guest.ptr(at + m["grub_virtdisk.shared_page"], ring.va)
        put_front_ring(guest, m, at + m["grub_virtdisk.ring"], ring)
        guest.put(at + m["grub_virtdisk.grant"], ring.grefs[0], 4)
        guest.ptr(at + m["grub_virtdisk.dma_page"], page.get(disk.handle, 0))
        guest.put(at + m["grub_virtdisk.dma_grant"], gref.get(disk.handle, 0), 4)
    return small_ring(args, guest, rnd, words, "grub-xendisk", "GNU GRUB  version %s", start, [READ], device)


def openbsd(args, guest, rnd, words):
    count = iter(range(1 << 20))

    def start(r):
        r.id = next(count) % 32
    return small_ring(args, guest, rnd, words, "openbsd-xbf", "openbsd", start, [WRITE, READ, FLUSH, WRITE],
                      lambda d, r: None)


def windows(args, guest, rnd, words):
    """Ids as xenvbd makes them: a tag above a counter. Its own structures are anybody's guess."""
    count = iter(range(1 << 20))

    def start(r):
        r.id = 0x67615458 << 32 | next(count)
    version = (9, 0, 3, 77) if "nine" in words else (8, 2, 1, 34)
    image = guest.alloc(PAGE)
    wide = lambda s: s.encode("utf-16-le")
    fixed = domu.struct.pack("<13I", 0xfeef04bd, 0x10000, version[0] << 16 | version[1], version[2] << 16 | version[3],
                             0, 0, 0x3f, 0, 0x40004, 3, 7, 0, 0)
    guest.write(image + 0x100, wide("VS_VERSION_INFO\0") + fixed + wide("\1StringFileInfo\0OriginalFilename\0xenvbd.sys\0"))
    shared = bytearray(0x300)
    shared[0x30:0x44] = wide("C:\\Windows")
    domu.struct.pack_into("<I", shared, 0x260, 0xf0004563 if "free" in words else 17763)
    domu.struct.pack_into("<II", shared, 0x26c, 10, 0)
    guest.write(guest.alloc(PAGE, va=0xfffff78000000000 if args.bits == 64 else 0xffdf0000), bytes(shared))
    return [dict(d, frontend_version="%d.%d.%d.%d" % version) for d in
            small_ring(args, guest, rnd, words, "windows-xenvbd", None, start, [WRITE, READ, FLUSH, WRITE],
                       lambda d, r: None)]


KINDS = {"ring": ring_only, "freebsd": freebsd, "netbsd": netbsd, "minios": minios, "unikraft": unikraft, "grub": grub,
         "openbsd": openbsd, "windows": windows}

BANNERS = {
    "freebsd": "FreeBSD 13.2-RELEASE-p11 releng/13.2-n254666-made GENERIC",
    "netbsd": "NetBSD 9.3 (XEN3_DOMU) #0: Thu Aug  4 15:30:37 UTC 2022",
    "openbsd": "OpenBSD 7.3 (GENERIC.MP) #1125: Sat Mar 25 10:36:29 MDT 2023",
    "linux": "Linux version 2.6.18-8.el5xen (nobody@nowhere) (gcc version 4.1.1) #1 SMP",
}


def seeds(folder):
    """Inputs of fuzz_domu.c: each of its guests whole, and with words changed."""
    rnd = random.Random(7)
    for i in range(108):
        data = bytes([i % 12, i])
        for _ in range(i // 12):
            new = rnd.choice((bytes(8), b"\xff" * 8, rnd.randrange(4096).to_bytes(4, "little"), rnd.randbytes(16)))
            data += rnd.randrange(65536).to_bytes(2, "little") + bytes([len(new)]) + new
        with open("%s/%03d" % (folder, i), "wb") as f:
            f.write(data)


def main():
    if sys.argv[1:2] == ["--seeds"]:
        return seeds(sys.argv[2])
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("kind", choices=KINDS)
    ap.add_argument("out")
    ap.add_argument("--truth")
    ap.add_argument("--bits", type=int, default=64, choices=(32, 64))
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--banner", help="a text in memory, or freebsd, netbsd, openbsd, linux")
    ap.add_argument("--image", type=lambda v: int(v, 0),
                    help="the address of two pages of the kernel's image; that text lies in both of them")
    ap.add_argument("--symbols", help="write a System.map; the guest is meant to be looked at by it")
    ap.add_argument("--disk", help="write PREFIX-VDEV.before and .after")
    ap.add_argument("--with", dest="words", action="append", default=[])
    args = ap.parse_args()
    rnd = random.Random(args.seed)
    Disk.words_disk = args.disk
    guest = Guest(args.bits, 1200 if set(args.words) & {"full", "wrapped", "long"} else 512)
    devices = KINDS[args.kind](args, guest, rnd, set(args.words))
    if args.banner:
        text = BANNERS.get(args.banner, args.banner) + "\n"
        if args.image is None:
            guest.text(text)
        else:
            guest.write(guest.alloc(2 * domu.PAGE, va=args.image) + domu.PAGE - 12, text.encode() + b"\0")
    if "grants" in args.words:
        guest.put_grant_table()
    if "grants2" in args.words:
        guest.put_grant_table(2)
    if "ksyms" in args.words:
        guest.put_symbols(args.map, args.kind == "netbsd")
    disks = [] if "noconfig" in args.words else [d["vdev"] for d in devices]
    guest.save(args.out, disks)
    if args.symbols:
        with open(args.symbols, "w") as f:
            f.writelines("%x %s %s\n" % row for row in args.map)
    if args.truth:
        domu.write_truth(args.truth, {"devices": devices})


if __name__ == "__main__":
    sys.exit(main())
