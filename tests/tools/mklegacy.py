#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write a guest as the tool stacks of Xen 3.0 to 4.5 would have saved it.

The guest is taken from a checkpoint of today (xl, libxl, libxc, or a Xen 2.0 image), so that what
its requests are is known; or it is a small made-up one. Written from the format descriptions;
shares no code with the program, nor with mkstream.py.

  mklegacy.py GUEST OUT [options]     GUEST: a file, or made:pv64, made:pae, made:2level, made:hvm
  mklegacy.py --recipes KIND          names and options of the tests' recipes (pv64, hvm, small)
  mklegacy.py --corpus DIR            small ones of all kinds, as seeds for fuzzing

Zeros become holes of OUT. --marks FILE: the offsets at which something begins, one a line.
--epochs FILE: those at which epochs of Remus end.
"""
import argparse
import json
import mmap
import os
import shlex
import struct
import sys

PAGE = 4096
ZERO = bytes(PAGE)
NOTAB, L1, L2, L3, L4, PIN, BROKEN, XALLOC, XTAB = 0, 1, 2, 3, 4, 8, 13, 14, 15
NO_DATA = (BROKEN, XALLOC, XTAB)
MAX_BATCH = 1024
# index of the HVM parameter that each chunk carries
CHUNK_PARAM = {-3: 12, -4: 15, -8: 17, -10: 19, -11: 9, -14: 34, -15: 27, -16: 28, -17: 29, -19: 32, -20: 33}


class Guest:
    """What any format says of a guest. pages: pfn -> (type, bytes or None)"""

    def __init__(self):
        self.hvm = False
        self.width, self.levels = 8, 4
        self.p2m_size = 0
        self.p2m_frames = []
        self.pages = {}
        self.vcpus = {}  # id -> context
        self.extended, self.xsave = {}, {}
        self.shared_info = bytes(PAGE)
        self.hvm_context = b""
        self.params = {}
        self.emulator = b""
        self.config = {}


def read_records(data, off):
    while True:
        kind, size = struct.unpack_from("<II", data, off)
        yield kind, data[off + 8:off + 8 + size] if kind != 1 else (off + 8, size), off + 8 + (size + 7 & ~7)
        off += 8 + (size + 7 & ~7)


def read_libxc(g, data, off):
    """A stream of version 2 or 3 without checkpoints; returns the offset behind its END."""
    g.hvm = struct.unpack_from("<I", data, off + 24)[0] == 2
    for kind, body, after in read_records(data, off + 40):
        if kind == 0:
            return after
        if kind == 1:
            at, _ = body
            count, = struct.unpack_from("<I", data, at)
            words = struct.unpack_from("<%dQ" % count, data, at + 8)
            at += 8 + 8 * count
            for word in words:
                pfn, t = word & (1 << 52) - 1, word >> 60
                g.pages[pfn] = (t, None if t in NO_DATA else data[at:at + PAGE])
                at += 0 if t in NO_DATA else PAGE
        elif kind == 2:
            g.width, g.levels = body[0], body[1]
        elif kind == 3:
            g.p2m_size = struct.unpack_from("<I", body, 4)[0] + 1
            g.p2m_frames = list(struct.unpack("<%dQ" % (len(body) // 8 - 1), body[8:]))
        elif kind in (4, 5, 6) and len(body) > 8:
            {4: g.vcpus, 5: g.extended, 6: g.xsave}[kind][struct.unpack_from("<I", body)[0]] = body[8:]
        elif kind == 7:
            g.shared_info = body
        elif kind == 9:
            g.hvm_context = body
        elif kind == 10:
            for i in range(struct.unpack_from("<I", body)[0]):
                index, value = struct.unpack_from("<QQ", body, 8 + 16 * i)
                g.params[index] = value


def read_libxl(g, data, off):
    off += 16
    while True:
        kind, size = struct.unpack_from("<II", data, off)
        body, off = off + 8, off + 8 + (size + 7 & ~7)
        if kind == 0:
            return
        if kind == 1:
            off = read_libxc(g, data, body)
        elif kind == 3:
            g.emulator = data[body + 8:body + size]


def read_xen2(g, data):
    """The contexts of 2.0.1 and newer only."""
    g.width, g.levels = 4, 2
    g.p2m_size, = struct.unpack_from("<I", data, 16)
    g.p2m_frames = list(struct.unpack_from("<%dI" % ((g.p2m_size + 1023) // 1024), data, 20))
    size, = struct.unpack_from("<I", data, 4116)
    off = 4120 + size
    while True:
        count, = struct.unpack_from("<i", data, off)
        off += 4
        if not count:
            break
        words = struct.unpack_from("<%dI" % count, data, off)
        off += 4 * count
        for word in words:
            if word >> 28 != XTAB:
                g.pages[word & 0xfffffff] = (word >> 28, data[off:off + PAGE])
                off += PAGE
    count, = struct.unpack_from("<I", data, off)
    off += 4 + 4 * count
    g.vcpus[0] = context_of_xen2(data[off:off + 2516])
    g.shared_info = data[off + 2516:off + 2516 + PAGE]


def context_of_xen2(old):
    """The same registers where Xen 3.0 has them; EDX names start_info, which the suspend record is."""
    ctx = bytearray(2800)
    regs = [("ebx", 4, 0), ("ecx", 8, 4), ("esi", 16, 12), ("edi", 20, 16), ("ebp", 24, 20), ("eax", 28, 24),
            ("eip", 36, 32), ("eflags", 44, 40), ("esp", 48, 44), ("ss", 52, 48), ("es", 56, 52),
            ("ds", 60, 56), ("fs", 64, 60), ("gs", 68, 64)]
    for _, there, here in regs:
        ctx[516 + here:516 + here + 4] = old[there:there + 4]
    ctx[516 + 36:516 + 38] = old[40:42]  # cs has two bytes here
    ctx[524:528] = old[16:20]
    ctx[2640:2704] = old[2388:2452]
    ctx[2704:2708] = old[2452:2456]
    ctx[2728:2732] = old[2464:2468]
    return bytes(ctx)


def context_of_2005(ctx, size):
    """The same as xen-unstable had it before the FPU's state came first: with pt_base or ctrlreg[8]."""
    old = bytearray(size)
    old[4:72] = ctx[516:584]
    old[2640:2648] = ctx[2632:2640]
    old[2648:2716] = ctx[2640:2708]
    if size == 2816:
        old[2724:2756] = ctx[2716:2748]
    else:
        old[2724:2728] = ctx[2728:2732]
    return bytes(old)


