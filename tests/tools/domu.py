# SPDX-License-Identifier: BSD-2-Clause
"""What mkdomu.py builds its guests of: memory behind page tables, places of C members, block rings.

Shares no code with the program. Places of members are asked of the compiler, -m32 or -m64.
"""
import json
import os
import re
import struct
import subprocess
import sys

import mkstream

PAGE = 4096
READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT = 0, 1, 2, 3, 5, 6
NAMES = {READ: "read", WRITE: "write", BARRIER: "barrier", FLUSH: "flush", DISCARD: "discard"}


class Members:
    """Offsets and sizes in the declarations of frontends.h, as the compiler of a target has them."""

    def __init__(self, bits, defines, wanted):
        here = os.path.dirname(os.path.abspath(__file__))
        lines = ['#include "frontends.h"', "void f(void) {"]
        for name in wanted:
            kind, _, member = name.partition(".")
            value = "__builtin_offsetof(struct %s, %s)" % (kind, member) if member else "sizeof(struct %s)" % kind
            lines.append('__asm__ volatile("\\n@@ %s %%c0" : : "i"(%s));' % (name, value))
        run = subprocess.run(["gcc", "-m%d" % bits, "-ffreestanding", "-S", "-x", "c", "-", "-o", "-", "-I", here]
                             + ["-D" + d for d in defines], input="\n".join(lines + ["}"]),
                             capture_output=True, text=True)
        if run.returncode:
            sys.exit(run.stderr)
        self.at = {n: int(v) for n, v in re.findall(r"^@@ (\S+) (\d+)", run.stdout, re.M)}

    def __getitem__(self, name):
        return self.at[name]


