#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make guests with Linux' block frontend of any era, whose requests are known.

  mkblkfront.py --list                      the guests there are
  mkblkfront.py NAME OUT.save OUT.json      one of them, and what its rings hold
  mkblkfront.py --few FOLDER                the smallest with requests, one of each era and size
  mkblkfront.py --kernel NAME OUT.save OUT.elf      one of kernel_guests(), and its kernel file

The places of all members come from the compiler (blkfront-layouts.c). What the driver writes there
is written here from the description of the driver; nothing is shared with the program. A guest is an
HVM checkpoint (libxc stream, version 2) of no more than the pages that matter.
"""
import functools
import json
import os
import re
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE, SECTOR, NIL, POPPED = 4096, 512, 0x0FFFFFFF, 0x0FFFFFEE
READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT = 0, 1, 2, 3, 5, 6
DMA_FRAMES = 4096  # ZONE_DMA ends there
XENLINUX, FRAMES, GRANTS, LISTS, POINTERS, PAGES, INFLIGHT, RINGS, FLEXIBLE, VDISK = range(10)
ERAS = {XENLINUX: "xenlinux", FRAMES: "3.4", GRANTS: "3.8", LISTS: "3.10", POINTERS: "3.16", PAGES: "4.4",
        INFLIGHT: "4.4.late", RINGS: "4.5", FLEXIBLE: "5.10", VDISK: "6.1"}


@functools.lru_cache(maxsize=None)
def places(era, bits, *options):
    argv = ["gcc", f"-m{bits}", f"-DERA={era}", *options, "-S", "-o", "-",
            os.path.join(HERE, "blkfront-layouts.c")]
    out = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name: int(value) for name, value in re.findall(r"^->(\S+) \$(\d+)", out, re.M)}


class Guest:
    """Memory, and where the kernel has it mapped: all of it at `base`, struct page at `array`."""

    def __init__(self, bits, levels, entry, vmemmap=True):
        self.w, self.levels, self.entry = bits // 8, levels, entry
        self.base = 0xC0000000 if bits == 32 else 0xFFFF888000000000
        self.mem, self.next, self.next_high, self.payload = {}, 64, 7100, []
        self.root = self.table = self.new()
        if bits == 32:
            self.array = self.base + PAGE * 6000  # in memory of its own, as FLATMEM is
            first, last = 6000, 6000 + (10000 * entry >> 12) + 1
            for pfn in range(first, last):
                self.mem[pfn] = bytearray(PAGE)
            for pfn in range(10000):
                zone = 0 if pfn < DMA_FRAMES else 1 if pfn < 7000 else 2
                at = self.array + pfn * entry
                self.put(at, zone << 30 | 0x400, 4)
                self.put(at + entry - 8, 0xFFFFFFFF, 4)  # _mapcount
        else:
            self.array = 0xFFFFEA0000000000
        self.entries = {}

    def new(self, nr=1):
        first = self.next
        self.next += nr
        for pfn in range(first, first + nr):
            self.mem[pfn] = bytearray(PAGE)
        return first

    def data(self):
        """A page for data: with 32 bits every second one is a high one, which the kernel maps only
        when it needs it."""
        self.next_high += 1
        pfn = self.next_high
        if self.w == 8 or pfn % 2:
            pfn = self.new()
        self.mem[pfn] = bytearray(PAGE)
        self.payload.append(pfn)
        return pfn

    def at(self, pfn, offset=0):
        return self.base + pfn * PAGE + offset

    def alloc(self, nbytes, align=None):
        """A piece of the direct map, alone on its pages."""
        first = self.new(-(-nbytes // PAGE) or 1)
        return self.at(first, align or 0)

    def put(self, va, value, size):
        for i in range(size):
            pfn, off = divmod(va + i - self.base, PAGE)
            self.mem[pfn][off] = value >> 8 * i & 0xFF

    def word(self, va, value):
        self.put(va, value & (1 << 8 * self.w) - 1, self.w)

    def write(self, va, data):
        for i, b in enumerate(data):
            pfn, off = divmod(va + i - self.base, PAGE)
            self.mem[pfn][off] = b

    def page(self, pfn):
        return self.array + pfn * self.entry

    # -- page tables

    def map(self, va, pfn):
        wide = self.levels > 2
        bits, size = (9, 8) if wide else (10, 4)
        table = self.root
        for level in range(self.levels, 0, -1):
            index = va >> 12 + bits * (level - 1) & (1 << bits) - 1
            if level == 1:
                entry = pfn
            else:
                entry = self.entries.get((table, index))
                if entry is None:
                    entry = self.entries[table, index] = self.new()
            flags = 1 if wide and self.levels == 3 and level == 3 else 0x67
            struct.pack_into("<Q" if wide else "<I", self.mem[table], index * size,
                             entry << 12 | flags)
            table = entry

    def map_all(self):
        for pfn in sorted(self.mem):
            if pfn < 7000:
                self.map(self.at(pfn), pfn)
        if self.w == 8:  # struct page of all frames: one page of the array is as good as another
            shared = self.new()
            for i in range(PAGE // 64):
                struct.pack_into("<I", self.mem[shared], 64 * i + 52, 1)
            for i in range(10000 * 64 // PAGE + 1):
                self.map(self.array + i * PAGE, shared)

    def stream(self):
        self.map_all()
        out = b"\xff" * 8 + b"XENF" + struct.pack(">IHHI", 2, 0, 0, 0)
        out += struct.pack("<IHHII", 2, 12, 0, 4, 17)
        pfns = sorted(self.mem)
        for k in range(0, len(pfns), 1024):
            some = pfns[k : k + 1024]
            body = struct.pack("<II", len(some), 0) + b"".join(struct.pack("<Q", p) for p in some)
            body += b"".join(bytes(self.mem[p]) for p in some)
            out += struct.pack("<II", 1, len(body)) + body
        cpu = bytearray(1032)
        cr3 = self.root << 12
        cr4 = 0x10 if self.levels == 2 else 0x20
        for off, value in {656: 0x80000001, 672: cr3, 680: cr4,
                           992: 0x500 if self.levels == 4 else 0}.items():
            struct.pack_into("<Q", cpu, off, value)
        context = struct.pack("<HHI", 1, 0, 24) + struct.pack("<II16x", 0x54381286, 1)
        context += struct.pack("<HHI", 2, 0, len(cpu)) + cpu + struct.pack("<HHI", 0, 0, 0)
        return out + struct.pack("<II", 9, len(context)) + context + struct.pack("<II", 0, 0)


class Driver:
    """One device and its rings."""

    def __init__(self, guest, era, options, letter, nr_rings=1, ring_pages=1, persistent=True):
        bits = 8 * guest.w
        self.g, self.era, self.p = guest, era, places(era, bits, *options)
        self.letter, self.persistent, self.gref = letter, persistent, 100 + 1000 * ord(letter)
        self.n = 32 * ring_pages
        self.vdev = 202 << 8 | (ord(letter) - ord("a")) << 4
        self.nr_rings, self.ring_pages = nr_rings, ring_pages
        self.truth = []
        g, p = guest, self.p
        self.info = g.alloc(p["info"], 0x100 if era >= RINGS else 0)
        gd = g.alloc(p["gendisk"], 0x40)
        g.write(gd + p["gendisk.disk_name"], b"xvd" + letter.encode() + b"\0")
        g.word(gd + p["gendisk.private_data"], self.info)
        self.set("info.xbdev", g.alloc(64), g.w)
        self.set("info.gd", gd, g.w)
        self.set("info.vdevice", self.vdev, 4)
        self.set("info.handle", self.vdev & 0xFFFF, 2)
        self.set("info.connected", 1, 4)
        if "info.nr_ring_pages" in p:
            self.set("info.nr_ring_pages", ring_pages, 4)
        self.rings = self.make_rings()

    def set(self, name, value, size):
        self.g.put(self.info + self.p[name], value, size)

    def make_rings(self):
        g, p = self.g, self.p
        if self.era < RINGS:
            return [Ring(self, 0, self.info, "info")]
        step = p["ring_info"] + (self.n * p["shadow"] if self.era != RINGS else 0)
        rinfo = g.alloc(step * self.nr_rings)
        self.set("info.rq", g.alloc(64), g.w)
        self.set("info.rinfo", rinfo, g.w)
        self.set("info.nr_rings", self.nr_rings, 4)
        if "info.rinfo_size" in p:
            self.set("info.rinfo_size", step, 4)
        return [Ring(self, i, rinfo + i * step, "ring_info") for i in range(self.nr_rings)]

    def take_gref(self):
        self.gref += 3
        return self.gref


class Ring:
    def __init__(self, driver, index, va, kind):
        self.d, self.g, self.p, self.index, self.kind = driver, driver.g, driver.p, index, kind
        self.va = va
        self.front = va + self.p[kind + ".ring"]
        self.shadow = va + self.p[kind + ".shadow"]
        self.sring = self.g.alloc(PAGE * driver.ring_pages)
        self.free, self.used, self.where = list(range(driver.n)), {}, {}
        self.requests, self.queued = [], []  # struct request in the ring; what waits for it
        self.pvt = self.cons = 7
        for i in range(driver.ring_pages):
            self.g.put(va + self.p[kind + ".ring_ref"] + 4 * i, driver.take_gref(), 4)
        if kind == "ring_info":
            self.g.word(va + self.p["ring_info.dev_info"], driver.info)
        if driver.era >= POINTERS:
            self.lists = [self.lists_of() for _ in range(driver.n)]

    def lists_of(self):
        """sg, grants_used and indirect_grants are there for free slots, too."""
        g, p, most = self.g, self.p, 32
        at = g.alloc(most * (p["scatterlist"] + g.w) + 8 * g.w)
        return at, at + most * p["scatterlist"], at + most * (p["scatterlist"] + g.w)

    def slot(self, i, name=None):
        return self.shadow + i * self.p["shadow"] + (self.p[name] if name else 0)

    def request(self, op, sector=0, pieces=(), nr_sectors=None, answered=False, slot=None):
        """pieces: (offset, bytes) of new pages, or (pfn, offset, bytes)."""
        g, p, era = self.g, self.p, self.d.era
        i = self.free.pop(0 if slot is None else self.free.index(slot))
        raw = bytearray(p["request"])
        indirect = len(pieces) > 11
        raw[0] = INDIRECT if indirect else op
        struct.pack_into("<Q", raw, p["request_rw.id"], i)
        struct.pack_into("<Q", raw, p["request_rw.sector"], sector)
        handle = "request_indirect.handle" if indirect else "request_rw.handle"
        struct.pack_into("<H", raw, p[handle], self.d.vdev & 0xFFFF)
        if indirect:
            raw[p["request_indirect.indirect_op"]] = op
            struct.pack_into("<H", raw, p["request_indirect.nr_segments"], len(pieces))
        elif op == DISCARD:
            struct.pack_into("<Q", raw, p["request_discard.nr_sectors"], nr_sectors)
        else:
            raw[p["request_rw.nr_segments"]] = len(pieces)
        rq = g.alloc(p["rq"], 0x80)
        self.requests.append(rq)
        g.word(self.slot(i, "shadow.request"), rq)
        if era >= RINGS:
            g.put(self.slot(i, "shadow.status"), 1, 4)
            g.word(self.slot(i, "shadow.associated_id"), -1)
        segments = [self.piece(i, k, raw, indirect, op, piece, len(pieces))
                    for k, piece in enumerate(pieces)]
        if era >= PAGES:
            g.put(self.slot(i, "shadow.num_sg"), len(pieces), 4)
        if indirect:
            self.indirect_page(i, raw, segments)
        g.write(self.slot(i), raw)
        self.where[i] = self.publish(raw)
        own = segments
        if era == GRANTS:  # what is in the ring are copies
            own = [dict(s, pfn=g.data()) for s in segments]
        fill_rq(g, p, era, rq, op, sector, own, nr_sectors)
        total = sum(s["bytes"] for s in segments) // SECTOR if op != DISCARD else nr_sectors
        self.used[i] = {
            "ring": self.index, "slot": i, "answered": answered, "nr_sectors": total,
            "op": {0: "read", 1: "write", 2: "barrier", 3: "flush", 5: "discard"}[op],
            "sector": sector if segments or op == DISCARD else None, "segments": segments}
        return i

    def piece(self, i, k, raw, indirect, op, piece, nr):
        g, p, era = self.g, self.p, self.d.era
        pfn, offset, nbytes = piece if len(piece) == 3 else (g.data(), *piece)
        gref = self.d.take_gref()
        seed = zlib.crc32(b"%c %d %d %d" % (self.d.letter.encode(), self.index, i, k))
        data = bytes((seed >> 8 * (j % 4) & 0xFF) ^ (j >> 2 & 0xFF) for j in range(PAGE))
        g.mem[pfn][offset : offset + nbytes] = data[:nbytes]
        granted = pfn
        if era in (GRANTS, LISTS) or (era >= POINTERS and self.d.persistent):
            granted = pfn if era == GRANTS else g.data()
            g.mem[granted][:] = g.mem[pfn]
        if not indirect:
            at = p["request_rw.seg"] + k * p["segment"]
            struct.pack_into("<I", raw, at, gref)
            raw[at + p["segment.first_sect"]] = offset // SECTOR
            raw[at + p["segment.last_sect"]] = (offset + nbytes) // SECTOR - 1
        if era <= GRANTS:
            g.word(self.slot(i, "shadow.frame") + k * g.w, granted)
        if era >= GRANTS:
            self.grant(i, k, gref, granted)
        if era >= LISTS:
            sg = self.slot(i, "shadow.sg") if era == LISTS else self.lists[i][0]
            sg += k * p["scatterlist"]
            g.word(sg + p["scatterlist.page_link"], g.page(pfn) | (2 if k + 1 == nr else 0))
            g.put(sg + p["scatterlist.offset"], offset, 4)
            g.put(sg + p["scatterlist.length"], nbytes, 4)
        return {"pfn": pfn, "offset": offset, "bytes": nbytes, "gref": gref}

    def grant(self, i, k, gref, pfn):
        g, p, era = self.g, self.p, self.d.era
        at = g.alloc(p["grant"], 0x20)
        g.put(at + p["grant.gref"], gref, 4)
        if era < PAGES:
            g.word(at + p["grant.pfn"], pfn)
        elif self.d.persistent:
            g.word(at + p["grant.page"], g.page(pfn))
        array = self.slot(i, "shadow.grants_used") if era <= LISTS else self.lists[i][1]
        g.word(array + k * g.w, at)

    def indirect_page(self, i, raw, segments):
        g, p = self.g, self.p
        pfn, gref = g.new(), self.d.take_gref()
        for k, s in enumerate(segments):
            at = k * p["segment"]
            struct.pack_into("<I", g.mem[pfn], at, s["gref"])
            g.mem[pfn][at + p["segment.first_sect"]] = s["offset"] // SECTOR
            g.mem[pfn][at + p["segment.last_sect"]] = (s["offset"] + s["bytes"]) // SECTOR - 1
        struct.pack_into("<I", raw, p["request_indirect.grefs"], gref)
        at = g.alloc(p["grant"], 0x20)
        g.put(at + p["grant.gref"], gref, 4)
        if self.d.era < PAGES:
            g.word(at + p["grant.pfn"], pfn)
        else:
            g.word(at + p["grant.page"], g.page(pfn))
        g.word(self.lists[i][2], at)

    def publish(self, raw):
        at = self.sring + self.p["sring.ring"] + self.pvt % self.d.n * self.p["entry"]
        self.g.write(at, raw)
        self.pvt += 1
        return at

    def finish(self):
        """Free list, indices, answers; what was asked is in the truth then."""
        g, p, kind = self.g, self.p, self.kind
        chain = self.free + [NIL]
        for here, there in zip(chain, chain[1:]):
            g.put(self.slot(here) + p["request_rw.id"], there, 8)
        g.word(self.va + p[kind + ".shadow_free"], chain[0])
        if self.d.era >= POINTERS:
            for i, (sg, used, indirect) in enumerate(self.lists):
                g.word(self.slot(i, "shadow.sg"), sg)
                g.word(self.slot(i, "shadow.grants_used"), used)
                g.word(self.slot(i, "shadow.indirect_grants"), indirect)
        answered = [i for i, r in self.used.items() if r["answered"]]
        for k, i in enumerate(answered):
            at = self.sring + p["sring.ring"] + (self.cons + k) % self.d.n * p["entry"]
            g.put(at, i, 8)
            g.put(at + p["response.op"], {"write": 1, "read": 0}.get(self.used[i]["op"], 0), 1)
            g.put(at + p["response.status"], 0, 2)
        g.put(self.front, self.pvt, 4)
        g.put(self.front + p["front_ring.rsp_cons"], self.cons, 4)
        g.put(self.front + p["front_ring.nr_ents"], self.d.n, 4)
        g.word(self.front + p["front_ring.sring"], self.sring)
        rsp_prod = self.cons + len(answered)
        for off, value in {0: self.pvt, p["sring.req_event"]: self.pvt + 1,
                           p["sring.rsp_prod"]: rsp_prod, p["sring.rsp_event"]: rsp_prod + 1}.items():
            g.put(self.sring + off, value, 4)


# ---- the block layer ---------------------------------------------------------------------------


def request_flags(era, op):
    """struct request.cmd_flags: up to 4.7 bit 0 is a write (and 4 one that somebody waits for), 7 a
    discard, 12 FUA and 13 a flush; later enum req_op, and a barrier is a write with REQ_FUA."""
    if era < RINGS:
        return {READ: 0, WRITE: 0x11, BARRIER: 0x1011, FLUSH: 0x2011, DISCARD: 0x81}[op]
    return {READ: 0, WRITE: 1, BARRIER: 1 | 1 << 17, FLUSH: 2, DISCARD: 3}[op]


def fill_rq(g, p, era, rq, op, sector, segments, nr_sectors=None, cut=None, done=0):
    """struct request as the block layer leaves it: one bio, or two with `cut` segments in the first,
    of whose first one `done` bytes are done."""
    total = sum(s["bytes"] for s in segments) if op != DISCARD else 512 * nr_sectors
    g.put(rq + p["rq.cmd_flags"], request_flags(era, op), 4)
    g.put(rq + p["rq.__data_len"], total, 4)
    g.put(rq + p["rq.__sector"], sector, 8)
    if "rq.ref" in p:
        g.put(rq + p["rq.ref"], 1, 4)
    link = rq + p["rq.bio"]
    iterator = "bio.bi_" if "bio.bi_size" in p else "bio.bi_iter.bi_"
    for part in (segments[:cut], segments[cut:]) if cut else (segments,):
        if not part:
            continue
        bio, table = g.alloc(p["bio"]), g.alloc(p["bio_vec"] * (len(part) + 1), 0x10)
        g.word(link, bio)
        link = bio + p["bio.bi_next"]
        g.put(bio + p[iterator + "size"], sum(s["bytes"] for s in part), 4)
        g.put(bio + p[iterator + "idx"], 1, 2)  # the one before is done
        if done:
            g.put(bio + p[iterator + "bvec_done"], done, 4)
        g.word(bio + p["bio.bi_io_vec"], table)
        for k, s in enumerate(part):
            at, back = table + p["bio_vec"] * (k + 1), done if not k else 0
            g.word(at + p["bio_vec.bv_page"], g.page(s["pfn"]))
            g.put(at + p["bio_vec.bv_len"], s["bytes"] + back, 4)
            g.put(at + p["bio_vec.bv_offset"], s["offset"] - back, 4)
        done = 0


def wait(ring):
    """What has no room: a read, a write of two bios, a discard; and what is long over."""
    g, p = ring.g, ring.p
    nr = ring.index + 1

    def piece(offset, nbytes):
        return {"pfn": g.data(), "offset": offset, "bytes": nbytes, "gref": None}

    todo = [("read", READ, 7000 * nr, [piece(1024, 512)], None, None, 0),
            ("write", WRITE, 7100 * nr, [piece(512, 512), piece(0, 4096), piece(0, 1024)], None, 2, 512),
            ("discard", DISCARD, 7200 * nr, [], 16, None, 0)]
    for name, op, sector, segments, nr_sectors, cut, done in todo:
        rq = g.alloc(p["rq"], 0x40)
        fill_rq(g, p, ring.d.era, rq, op, sector, segments, nr_sectors, cut, done)
        ring.requests.append(rq)
        total = nr_sectors or sum(s["bytes"] for s in segments) // SECTOR
        ring.queued.append({"ring": ring.index, "op": name, "sector": sector, "nr_sectors": total,
                            "segments": segments})
    over = g.alloc(p["rq"])
    fill_rq(g, p, ring.d.era, over, WRITE, 1, [piece(0, 512)])
    g.put(over + p["rq.ref"], 0, 4)
    ring.requests.append(over)


def queue(driver):
    """request_queue -> a hardware queue for each ring -> its tags -> its requests."""
    g, p = driver.g, driver.p
    at = g.alloc(p["queue"], 0x80)
    driver.set("info.rq", at, g.w)
    g.put(at + p["queue.nr_hw_queues"], driver.nr_rings, 4)
    hctxs = []
    for ring in driver.rings:
        hctx, tags = g.alloc(p["hctx"], 0x40), g.alloc(p["tags"], 0x40)
        rqs = g.alloc(g.w * len(ring.requests))
        g.word(hctx + p["hctx.tags"], tags)
        g.put(tags + p["tags.nr_tags"], len(ring.requests), 4)
        g.word(tags + p["tags.static_rqs"], rqs)
        for k, rq in enumerate(ring.requests):
            g.word(rqs + k * g.w, rq)
        hctxs.append(hctx)
    if driver.era < VDISK:
        table = g.alloc(g.w * len(hctxs))
        g.word(at + p["queue.queue_hw_ctx"], table)
    elif len(hctxs) == 1:
        g.word(at + p["queue.hctx_table.xa_head"], hctxs[0])
        return
    else:  # an xarray of more than one entry has a node; xa_mk_node()
        node = g.alloc(p["xa_node"])
        g.word(at + p["queue.hctx_table.xa_head"], node + 2)
        table = node + p["xa_node.slots"]
    for k, hctx in enumerate(hctxs):
        g.word(table + k * g.w, hctx)


# ---- guests ----------------------------------------------------------------------------------


def usual(ring, era):
    """A bit of everything; the first one has been answered, so that the answer lies over it."""
    ring.request(READ, 64, [(0, 4096)], answered=True)
    ring.request(WRITE, 1000, [(512, 3584), (0, 4096), (0, 512)])
    ring.request(READ, 2000, [(1024, 1024)], slot=5)
    ring.request(WRITE, 3003, [(4096 - 512, 512)], slot=9)
    ring.request(WRITE, 4000, [(0, 4096)] * 11)
    if era >= FRAMES:
        ring.request(FLUSH)
    if era == FRAMES or era >= LISTS:
        ring.request(DISCARD, 9000, nr_sectors=128)
    if era in (XENLINUX, FRAMES):
        ring.request(BARRIER, 5000, [(0, 2048)])
    if era >= POINTERS:
        ring.request(WRITE, 6000, [(0, 4096)] * 20 + [(0, 1024)])


def few(ring, era):
    """Of each kind one, on few pages, without data: for fuzz_eras.c."""
    ring.request(READ, 64, [(0, 4096)], answered=True)
    ring.request(WRITE, 1000, [(512, 3584), (0, 512)], slot=5)
    ring.request(FLUSH if era >= FRAMES else READ, 0, () if era >= FRAMES else [(0, 512)])
    if era == FRAMES or era >= LISTS:
        ring.request(DISCARD, 9000, nr_sectors=128)
    if era >= POINTERS:
        ring.request(WRITE, 6000, [(0, 512)] * 12)


def fill(ring, era):
    for i in range(ring.d.n):
        ring.request(WRITE, 100 + 16 * i, [(0, 4096)] if i % 3 else [(2048, 2048), (0, 1024)])


def nothing(ring, era):
    pass


def guest(era, bits, options=("-DADDR=8",), levels=None, how=usual, disks="a", nr_rings=1, entry=None,
          ring_pages=1, persistent=True, recovering=False, waiting=False):
    g = Guest(bits, levels or (3 if bits == 32 else 4), entry or (40 if bits == 32 else 64))
    devices = []
    for letter in disks:
        d = Driver(g, era, options, letter, nr_rings, ring_pages, persistent)
        for ring in d.rings:
            how(ring, era)
            if waiting:
                wait(ring)
            ring.finish()
        if waiting:
            queue(d)
        if recovering:
            d.set("info.connected", 2, 4)
        devices.append(d)
    if era >= RINGS:  # info_list is not reachable without symbols, but is there
        for d in devices:
            g.word(d.info + d.p["info.info_list"], d.info + d.p["info.info_list"])
    g.devices = devices
    truth = [{"vdev": "xvd" + d.letter, "handle": d.vdev, "state": "suspended" if recovering else
              "connected", "entries": [r.d.n for r in d.rings],
              "requests": [r.used[i] for r in d.rings for i in sorted(r.used)],
              "queued": [q for r in d.rings for q in r.queued] if waiting else None} for d in devices]
    return g, truth


def ring_of_lists(g, head, nodes):
    """struct list_head, a pointer forth and one back."""
    ends = [head, *nodes, head]
    for here, there in zip(ends, ends[1:]):
        g.word(here, there)
        g.word(there + g.w, here)


def text(g, words):
    at = g.alloc(len(words) + 1)
    g.write(at, words.encode() + b"\0")
    return at


def xen_bus(g, p, devices):
    """bus_kset: buses, and on the one named xen the devices of all its drivers. Returns the kset."""
    kset, entries = g.alloc(p["kset"]), []
    for name in ("pci", "xen", "cpu"):
        private, bus = g.alloc(p["private"]), g.alloc(p["bus"])
        g.word(bus + p["bus.name"], text(g, name))
        g.word(private + p["private.bus"], bus)
        entries.append(private + p["private.subsys.kobj.entry"])
        klist = private + p["private.klist_devices"]
        nodes = []
        others = [("device/console/0", 0), ("device/vif/0", g.alloc(64))]
        for path, data in others + [(f"device/vbd/{d.vdev}", d.info) for d in devices] if name == "xen" else ():
            xen, own = g.alloc(p["xenbus"]), g.alloc(p["device_private"])
            g.word(xen + p["xenbus.nodename"], text(g, path))
            g.word(own + p["device_private.device"], xen + p["xenbus.dev"])
            if "device_private.driver_data" in p:
                g.word(own + p["device_private.driver_data"], data)
            else:
                g.word(xen + p["xenbus.dev.driver_data"], data)
            knode = own + p["device_private.knode_bus"]
            g.word(knode + p["knode.n_klist"], klist)
            nodes.append(knode + p["knode.n_node"])
        ring_of_lists(g, klist + p["klist.k_list"], nodes)
    ring_of_lists(g, kset + p["kset.list"], entries)
    return kset


# Functions of Linux; the order is of no matter.
FUNCTIONS = ("_stext", "start_kernel", "panic", "do_exit", "schedule", "kfree", "vfs_read", "vfs_write",
             "inode_init_once", "dput", "bio_endio", "submit_bio", "vsnprintf", "memparse", "_etext")
BUILD_ID = bytes(range(0x31, 0x45))


class Image:
    """The kernel's own pages, where it was moved to: code, banner, notes, the list of devices, and
    kallsyms of a kernel without CONFIG_KALLSYMS_ALL, which names no data."""

    PFN, PAGES, NR = 5120, 32, 2200
    CODE, NOTES, LIST, BANNER, TABLES = 0, 0x9000, 0x9100, 0x9200, 0xA000

    def __init__(self, g, slide):
        self.g, self.slide = g, slide
        for i in range(self.PAGES):
            g.mem[self.PFN + i] = bytearray(PAGE)
        self.va = g.at(self.PFN) if g.w == 4 else 0xFFFFFFFF81000000 + slide
        if g.w == 8:
            for i in range(self.PAGES):
                g.map(self.va + i * PAGE, self.PFN + i)
        note = struct.pack("<III", 4, len(BUILD_ID), 3) + b"GNU\0" + BUILD_ID
        self.write(self.NOTES, struct.pack("<III", 4, 4, 3) + b"Xen\0" + bytes(4) + note)
        self.write(self.BANNER, b"Linux version 6.1.0-made-up (nobody)\0")
        self.places = {name: self.CODE + 0x800 * k for k, name in enumerate(FUNCTIONS)}
        self.write(self.TABLES, self.kallsyms())

    def write(self, off, data):
        self.g.write(self.g.at(self.PFN, off), data)

    def kallsyms(self):
        """As scripts/kallsyms.c of Linux 6.1 puts them: offsets, base, number, names, markers, tokens
        and their index; each token is a character here."""
        w, places = self.g.w, dict(self.places)
        last = places["_etext"]
        for i in range(self.NR - len(places)):
            places[f"f{i:04}"] = last * i // self.NR
        names = sorted(places, key=lambda name: (places[name], name))

        def aligned(data):
            return data + bytes(-len(data) % w)

        # 64 bits: CONFIG_KALLSYMS_ABSOLUTE_PERCPU, relative ones are negative
        offsets = [places[n] if w == 4 else -1 - places[n] for n in names]
        text, marks = b"", []
        for k, n in enumerate(names):
            if k % 256 == 0:
                marks.append(len(text))
            text += bytes([len(n) + 1]) + b"T" + n.encode()
        tokens, index = b"", []
        for code in range(256):
            index.append(len(tokens))
            tokens += (bytes([code]) if 48 <= code < 123 else b"") + b"\0"
        return b"".join(aligned(part) for part in (
            struct.pack(f"<{len(names)}i", *offsets), self.va.to_bytes(w, "little"),
            struct.pack("<I", len(names)), text, struct.pack(f"<{len(marks)}I", *marks), tokens,
            struct.pack("<256H", *index)))

    def symbols(self, *others):
        """What the linker is told: addresses before the move, of data too."""
        of_file = {name: self.va - self.slide + off for name, off in {
            **self.places, "_text": self.CODE, "the_end": self.PAGES * PAGE, "linux_banner": self.BANNER,
            "info_list": self.LIST, "__start_notes": self.NOTES, "__stop_notes": self.NOTES + 0x40,
        }.items()}
        if "one function is elsewhere" in others:
            of_file["vfs_read"] += 0x10
        if "few functions" in others:
            for name in FUNCTIONS[3:-1]:
                del of_file[name]
        return of_file


def kernel_guests():
    """Of pvops, also with larger locks, of which only types can tell, and of 5.8 and newer moved by
    KASLR: (era, bits, options, slide)."""
    larger = ("-DADDR=8", "-DLOCK=3", "-DWORK=6")
    found = {}
    for era in range(FRAMES, VDISK + 1):
        for bits in (64, 32):
            if era >= FLEXIBLE or bits == 64:
                found[f"{ERAS[era]}-{bits}"] = (era, bits, ("-DADDR=8",), 0)
            if era >= FLEXIBLE or bits == 32:
                found[f"{ERAS[era]}-{bits}-debug"] = (era, bits, larger, 0)
            if era >= FLEXIBLE:
                slide = 0x400000 if bits == 32 else 0x20A00000
                found[f"{ERAS[era]}-{bits}-moved"] = (era, bits, ("-DADDR=8",), slide)
    return found


def build_kernel(elf, bits, options, era, symbols, build_id=BUILD_ID):
    source = os.path.join(HERE, "blkfront-layouts.c")
    types = ["gcc", f"-m{bits}", "-g", "-fno-eliminate-unused-debug-types", "-DTYPES_ONLY", *options]
    link = ["-nostdlib", "-static", "-no-pie", "-Wl,-e,0", f"-Wl,--build-id=0x{build_id.hex()}",
            *(f"-Wl,--defsym={name}={at:#x}" for name, at in symbols.items())]
    subprocess.run([*types, f"-DERA={era}", *link, "-o", elf, source], check=True)
    subprocess.run([*types, f"-DERA={era}", "-c", "-o", elf + ".ko", source], check=True)
    subprocess.run([*types, "-x", "c", "-", *link, "-o", elf + ".bare"], check=True,
                   input=b"struct other { unsigned long word; } *some_other;\n")
    if "the_end" in symbols:  # the linker has an _end of its own
        for path in (elf, elf + ".bare"):
            subprocess.run(["objcopy", "-N", "_end", path], check=True)
            subprocess.run(["objcopy", "--redefine-sym", "the_end=_end", path], check=True)


def kernel_memory(name):
    """A guest with a banner, and requests that wait where it has blk-mq; its devices are on info_list
    from 4.19 on, and on the bus before. Returns it, the truth, the symbols of its file, and the Image
    of one that was moved."""
    era, bits, options, slide = kernel_guests()[name]
    g, truth = guest(era, bits, options, disks="ab", nr_rings=2 if slide else 1, waiting=era >= RINGS)
    p, page, image = g.devices[0].p, g.alloc(PAGE), None
    head = here = page + 0x100
    symbols = {"linux_banner": page}
    if slide:
        image = Image(g, slide)
        symbols, head, here = image.symbols(), image.va + image.LIST, g.at(image.PFN, image.LIST)
    if era >= RINGS:
        symbols.setdefault("info_list", head)
        links = [(head, here), *((d.info + p["info.info_list"],) * 2 for d in g.devices), (head, here)]
        for (at, where), (there, back) in zip(links, links[1:]):
            g.word(where, there)
            g.word(back + g.w, at)
    else:
        g.word(page + 0x200, xen_bus(g, p, g.devices))
        symbols["bus_kset"] = page + 0x200
    g.write(page, b"Linux version 6.1.0-made-up (nobody)\0")
    return g, truth, symbols, image


def kernel_file(name, save, elf):
    """Guest and files. ELF has the types of that era; ELF.bare has none of them, ELF.ko, a module, has.
    Of a kernel that was moved also ELF.id, of another build, ELF.elsewhere, of whose functions one is
    elsewhere, and ELF.few, which names too few of them. Returns the truth."""
    era, bits, options, _ = kernel_guests()[name]
    g, truth, symbols, image = kernel_memory(name)
    with open(save, "wb") as f:
        f.write(g.stream())
    build_kernel(elf, bits, options, era, symbols)
    if image:
        for end, others, build_id in ((".id", (), BUILD_ID[::-1]), (".few", ("few functions",), BUILD_ID),
                                      (".elsewhere", ("one function is elsewhere",), BUILD_ID)):
            build_kernel(elf + end, bits, options, era, image.symbols(*others), build_id)
    return truth


def table():
    found = {}
    for era, name in ERAS.items():
        for bits in (64, 32):
            start = f"{name}-{bits}"
            found[start] = functools.partial(guest, era, bits)
            found[start + "-full"] = functools.partial(guest, era, bits, how=fill)
            found[start + "-idle"] = functools.partial(guest, era, bits, how=nothing)
            found[start + "-disks"] = functools.partial(guest, era, bits, disks="abc")
            found[start + "-debug"] = functools.partial(
                guest, era, bits, options=("-DADDR=8", "-DLOCK=3", "-DWORK=6"))
            found[start + "-recovering"] = functools.partial(guest, era, bits, recovering=True)
            if era >= POINTERS:
                found[start + "-plain"] = functools.partial(guest, era, bits, persistent=False)
            if era >= PAGES:
                found[start + "-pages"] = functools.partial(guest, era, bits, ring_pages=4)
            if era >= RINGS:
                found[start + "-queues"] = functools.partial(guest, era, bits, nr_rings=3)
        found[f"{name}-32-nopae"] = functools.partial(
            guest, era, 32, options=("-DADDR=4", "-DSG_LENGTH=0"), levels=2, entry=32)
        found[f"{name}-32-length"] = functools.partial(
            guest, era, 32, options=("-DADDR=4",), levels=2, entry=44)
    # With locks that large a ring's structure is another one: the scan of those takes locks of one
    # size, or of PREEMPT_RT.
    for era in (RINGS, FLEXIBLE, VDISK):
        for bits in (64, 32):
            del found[f"{ERAS[era]}-{bits}-debug"]
    return found


def write_few(folder):
    """The guests of fuzz_eras.c, without data."""
    for name, make in table().items():
        if not re.fullmatch(r"[^-]*-(64|32|32-nopae)", name):
            continue
        g, _ = make(how=few)
        for pfn in g.payload:
            g.mem[pfn] = bytearray(PAGE)
        with open(os.path.join(folder, name + ".save"), "wb") as f:
            f.write(g.stream())


def main(argv):
    guests = table()
    if argv[1:] == ["--list"]:
        print("\n".join(guests))
        return 0
    if len(argv) == 5 and argv[1] == "--kernel" and argv[2] in kernel_guests():
        kernel_file(*argv[2:])
        return 0
    if len(argv) == 3 and argv[1] == "--few":
        write_few(argv[2])
        return 0
    if len(argv) != 4 or argv[1] not in guests:
        raise SystemExit(__doc__)
    g, truth = guests[argv[1]]()
    with open(argv[2], "wb") as f:
        f.write(g.stream())
    with open(argv[3], "w") as f:
        json.dump(truth, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