def read_real(path):
    g = Guest()
    with open(path, "rb") as f:
        data = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    off = 0
    if data[:32] == b"Xen saved domain, xl format\n \0 \r":
        size, = struct.unpack_from("<I", data, 48)
        g.config = json.loads(data[52:52 + size].rstrip(b"\0"))
        off = 48 + struct.unpack_from("<I", data, 44)[0]
    if data[off:off + 8] == b"LibxlFmt":
        read_libxl(g, data, off)
    elif data[off:off + 16] == b"LinuxGuestRecord":
        read_xen2(g, data)
    else:
        read_libxc(g, data, off)
    if g.hvm:
        g.p2m_size = max(g.pages) + 1
    return g


# -- made-up guests

ROOT, INFO, GDT, P2M, SUSPEND, STORE, CONSOLE, DATA = 5, 6, 7, 8, 9, 1, 2, 16
TABLES = {8: [(L4, 273), (L3, 0), (L2, 0), (L1, 0)], 3: [(L3, 3), (L2, 0), (L1, 0)], 2: [(L2, 768), (L1, 0)]}


def pattern(pfn, version=0):
    return (struct.pack("<QQ", pfn, version) + bytes((pfn * 7 + version * 13 + i) & 0xff for i in range(16)) * 255)


def made_tables(g, chain):
    """One table a level from ROOT down through frames 10, 11, ..; the last maps 8 frames from DATA on."""
    frames = [ROOT] + list(range(10, 10 + len(chain) - 1))
    size = 4 if g.levels == 2 else 8
    for i, (kind, index) in enumerate(chain):
        table = bytearray(PAGE)
        if i + 1 < len(chain):
            entries = [frames[i + 1]]
        else:
            entries = list(range(DATA, DATA + 8))
        for k, frame in enumerate(entries):
            entry = frame << 12 | 0x67
            table[(index + k) * size:(index + k + 1) * size] = entry.to_bytes(size, "little")
        g.pages[frames[i]] = (kind | (PIN if i == 0 else 0), bytes(table))


def made_start_info(g):
    body = bytearray(pattern(INFO))
    magic = {8: b"xen-3.0-x86_64", 3: b"xen-3.0-x86_32p", 2: b"xen-3.0-x86_32"}[8 if g.width == 8 else g.levels]
    body[:32] = magic.ljust(32, b"\0")
    if g.width == 8:
        struct.pack_into("<Q8xQ", body, 56, STORE, CONSOLE)
    else:
        struct.pack_into("<I4xI", body, 44, STORE, CONSOLE)
    g.pages[INFO] = (NOTAB, bytes(body))


def made_context(g, number):
    ctx = bytearray(5168 if g.width == 8 else 2800)
    if g.width == 8:
        fields = [("Q", 616, INFO), ("Q", 648, 0xffff888000000000 + number), ("Q", 4832, GDT), ("I", 4960, 16),
                  ("Q", 4992, ROOT << 12 | 1), ("Q", 5008, ROOT << 12)]
    else:
        fields = [("I", 524, INFO), ("I", 548, 0xc0000000 + number), ("I", 2640, GDT), ("I", 2704, 16),
                  ("I", 2728, ROOT << 12)]
    for fmt, off, value in fields:
        struct.pack_into("<" + fmt, ctx, off, value)
    return bytes(ctx)