class Guest:
    """An HVM guest of one vcpu with paging: PAE or four levels. Frame numbers are the machine's."""

    def __init__(self, bits, nr=512):
        self.bits = bits
        self.word = bits // 8
        self.mem = {p: bytearray(PAGE) for p in range(nr)}
        self.absent = set()
        self.nr = nr
        self.next = 32      # frames below are the tables', the store's and the console's
        self.tables = 4
        self.map = {}
        self.kva = 0xfffffe0000000000 if bits == 64 else 0xc4000000
        self.grant = {}     # reference -> frame
        self.next_gref = 8
        self.store = bytearray(PAGE)
        self.store_at = 0
        self.vcpus = 1

    # -- memory

    def frame(self):
        self.next += 1
        return self.next - 1

    def alloc(self, nbytes, contiguous=False, va=None):
        """Fresh pages at the next kernel address; scattered frames unless contiguous."""
        n = -(-nbytes // PAGE)
        frames = [self.frame() for _ in range(n)]
        if not contiguous:
            frames.reverse()
        if va is None:
            va = self.kva
            self.kva += (n + 1) * PAGE
        for i, f in enumerate(frames):
            self.map[va + i * PAGE] = f
        return va

    def heap(self, nbytes, align=16):
        """Small objects, several to a page."""
        if not hasattr(self, "_heap") or self._heap[0] + nbytes + align > self._heap[1]:
            size = max(PAGE, -(-(nbytes + align) // PAGE) * PAGE)
            base = self.alloc(size)
            self._heap = [base, base + size]
        at = -(-self._heap[0] // align) * align
        self._heap[0] = at + nbytes
        return at

    def pfn(self, va):
        return self.map[va & ~(PAGE - 1)]

    def write(self, va, data):
        while data:
            off = va % PAGE
            n = min(len(data), PAGE - off)
            self.mem[self.pfn(va)][off:off + n] = data[:n]
            va, data = va + n, data[n:]

    def read(self, va, n):
        out = b""
        while n:
            off = va % PAGE
            k = min(n, PAGE - off)
            out += bytes(self.mem[self.pfn(va)][off:off + k])
            va, n = va + k, n - k
        return out

    def put(self, va, value, size):
        self.write(va, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def ptr(self, va, value):
        self.put(va, value, self.word)

    def text(self, s):
        data = s.encode() + b"\0"
        at = self.heap(len(data))
        self.write(at, data)
        return at

    def give(self, va_or_pfn, is_pfn=False):
        gref = self.next_gref
        self.next_gref += 1
        self.grant[gref] = va_or_pfn if is_pfn else self.pfn(va_or_pfn)
        return gref

    # -- page tables: entries at frame 3 on

    def build_tables(self):
        levels = 4 if self.bits == 64 else 3
        for va, pfn in self.map.items():
            table = 3
            for level in range(levels - 1, 0, -1):
                index = va >> (12 + 9 * level) & (511 if self.bits == 64 or level < 2 else 3)
                entry = struct.unpack_from("<Q", self.mem[table], 8 * index)[0]
                if not entry:
                    if self.tables >= 32:
                        sys.exit("too many page tables")
                    flags = 1 if levels == 3 and level == 2 else 0x63
                    entry = self.tables << 12 | flags
                    self.tables += 1
                    struct.pack_into("<Q", self.mem[table], 8 * index, entry)
                table = entry >> 12
            struct.pack_into("<Q", self.mem[table], 8 * (va >> 12 & 511), pfn << 12 | 0x63)

    # -- the kernel's symbols, where a loader leaves them

    def put_symbols(self, rows, with_header):
        """rows: (address, type, name). FreeBSD's form, or that with an ELF header."""
        names, syms = b"\0", bytes(24 if self.bits == 64 else 16)
        rows = [(0xffffffff80000000 + i, "t", "function_%d" % i) for i in range(300)] + rows
        for addr, _, name in rows:
            entry = ("<IBBHQQ", len(names), 0x11, 0, 1, addr, 8) if self.bits == 64 else \
                ("<IIIBBH", len(names), addr & 0xffffffff, 4, 0x11, 0, 1)
            syms += struct.pack(*entry)
            names += name.encode() + b"\0"
        word = lambda v: v.to_bytes(self.word, "little")
        if not with_header:
            pad = bytes(-len(names) % self.word)
            blob = word(len(syms)) + syms + word(len(names) + len(pad)) + names + pad
        else:
            head, each = (64, 64) if self.bits == 64 else (52, 40)
            off = head + 3 * each
            ident = b"\x7fELF" + bytes([2 if self.bits == 64 else 1, 1, 1]) + bytes(9)
            ehdr = struct.pack("<16sHHIQQQIHHHHHH" if self.bits == 64 else "<16sHHIIIIIHHHHHH", ident, 2,
                               62 if self.bits == 64 else 3, 1, 0, 0, head, 0, head, 0, 0, each, 3, 0)
            shdr = lambda kind, at, size: struct.pack("<IIQQQQIIQQ" if self.bits == 64 else "<10I",
                                                      0, kind, 0, 0, at, size, 0, 0, 8, 0)
            blob = ehdr + shdr(0, 0, 0) + shdr(2, off, len(syms)) + shdr(3, off + len(syms), len(names)) + syms + names
        at = 0xffffffff80200000 if self.bits == 64 else 0xc0800000
        self.write(self.alloc(len(blob) + 4096, va=at) + (0x100 if not with_header else 0), blob)

    # -- xenstore and grants: params 1 (store) and 2 (console) of mkstream are frames 0xfeffc.. there

    def tell_store(self, path, value):
        body = path.encode() + b"\0" + value.encode()
        for byte in struct.pack("<IIII", 11, 1, 0, len(body)) + body:
            self.store[self.store_at % 1024] = byte
            self.store_at += 1

    def put_grant_table(self, version=1):
        """In frames at the end of memory, as a dump of an HVM guest has them."""
        each = 8 * version
        first = self.nr
        nr = max(self.grant, default=8) * each // PAGE + 1
        for i in range(nr):
            self.mem[first + i] = bytearray(PAGE)
        table = dict(self.grant)
        table[1] = 1
        for gref, pfn in table.items():
            entry = struct.pack("<HHI", 1, 0, pfn) if version == 1 else struct.pack("<HHIQ", 1, 0, 0, pfn)
            frame, off = divmod(gref * each, PAGE)
            self.mem[first + frame][off:off + each] = entry
        self.nr += nr

    def save(self, path, disks=(), kind="hvm"):
        self.build_tables()
        self.mem[1] = self.store
        pages = [(p, bytes(self.mem[p])) for p in sorted(self.mem) if p not in self.absent]
        s = mkstream.Stream().libxc(2, 3).static_end()
        for i in range(0, len(pages), 256):
            some = pages[i:i + 256]
            words = b"".join(struct.pack("<Q", p) for p, _ in some)
            s.rec(1, struct.pack("<II", len(some), 0) + words + b"".join(d for _, d in some))
        s.rec(8, struct.pack("<IIQII", 1, 2400000, 77, 1, 0))
        s.rec(9, b"".join(mkstream.hvm_cpus(4 if self.bits == 64 else 3)) + struct.pack("<HHI", 0, 0, 0))
        s.rec(10, struct.pack("<II", 2, 0) + struct.pack("<4Q", 1, 1, 2, 2)).rec(0)
        conf = [{"vdev": d, "pdev_path": "/dev/vg/" + d, "backend": "phy", "format": "raw", "readwrite": 1}
                for d in disks]
        out = mkstream.Stream().xl(mkstream.config(kind, disks=conf)).append(mkstream.in_libxl(s))
        with open(path, "wb") as f:
            f.write(out.b)


class Request:
    """A request of a disk: what the driver asked for, and where its data lies."""

    def __init__(self, op, sector=0, nsect=0, buf=0, ident=0):
        self.op, self.sector, self.nsect, self.buf, self.id = op, sector, nsect, buf, ident
        self.grefs, self.indirect = [], []
        self.slot = None
        self.state = "pending"
        self.status = 0
        self.handle = 0

    def segments(self, guest):
        """(page's address, first, last) of each page."""
        out, at, left = [], self.buf, self.nsect * 512
        while left and self.op in (READ, WRITE, BARRIER):
            n = min(left, PAGE - at % PAGE)
            out.append((at & ~(PAGE - 1), at % PAGE // 512, (at % PAGE + n) // 512 - 1))
            at, left = at + n, left - n
        return out

    def truth(self, guest, slot):
        segs = [{"pfn": hex(guest.pfn(va)), "offset": 512 * a, "bytes": 512 * (b - a + 1), "gref": g}
                for (va, a, b), g in zip(self.segments(guest), self.grefs or [None] * 4096)]
        has = self.op == DISCARD or bool(segs)
        return {"slot": slot, "op": NAMES[self.op], "sector": self.sector if has else None,
                "nr_sectors": self.nsect, "state": self.state, "segments": segs}


class Ring:
    """The shared ring: the frontend posts, the backend answers, as io/ring.h has it."""

    def __init__(self, guest, pages=1, abi=None, contiguous=True):
        self.g = guest
        self.abi = abi or guest.bits
        self.size = 112 if self.abi == 64 else 108
        self.id_at, self.sector_at, self.seg_at = (8, 16, 24) if self.abi == 64 else (4, 12, 20)
        self.pages = pages
        self.n = 1
        while self.n * 2 <= (pages * PAGE - 64) // self.size:
            self.n *= 2
        self.va = guest.alloc(pages * PAGE, contiguous)
        self.req_prod = self.rsp_prod = self.rsp_cons = self.published = 0
        self.grefs = [guest.give(self.va + i * PAGE) for i in range(pages)]
        self.at = {}        # index of request -> Request
        self.header()

    def header(self, req_event=None, rsp_event=None):
        self.g.put(self.va, self.published, 4)
        self.g.put(self.va + 4, self.published + 1 if req_event is None else req_event, 4)
        self.g.put(self.va + 8, self.rsp_prod, 4)
        self.g.put(self.va + 12, self.rsp_cons + 1 if rsp_event is None else rsp_event, 4)

    def slot_va(self, index):
        return self.va + 64 + index % self.n * self.size

    def post(self, r, publish=True):
        va = self.slot_va(self.req_prod)
        segs = r.segments(self.g)
        if not r.grefs:
            r.grefs = [self.g.give(s[0]) for s in segs]
        self.g.put(va + self.id_at, r.id, 8)
        if r.op == DISCARD:
            self.g.write(va, bytes([DISCARD, 0]) + struct.pack("<H", r.handle))
            self.g.put(va + self.sector_at, r.sector, 8)
            self.g.put(va + self.seg_at, r.nsect, 8)
        elif len(segs) > 11:
            self.g.write(va, bytes([INDIRECT, r.op]) + struct.pack("<H", len(segs)))
            self.g.put(va + self.sector_at, r.sector, 8)
            self.g.put(va + self.seg_at, r.handle, 2)
            self.post_indirect(va, r, segs)
        else:
            self.g.write(va, bytes([r.op, len(segs)]) + struct.pack("<H", r.handle))
            self.g.put(va + self.sector_at, r.sector if segs else 2 ** 64 - 1, 8)
            for i, ((_, a, b), gref) in enumerate(zip(segs, r.grefs)):
                self.g.write(va + self.seg_at + 8 * i, struct.pack("<IBBH", gref, a, b, 0))
        r.index = self.req_prod
        self.at[self.req_prod] = r
        self.req_prod += 1
        if publish:
            self.published = self.req_prod
        self.header()
        return r

    def post_indirect(self, va, r, segs):
        for i in range(0, len(segs), 512):
            page = r.indirect[i // 512] if i // 512 < len(r.indirect) else self.g.alloc(PAGE)
            for k, ((_, a, b), gref) in enumerate(zip(segs[i:i + 512], r.grefs[i:i + 512])):
                self.g.write(page + 8 * k, struct.pack("<IBBH", gref, a, b, 0))
            self.g.put(va + self.seg_at + 4 + 4 * (i // 512), self.g.give(page), 4)

    def answer(self, r, status=0, consume=True):
        va = self.slot_va(self.rsp_prod)
        self.g.put(va, r.id, 8)
        self.g.write(va + 8, bytes([r.op, 0]) + struct.pack("<h", status))
        self.rsp_prod += 1
        r.state, r.status = "responded", status
        if consume:
            self.rsp_cons = self.rsp_prod
            r.state = "done"
        self.header()

    def window(self):
        return [self.at[i] for i in range(self.rsp_prod, self.published)]


def fill(guest, va, nbytes, seed):
    """Bytes that tell where they belong."""
    guest.write(va, b"".join(struct.pack("<QQ", seed, i) for i in range(nbytes // 16)))


def write_truth(path, truth):
    with open(path, "w") as f:
        json.dump(truth, f, indent=1)