def made_hvm_context(n):
    def record(kind, number, body):
        return struct.pack("<HHI", kind, number, len(body)) + body
    out = record(1, 0, struct.pack("<IIQII", 0x54381286, 1, 0, 0, 0))
    for i in range(n):
        cpu = bytearray(1024)
        struct.pack_into("<4Q", cpu, 656, 0x80000001, 0, 0x3000, 0x20)
        struct.pack_into("<Q", cpu, 992, 0x500)
        out += record(2, i, bytes(cpu))
    return out + record(0, 0, b"")


def made(name, vcpus=2):
    g = Guest()
    g.p2m_size = 64
    g.config = {"c_info": {"name": "made", "uuid": "00000000-1111-2222-3333-444444444444"},
                "b_info": {"max_vcpus": 2}, "disks": [{"vdev": "xvda", "pdev_path": "vg/made", "readwrite": 1}]}
    g.pages = {p: (NOTAB, pattern(p)) for p in range(40)}
    if name == "hvm":
        g.hvm, g.width, g.emulator = True, 8, b"QEVM\0\0\0\3" + bytes(21)
        g.params = {1: 60, 5: 61, 6: 62, 9: 3, 12: 0xfeffe000, 15: 0xfef00000, 17: 59, 19: 1, 27: 55, 28: 56,
                    29: 57, 32: 50, 33: 8, 34: 0xfc00}
        g.hvm_context = made_hvm_context(vcpus)
        return g
    g.width, g.levels = {"pv64": (8, 4), "pae": (4, 3), "2level": (4, 2)}[name]
    made_tables(g, TABLES[8 if g.width == 8 else g.levels])
    made_start_info(g)
    g.p2m_frames = [P2M]
    g.shared_info = b"SHIN" + bytes(4092)
    for n in range(vcpus):
        g.vcpus[n] = made_context(g, n)
        g.extended[n] = bytes([n + 1]) * 64
        g.xsave[n] = struct.pack("<QQ", 7, 7) + bytes([n + 17]) * 576
    return g


# -- writing

class Out:
    """A sparse file, and where something begins."""

    def __init__(self, path):
        self.f = open(path, "wb")
        self.marks = [0]
        self.epochs = []  # where each ends
        self.at = 0

    def mark(self):
        if self.marks[-1] != self.at:
            self.marks.append(self.at)

    def put(self, data):
        self.f.write(data)
        self.at += len(data)

    def page(self, data):
        if data == ZERO:
            self.f.seek(PAGE, os.SEEK_CUR)
            self.at += PAGE
        else:
            self.put(data)

    def close(self):
        self.f.truncate(self.at)
        self.f.close()


def squeeze(old, new):
    """One page as Remus sends it: nothing, a delta in words of four bytes, or all of it."""
    if new == old:
        return b"\0"
    before, after = struct.unpack("<1024I", old), struct.unpack("<1024I", new)
    changed = [i for i in range(1024) if before[i] != after[i]] + [1024]
    out, at = [], 0
    while at < 1024:
        copy = changed[0] == at
        end = changed[0]
        if copy:
            end = at
            while changed[0] == end < 1024:
                changed.pop(0)
                end += 1
        for first in range(at, end, 127):
            n = min(127, end - first)
            out.append(bytes([n]) + new[4 * first:4 * (first + n)] if copy else bytes([0x80 | n]))
        at = end
    code = b"".join(out)
    return code if len(code) < PAGE else b"\x80" + new


class Legacy:
    """One libxc stream. since: (3, 0) .. (4, 5)."""

    def __init__(self, g, out, opt):
        self.g, self.out, self.opt = g, out, opt
        self.w = opt.tools // 8
        self.since = tuple(int(n) for n in opt.since.split("."))
        self.extended = not g.hvm and (self.since >= (3, 2) or opt.ext_cr3)
        self.current = {}  # pfn -> content as of the epoch before
        self.epoch = 0

    def ulong(self, *values):
        return struct.pack("<%d%s" % (len(values), "Q" if self.w == 8 else "I"), *values)

    def chunk(self, number, body=b""):
        self.out.mark()
        self.out.put(struct.pack("<i", number))
        self.out.mark()
        self.out.put(body)

    def header(self):
        self.out.mark()
        self.out.put(self.ulong(self.g.p2m_size))
        if self.g.hvm:
            return
        if self.extended:
            self.extended_info()
        self.out.mark()
        frames = self.g.p2m_frames
        if not self.extended and self.opt.list_bytes:
            frames = (frames + [0xbad] * 1024)[:self.opt.list_bytes // self.w]
        self.out.put(self.ulong(*frames))

    def extended_info(self):
        # The registers are those of the running guest, its frames those of the machine.
        stale = bytearray(self.g.vcpus[0])
        at = (5008, "<Q") if self.g.width == 8 else (2728, "<I")
        struct.pack_into(at[1], stale, at[0], 0x7ead000)
        blocks = b"vcpu" + struct.pack("<I", len(stale)) + stale
        if self.since >= (3, 2):
            blocks += b"extv" + struct.pack("<I", 0)
        if self.since >= (4, 1) and self.g.xsave:
            blocks += b"xcnt" + struct.pack("<II", 4, len(self.g.xsave[0]))
        if self.opt.odd_block:
            blocks += b"oddb" + struct.pack("<I", 7) + b"unknown"
        self.out.mark()
        self.out.put(self.ulong((1 << 8 * self.w) - 1) + struct.pack("<I", len(blocks)))
        self.out.mark()
        self.out.put(blocks)

    # -- pages

    def order(self):
        pfns = sorted(self.g.pages)
        if self.since < (3, 3):  # they went through a permutation
            n = len(pfns)
            step = next(s for s in range(n * 5 // 8 | 1, 2 * n + 3, 2) if gcd(s, n) == 1)
            pfns = [pfns[i * step % n] for i in range(n)]
        return pfns

    def no_page(self, pfn):
        """A frame of the machine until 3.4; an HVM guest's own in 4.0 (xc_domain_save.c); nothing."""
        if self.since < (4, 0):
            return XTAB << 28 | (0x12345 + pfn & 0xfffffff)
        return XTAB << 28 | (pfn if self.g.hvm and self.since < (4, 1) else 0)

    def word(self, pfn):
        kind, _ = self.g.pages[pfn]
        if kind == XTAB:
            return self.no_page(pfn)
        if kind == XALLOC and self.since < (4, 2):
            return XTAB << 28
        return kind << 28 | pfn

    def batches(self, pfns, content=None, drop=()):
        """content: pfn -> bytes, in place of the guest's own."""
        for first in range(0, len(pfns), MAX_BATCH):
            part = pfns[first:first + MAX_BATCH]
            words = [self.no_page(p) if p in drop else self.word(p) for p in part]
            if self.since >= (3, 4) and all(w >> 28 == XTAB for w in words):
                continue
            self.chunk(len(part), self.ulong(*words))
            for pfn, word in zip(part, words):
                if word >> 28 in NO_DATA:
                    continue
                self.out.mark()
                data = (content or {}).get(pfn)
                self.out.page(self.g.pages[pfn][1] if data is None else data)

    def memory(self):
        pfns = self.order()
        wrong = {p: pattern(p, 1) for p in self.touched()}
        if self.opt.live:  # first what was there before; some pages not at all, some only allocated
            self.batches(pfns, wrong, drop=set(pfns[3::11]))
            if self.since >= (4, 2):
                self.chunk(2, self.ulong(XALLOC << 28 | pfns[0], XALLOC << 28 | pfns[-1]))
            again = set(self.touched()) | set(pfns[3::11]) | {pfns[0], pfns[-1]}
            self.batches([p for p in pfns if p in again])
        else:
            self.batches(pfns)
        if self.opt.broken:
            self.chunk(1, self.ulong(BROKEN << 28 | self.g.p2m_size - 1))
        if self.opt.verify:
            self.chunk(-1)
            self.batches(pfns[:50], wrong)

    def touched(self):
        """Pages that say something: those that a delta or a second copy is worth testing with."""
        return [p for p, (t, data) in sorted(self.g.pages.items()) if data is not None and data != ZERO and not t]

    # -- the other chunks

    def tmem(self):
        oid = 8 if self.since < (4, 1) else 24
        pool = struct.pack("<IIIQQ", 0, 1, 3, 0x1111, 0x2222)
        for n in range(2):
            pool += bytes([n + 1]) * oid + struct.pack("<I", n) + bytes([0xee]) * PAGE
        pool += b"\xff" * oid  # the list ends early
        pool += struct.pack("<IIIQQ", 1, 0, 0, 3, 4)
        self.chunk(-5, struct.pack("<7I", 1, 16, 0xffffffff, 0, 5, 6, 0xffffffff) + pool + b"\xff" * 4)

    def tmem_extra(self):
        oid = 8 if self.since < (4, 1) else 24
        self.chunk(-6, (struct.pack("<I", 0) + bytes([7]) * oid + struct.pack("<I", 1)) * 2 + b"\xff" * 4)

    def tsc(self):
        self.chunk(-7, struct.pack("<IQII", 1, 0x1122334455, 2400000, 1))

    def vcpu_info(self):
        ids = sorted(self.g.vcpus) or [0]
        bits = [0] * (ids[-1] // 64 + 1)
        for n in ids:
            bits[n // 64] |= 1 << n % 64
        self.chunk(-2, struct.pack("<i%dQ" % len(bits), ids[-1], *bits))

    def hvm_chunks(self):
        first = {-3: (3, 3), -4: (3, 4), -8: (4, 1), -10: (4, 1), -19: (4, 5), -20: (4, 5)}
        for number, param in sorted(CHUNK_PARAM.items(), reverse=True):
            if self.since >= first.get(number, (4, 2)) and self.g.params.get(param):
                self.chunk(number, struct.pack("<IQ", 0xbadbad, self.g.params[param]))

    def toolstack(self):
        name = b"vga.vram\0"
        blob = struct.pack("<II", 1, 1) + struct.pack("<QQQI", 0x10000, 0xf0000000, 0x800000, len(name)) + name
        self.chunk(-18, struct.pack("<I", len(blob) + (4 if self.w == 8 else 0)) + blob + b"junk"[:self.w - 4])

    def body_end(self, last):
        if self.since >= (3, 1):
            self.vcpu_info()
        if self.g.hvm:
            self.hvm_chunks()
        if self.since >= (4, 2):
            self.toolstack()
        if last and self.since >= (4, 1):
            self.chunk(-9)
        if self.opt.compress and self.epoch == 0:
            self.chunk(-13)
        self.chunk(0)

    # -- tails

    def pv_tail(self):
        missing = [p for p in range(self.g.p2m_size) if p not in self.g.pages]
        self.out.mark()
        self.out.put(struct.pack("<I", len(missing)) + self.ulong(*missing))
        for n, ctx in sorted(self.g.vcpus.items()):
            if n and self.since < (3, 1):
                break
            self.out.mark()
            self.out.put(context_of_2005(ctx, self.opt.context) if self.opt.context else ctx)
            if self.extended and self.since >= (3, 2):
                self.out.mark()
                self.out.put(self.g.extended.get(n, b"").ljust(128, b"\0"))
            if self.since >= (4, 1) and self.g.xsave and not (self.opt.no_xsave and n):
                xsave = self.g.xsave[n]
                self.out.mark()
                self.out.put(struct.pack("<QQ", 7, len(xsave) - 16) + xsave[16:])
        self.out.mark()
        self.out.put(self.g.shared_info)
        self.out.mark()

    def hvm_tail(self):
        self.out.mark()
        self.out.put(struct.pack("<3Q", *[self.g.params.get(p, 0) for p in (5, 6, 1)]))
        self.out.put(struct.pack("<I", len(self.g.hvm_context)))
        self.out.mark()
        self.out.put(self.g.hvm_context)
        self.out.mark()
        self.qemu()
        self.out.mark()

    def qemu(self):
        data, how = self.g.emulator or b"QEVM\0\0\0\3" + bytes(30), self.opt.qemu
        if how == "eof":
            self.out.put(b"QemuDeviceModelRecord")
        elif how == "xapi":
            self.out.put(b"QemuDeviceModelRecord\n" + struct.pack(">I", len(data)))
        elif how in ("0002", "remus"):
            self.out.put(b"DeviceModelRecord0002" if how == "0002" else b"RemusDeviceModelState")
            self.out.put(struct.pack("<I", len(data)))
        if how != "none":
            self.out.mark()
            self.out.put(data)

    def tail(self):
        if self.g.hvm:
            self.hvm_tail()
        else:
            self.pv_tail()

    # -- Remus

    def content(self, pfn, epoch, last):
        """What a page held in an epoch: nearer and nearer to what it holds at last."""
        data = self.g.pages[pfn][1]
        if epoch == last:
            return data
        body = bytearray(data)
        for k in range(epoch, last):
            at = (pfn * 52 + k * 404) % (PAGE - 16) & ~3
            body[at:at + 8] = struct.pack("<II", pfn & 0xffffffff, k)
        return bytes(body)

    def remus(self):
        last = self.opt.remus
        pages = self.touched()
        for epoch in range(last + 1):
            self.epoch = epoch
            sent = [p for p in pages if epoch in (0, last) or (p + epoch) % 3]
            new = {p: self.content(p, epoch, last) for p in sent}
            if epoch == 0:
                self.batches(self.order(), new)
            elif self.opt.compress:
                self.squeezed(sent, new)
            else:
                self.batches(sent, new)
            self.current.update(new)
            self.body_end(last=False)
            self.tail()
            self.out.epochs.append(self.out.at)
        if self.opt.cut:
            self.lost_epoch(pages)

    def squeezed(self, pfns, new):
        """Words first, then what belongs to them, in two parts of which the first comes early. A third
        of the pages is sent whole, as page tables are."""
        words, parts = [], []
        for i, pfn in enumerate(pfns):
            words.append(self.g.pages[pfn][0] << 28 | pfn)
            whole = i % 3 == 2
            parts.append(b"\x80" + new[pfn] if whole else squeeze(self.current[pfn], new[pfn]))
        half = len(pfns) // 2
        for first, end in ((0, half), (half, len(pfns))):
            for at in range(first, end, MAX_BATCH):
                part = words[at:min(at + MAX_BATCH, end)]
                self.chunk(len(part) + 1, self.ulong(XTAB << 28, *part))
            data = b"".join(parts[first:end])
            cut = len(data) // 3 if self.opt.split else 0  # in the middle of a page, too
            for piece in (data[:cut], data[cut:]):
                if piece:
                    self.chunk(-12, self.ulong(len(piece)) + piece)

    def lost_epoch(self, pages):
        """An epoch whose end never came: nothing of it counts."""
        wrong = {p: pattern(p, 9) for p in pages}
        if self.opt.compress:
            self.squeezed(pages, wrong)
        else:
            self.batches(pages, wrong)

    def write(self):
        if self.opt.wrap != "xen2":
            self.header()
        if self.opt.tmem:
            self.tmem()
        if self.since >= (4, 0) and not self.opt.live:
            self.tsc()
        if self.opt.remus:
            self.remus()
            return
        self.memory()
        if self.opt.tmem:
            self.tmem_extra()
        if self.since >= (4, 0) and self.opt.live:
            self.tsc()
        self.body_end(last=True)
        self.tail()


def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


# -- wrappers

def sxp(g):
    """As xend describes a running domain; the second disk is of the class that blktap has."""
    c, b = g.config.get("c_info", {}), g.config.get("b_info", {})
    disks = ""
    for i, d in enumerate(g.config.get("disks", [])):
        cls, uname = ("tap", "tap:aio:") if i == 1 else ("vbd", "phy:")
        disks += ("(device (%s (uuid 0bf85e3f-0000-0000-0000-00000000000%d) (bootable %d) (dev %s:disk) (uname "
                  "%s%s) (mode %s) (backend 0) (VDI )))" %
                  (cls, i, i == 0, d.get("vdev"), uname, d.get("pdev_path", ""), "w" if d.get("readwrite") else "r"))
    kind = "hvm (kernel /usr/lib/xen/boot/hvmloader)" if g.hvm else "linux (kernel '/boot/vmlinuz (old)')"
    return ("(domain (domid 7) (cpu_weight 256) (bootloader ) (on_crash restart) (uuid %s) (vcpus %d) (name '%s') "
            "(memory 128) (maxmem 128) (image (%s (args \"root=/dev/xvda quoted=\\\"x\\\"\"))) (status 2) (state -b----) "
            "(store_mfn 123456) (device (vif (bridge xenbr0) (mac 00:16:3e:00:00:01))) %s)" %
            (c.get("uuid"), b.get("max_vcpus", len(g.vcpus) or 1), c.get("name"), kind, disks)).encode()


def xlcfg(g):
    c, b = g.config.get("c_info", {}), g.config.get("b_info", {})
    disks = []
    for i, d in enumerate(g.config.get("disks", [])):
        access = "w" if d.get("readwrite") else "r"
        if i % 2:
            disks.append('"format=raw, vdev=%s, access=%s, target=%s"' % (d.get("vdev"), access, d.get("pdev_path", "")))
        else:
            disks.append("'phy:%s,%s,%s'" % (d.get("pdev_path", ""), d.get("vdev"), access))
    return ("# a comment with disk = [ 'phy:/no,xvdz,w' ]\nname = \"%s\"\nuuid = '%s'\n%svcpus = %d\nmemory = 128\n"
            "disk = [ %s,\n ]\nvif = [ 'mac=00:16:3e:00:00:01' ]\n" %
            (c.get("name"), c.get("uuid"), "builder = 'hvm'\n" if g.hvm else "", b.get("max_vcpus", len(g.vcpus) or 1),
             ",\n  ".join(disks))).encode()


def domain_xml(g):
    c, b = g.config.get("c_info", {}), g.config.get("b_info", {})
    disks = ""
    for i, d in enumerate(g.config.get("disks", [])):
        source = "<source %s='%s'/>" % ("file" if i % 2 else "dev", d.get("pdev_path", "").replace("&", "&amp;"))
        disks += ("<disk type='%s' device='disk'><driver name='%s' type='raw'/>%s<target dev='%s' bus='xen'/>%s</disk>"
                  % ("file" if i % 2 else "block", "qemu" if i % 2 else "phy", source, d.get("vdev"),
                     "" if d.get("readwrite") else "<readonly/>"))
    return ("<domain type='xen'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n  <memory unit='KiB'>131072</memory>\n"
            "  <vcpu placement='static'>%d</vcpu>\n  <os><type arch='x86_64'>%s</type></os>\n  <devices>%s</devices>\n"
            "</domain>\n" % (c.get("name"), c.get("uuid"), b.get("max_vcpus", len(g.vcpus) or 1),
                             "hvm" if g.hvm else "linux", disks)).encode()


def xl_header(out, config, flags):
    data = struct.pack("<I", len(config) + 1) + config + b"\0"
    out.put(b"Xen saved domain, xl format\n \0 \r" + struct.pack("<IIII", 0x01020304, flags, 0, len(data)))
    out.mark()
    out.put(data)


def libvirt_header(out, config, version):
    out.put(b"libvirt-xml\n \0 \r" + struct.pack("<II40x", version, len(config) + 1))
    out.mark()
    out.put(config + b"\0")


def xapi_record(out, kind, body=b""):
    out.mark()
    out.put(struct.pack("<QQ", kind, len(body)))
    out.mark()
    out.put(body)


def copy_stream(g, out, opt):
    """What stands behind the xl header of the guest's file, as it is."""
    with open(opt.guest, "rb") as f:
        f.seek(44)
        f.seek(48 + struct.unpack("<I", f.read(4))[0])
        for block in iter(lambda: f.read(PAGE), b""):
            if len(block) == PAGE:
                out.page(block)
            else:
                out.put(block)


def write_wrapped(g, out, opt):
    wrap = opt.wrap
    if wrap == "xen2":  # which has all of the header
        text = sxp(g)
        out.put(b"LinuxGuestRecord" + struct.pack("<I", g.p2m_size))
        out.put(struct.pack("<1024I", *(g.p2m_frames + [0xbad] * 1024)[:1024]))
        out.put(struct.pack("<I", len(text)) + text)
    elif wrap == "xend":
        text = sxp(g)
        out.put(b"LinuxGuestRecord")
        out.mark()
        out.put(struct.pack(">I", len(text)))
        out.mark()
        out.put(text)
    elif wrap == "xl":
        xl_header(out, xlcfg(g), 0)
    elif wrap == "xl-json":
        xl_header(out, json.dumps(g.config, indent=4).encode(), 1)
    elif wrap in ("libvirt1", "libvirt2"):
        libvirt_header(out, domain_xml(g), int(wrap[-1]))
    elif wrap == "xapi1":
        out.put(b"XenSavedDomain\n")
    elif wrap == "xapi2":
        out.put(b"XenSavedDomv2-\n")
        name = g.config.get("c_info", {})
        xapi_record(out, 0x000f, b'((time 20150801T10:00:00Z)(word_size 64)(vm_str"((id %s)(name\\"%s\\")(ssidref 0)(vcpu_max 2)'
                    b'(vcpus 2))")(xs_subtree((/local/domain/3/vm-data""))))' %
                    (str(name.get("uuid")).encode(), str(name.get("name")).encode()))
        xapi_record(out, 0x00f1 if opt.stream else 0x00f2)
    out.mark()
    if opt.stream:
        copy_stream(g, out, opt)
    else:
        Legacy(g, out, opt).write()
    if wrap == "xapi2":
        xapi_record(out, 0xffff)
    out.mark()


# Of real guests, to be dumped; and what else is there to be read of small ones.
PV64 = {
    "3.0": "--since 3.0 --tools 64",
    "3.1-live": "--since 3.1 --tools 64 --wrap xend --live",
    "3.4-32": "--since 3.4 --tools 32 --wrap xend",
    "4.0-tmem": "--since 4.0 --tools 64 --tmem",
    "4.1-xl-32": "--since 4.1 --tools 32 --wrap xl --verify",
    "4.4-live": "--since 4.4 --tools 64 --wrap xl --live --tmem --verify",
    "4.5-json": "--since 4.5 --tools 64 --wrap xl-json --odd-block",
    "remus-4.0": "--since 4.0 --tools 64 --wrap xend --remus 3 --cut",
    "remus-4.2": "--since 4.2 --tools 64 --wrap xl --remus 4 --compress --cut",
    "libvirt": "--since 4.4 --tools 64 --wrap libvirt1",
    "xapi": "--since 4.4 --tools 64 --wrap xapi2",
    "xapi-old": "--since 4.1 --tools 32 --wrap xapi1",
}
HVM = {
    "3.1": "--since 3.1 --tools 64 --wrap xend --qemu eof",
    "4.2-xl": "--since 4.2 --tools 64 --wrap xl --qemu 0002 --live",
    "4.5-bare": "--since 4.5 --tools 32",
    "remus": "--since 4.2 --tools 64 --wrap xl --qemu remus --remus 3 --compress --cut",
    "xapi-old": "--since 4.1 --tools 32 --wrap xapi1 --qemu xapi",
}
SMALL = {"pv64-" + k: "made:pv64 " + v for k, v in PV64.items()}
SMALL.update({"hvm-" + k: "made:hvm " + v for k, v in HVM.items()})
SMALL.update({
    "pv64-3.0-xend": "made:pv64 --since 3.0 --tools 64 --wrap xend",
    "pv64-3.2-xend": "made:pv64 --since 3.2 --tools 64 --wrap xend",
    "pv64-4.1-xl": "made:pv64 --since 4.1 --tools 64 --wrap xl",
    "pv64-4.3-broken": "made:pv64 --since 4.3 --tools 64 --wrap xl --broken",
    "pv64-4.5-no-xsave": "made:pv64 --since 4.5 --tools 64 --no-xsave",
    "pv64-remus-4.5": "made:pv64 --since 4.5 --tools 32 --remus 3 --compress --split",
    "hvm-3.4-32": "made:hvm --since 3.4 --tools 32 --wrap xend --qemu eof",
    "hvm-4.0": "made:hvm --since 4.0 --tools 64 --qemu eof",
    "hvm-4.5-json": "made:hvm --since 4.5 --tools 64 --wrap xl-json --qemu 0002",
    "hvm-libvirt": "made:hvm --since 4.5 --tools 64 --wrap libvirt1 --qemu 0002",
    "hvm-xapi": "made:hvm --since 4.4 --tools 64 --wrap xapi2 --qemu 0002",
})
SMALL.update({"hvm-" + k: "made:hvm " + v for k, v in HVM.items()})
SMALL.update({
    "2level-3.0": "made:2level --since 3.0 --tools 32",
    "2level-4.2": "made:2level --since 4.2 --tools 32 --wrap xl",
    "2level-xend": "made:2level --since 3.0 --tools 32 --wrap xend --live",
    "2level-hybrid": "made:2level --since 3.0 --tools 32 --wrap xend --list-bytes 4096",
    "pae-3.0": "made:pae --since 3.0 --tools 32",
    "pae-3.0.3": "made:pae --since 3.0 --tools 32 --ext-cr3 --wrap xend",
    "pae-3.1": "made:pae --since 3.1 --tools 32 --ext-cr3",
    "pae-4.1": "made:pae --since 4.1 --tools 32 --wrap xl",
    "pae-on-64": "made:pae --since 3.2 --tools 64 --wrap xend",
    "pae-remus": "made:pae --since 4.2 --tools 64 --remus 3 --compress --cut",
})


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("guest", nargs="?")
    p.add_argument("out", nargs="?")
    p.add_argument("--recipes", choices=["pv64", "hvm", "small"])
    p.add_argument("--corpus", metavar="DIR")
    p.add_argument("--since", default="4.5", help="the Xen that writes it")
    p.add_argument("--tools", type=int, choices=[32, 64], default=64, help="bits of the tool stack")
    p.add_argument("--wrap", default="none",
                   choices=["none", "xen2", "xend", "xl", "xl-json", "libvirt1", "libvirt2", "xapi1", "xapi2"])
    p.add_argument("--qemu", default="none", choices=["none", "eof", "0002", "remus", "xapi"])
    for flag in ("live", "verify", "tmem", "compress", "cut", "split", "broken", "odd-block", "no-xsave", "ext-cr3"):
        p.add_argument("--" + flag, action="store_true")
    p.add_argument("--stream", action="store_true", help="keep the stream of GUEST, change the wrapper")
    p.add_argument("--remus", type=int, default=0, metavar="EPOCHS")
    p.add_argument("--context", type=int, choices=[2784, 2816], help="bytes of a context of 2005")
    p.add_argument("--list-bytes", type=int, default=0, help="length of the list of p2m frames")
    p.add_argument("--marks", metavar="FILE")
    p.add_argument("--epochs", metavar="FILE", help="the offsets at which Remus' epochs end")
    return p


def make(opt):
    g = made(opt.guest[5:]) if opt.guest.startswith("made:") else read_real(opt.guest)
    out = Out(opt.out)
    write_wrapped(g, out, opt)
    out.close()
    for path, offsets in ((opt.marks, out.marks), (opt.epochs, out.epochs)):
        if path:
            with open(path, "w") as f:
                f.writelines("%d\n" % n for n in offsets)


def main():
    parser = arguments()
    opt = parser.parse_args()
    if opt.recipes:
        for name, text in {"pv64": PV64, "hvm": HVM, "small": SMALL}[opt.recipes].items():
            print(name, text)
        return
    if opt.corpus:
        os.makedirs(opt.corpus, exist_ok=True)
        for name, text in SMALL.items():
            words = shlex.split(text)
            make(parser.parse_args([words[0], os.path.join(opt.corpus, name)] + words[1:]))
        return
    if not opt.out:
        parser.error("GUEST and OUT are needed")
    make(opt)


if __name__ == "__main__":
    sys.exit(main())
