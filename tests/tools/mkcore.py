#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make a core dump of the guest in a real checkpoint: mkcore.py KIND CHECKPOINT OUT
Of small made-up guests, as seeds for fuzzing and damage: mkcore.py --seeds DIR

  xen        what `xl dump-core` writes: of a PV guest with machine frames in its page tables, CR3 and
             GDT, as the guest's own table in the checkpoint has them; of a PVH or HVM guest without
  xen-mixed  the same, but every page has moved to a machine frame of no order at all; source frames
             are then those, not the guest's
  xccore     what `xm dump-core` of Xen 3.0.4 wrote: the list of machine frames without order, and no
             word about whose they are; of an HVM guest in the order of its memory, as its builder asked
             for it. xccore-300: as 3.0.0 did, without the last vcpu; HVM guests of 3.0.3: xccore-303
  qemu       what `dump-guest-memory` of the emulator writes, of a PVH or HVM guest
  vmcore     what the kernel started by a crash offers as /proc/vmcore, of a PVH or HVM guest: no note
             of an emulator, but the guest's own text about its kernel, which its memory holds
  kdump      the emulator's with -z, packed with zlib; kdump-lzo, kdump-snappy, kdump-zstd: with those
  makedumpfile   the same as kdump, flattened, in two pieces a table

Written from docs/misc/dump-core-format.txt, public/elfnote.h, the ELF specification, QEMU's
docs/specs and makedumpfile's description of its formats; shares no code with the program. The
checkpoint is read by second_reader.py. Pages of nothing but zeros become holes of the file.
"""
import ctypes
import mmap
import pathlib
import re
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from second_reader import Reader  # noqa: E402

PAGE = 4096
FRAME = (1 << 52) - PAGE  # of a page-table entry, in place
NOBODY = (1 << 64) - 1


class Guest(Reader):
    """A checkpoint, and where the registers of its vcpus stand."""

    def __init__(self, data):
        self.contexts, self.lists = {}, []
        super().__init__(data)
        self.start()
        self.hvm = self.out["guest"] != "pv"
        self.levels = self.out["pt_levels"]
        self.at = {pfn: (kind, off) for pfn, (kind, off) in self.pages.at.items()
                   if off is not None}
        self.frames = {} if self.hvm else self.own_table()

    def pv_vcpu(self, number, ctx):
        super().pv_vcpu(number, ctx)
        self.contexts[number] = ctx

    def hvm_context(self, at):
        super().hvm_context(at)
        while True:
            kind, instance, size = self.u("<HHI", at)
            if kind == 0:
                return
            if kind == 2:
                self.contexts[instance] = at + 8
            at += 8 + size

    def libxc(self, off, bare):
        at = off
        while True:
            kind, size = self.u("<II", at)
            if kind == 3:
                first, last = self.u("<II", at + 8)
                self.lists = self.u("<%dQ" % (last // 512 - first // 512 + 1), at + 16)
            if kind in (0, 14):
                break
            at += 8 + (size + 7 & ~7)
        return super().libxc(off, bare)

    def page(self, pfn):
        off = self.at[pfn][1]
        return self.d[off:off + PAGE]

    def own_table(self):
        """{pfn: machine frame}, of the pages that are the guest's p2m table."""
        frames = {}
        for i, where in enumerate(self.lists):
            for k, mfn in enumerate(struct.unpack("<512Q", self.page(where))):
                if i * 512 + k in self.at and mfn >> 62 == 0:
                    frames[i * 512 + k] = mfn
        return frames


class Made:
    """A guest of twelve pages: page tables, and data that a kernel address maps. Frame 9 is away. With
    `table`, two more: start_info, and the guest's own table of machine frames."""

    BASE = 0xffffffff80000000

    def __init__(self, hvm, levels=4, table=False):
        self.hvm, self.contexts, self.at = hvm, {0: 0}, {}
        self.levels = levels
        tables = {4: [(1, 4, 511, 2), (2, 3, 510, 3), (3, 2, 0, 4)],
                  3: [(1, 3, 3, 3), (3, 2, 0, 4)], 2: [(1, 2, 768, 4)]}[levels]
        entry = "<I" if levels == 2 else "<Q"
        pages = {p: bytearray(bytes([p]) * PAGE) for p in range(12) if p != 9}
        for p, level, _, _ in tables + [(4, 1, 0, 0)]:
            pages[p][:] = bytes(PAGE)
            self.at[p] = level, None
        top = levels == 3 and 1 or 7  # PAE's top entries have no other bits
        for p, level, index, to in tables:
            struct.pack_into(entry, pages[p], index * struct.calcsize(entry),
                             to << 12 | (top if level == levels else 7))
        for i, to in enumerate((5, 6, 7, 8, 9, 10, 11)):
            struct.pack_into(entry, pages[4], i * struct.calcsize(entry), to << 12 | 3)
        self.d = bytearray(5168)
        self.registers(levels)
        for p, data in pages.items():
            self.at[p] = self.at.get(p, (0, 0))[0], len(self.d)
            self.d += data
        self.frames = {} if hvm else {p: 0x100 + (p * 5 & 15) for p in (*pages, 12, 13)}
        if table and not hvm:
            self.own_pages(levels, entry)

    def own_pages(self, levels, entry):
        word = "<Q" if levels == 4 else "<I"
        base = self.BASE if levels == 4 else 0xc0000000
        info, table = bytearray(PAGE), bytearray(b"\xff" * PAGE)
        info[:32] = {4: b"xen-3.0-x86_64", 3: b"xen-3.0-x86_32p",
                     2: b"xen-3.0-x86_32"}[levels].ljust(32, b"\0")
        struct.pack_into(word, info, 32, 14)
        struct.pack_into(word, info, 104 if levels == 4 else 68, base + 7 * PAGE)
        for p, mfn in self.frames.items():
            struct.pack_into(word, table, p * struct.calcsize(word), mfn)
        struct.pack_into(entry, self.d, self.at[4][1] + 7 * struct.calcsize(entry), 13 << 12 | 3)
        for p, data in ((12, info), (13, table)):
            self.at[p] = 0, len(self.d)
            self.d += data

    def registers(self, levels):
        if not self.hvm:
            if levels == 4:
                struct.pack_into("<Q", self.d, 5008, 1 << 12)
            else:
                struct.pack_into("<I", self.d, 2728, 1 << 12)
            return
        struct.pack_into("<QQQQ", self.d, 656, 0x80000001, 0, 1 << 12, 0x20 if levels > 2 else 0)
        struct.pack_into("<Q", self.d, 640, self.BASE if levels == 4 else 0xc0000000)  # rip

    def u(self, fmt, off):
        return struct.unpack_from(fmt, self.d, off)

    def page(self, pfn):
        off = self.at[pfn][1]
        return bytes(self.d[off:off + PAGE])


def mixed(guest):
    """Frames without order: neighbours are far apart, and nothing is where it was."""
    pfns = sorted(guest.frames)
    return {pfn: 0x40000 + (k * 0x9e3779b1 & 0xffffff) for k, pfn in enumerate(pfns)}


def with_frames(guest, pfn, kind, frames):
    """The page as it stood in memory: what is a page table there holds machine frames."""
    data = guest.page(pfn)
    level = kind & 7
    if kind & ~8 > 4 or not level:
        return data
    fmt = "<1024I" if guest.levels == 2 else "<512Q"
    entries = list(struct.unpack(fmt, data))
    for i, e in enumerate(entries):
        to = (e & FRAME) >> 12
        if e & 1 and to in frames:
            entries[i] = e & ~FRAME | frames[to] << 12
    if level == 4:  # Xen's own entries: frames of nobody, and the table itself
        for i in range(256, 272):
            entries[i] = 0x70000000 + i * PAGE | 0x63
        entries[258] = frames[pfn] << 12 | 0x63
    return struct.pack(fmt, *entries)


def pv_context(guest, number, frames):
    off = guest.contexts[number]
    ctx = bytearray(guest.d[off:off + 5168])
    if guest.levels < 4:  # the smaller structure at the start of the larger one
        top = frames[struct.unpack_from("<I", ctx, 2728)[0] >> 12]
        struct.pack_into("<I", ctx, 2728, (top << 12 | top >> 20) & 0xffffffff)
        return bytes(ctx)
    for at in (4992, 5008):  # CR1, CR3
        cr, = struct.unpack_from("<Q", ctx, at)
        if cr >> 12 in frames:
            struct.pack_into("<Q", ctx, at, frames[cr >> 12] << 12)
    for at in range(4832, 4832 + 16 * 8, 8):  # GDT
        frame, = struct.unpack_from("<Q", ctx, at)
        if frame in frames:
            struct.pack_into("<Q", ctx, at, frames[frame])
    return bytes(ctx)


def hvm_context(guest, number):
    """What xc_vcpu_getcontext() gives of a vcpu with its own page tables."""
    off = guest.contexts[number]
    ctx = bytearray(5168)
    for to, source in ((616, 536), (624, 552), (648, 640), (664, 648), (672, 568),  # rdx rsi rip...
                       (4984, 656), (5000, 664), (5008, 672), (5016, 680)):         # CR0 2 3 4
        ctx[to:to + 8] = guest.d[off + source:off + source + 8]
    ctx[656:658] = guest.d[off + 736:off + 738]  # cs
    return bytes(ctx)


class Out:
    def __init__(self, path):
        self.f = open(path, "wb")

    def put(self, data):
        if data.count(0) == len(data):
            self.f.seek(len(data), 1)
        else:
            self.f.write(data)

    def pad(self, to):
        self.f.seek(-self.f.tell() % to, 1)

    def close(self):
        self.f.truncate(self.f.tell())
        self.f.close()


def note(name, kind, desc):
    name += b"\0"
    return (struct.pack("<III", len(name), len(desc), kind) + name + bytes(-len(name) % 4)
            + desc + bytes(-len(desc) % 4))


def xen_version(levels):
    desc = bytearray(1280)
    struct.pack_into("<QQ16s", desc, 0, 4, 17, b".7")
    desc[176:176 + 40] = (b"xen-3.0-x86_32" if levels == 2 else
                          b"xen-3.0-x86_64 xen-3.0-x86_32p").ljust(40, b"\0")
    struct.pack_into("<Q", desc, 1264, 0xffff800000000000)
    struct.pack_into("<Q", desc, 1272 if levels == 4 else 1268, PAGE)
    return bytes(desc)


def xen(guest, out, frames):
    pfns = sorted(guest.at) if guest.hvm else sorted(p for p in guest.at if p in frames)
    vcpus = sorted(guest.contexts)
    notes = (note(b"Xen", 0x2000000, b"")
             + note(b"Xen", 0x2000001, struct.pack("<QQQQ", 0xf00febee if guest.hvm else 0xf00febed,
                                                   len(vcpus), len(pfns), PAGE))
             + note(b"Xen", 0x2000002, xen_version(4 if guest.hvm else guest.levels))
             + note(b"Xen", 0x2000003, struct.pack("<Q", 1)))
    table = b"".join(struct.pack("<Q", p) if guest.hvm else struct.pack("<QQ", p, frames[p])
                     for p in pfns)
    parts = [(b".note.Xen", 7, notes, 0),
             (b".xen_prstatus", 1, b"".join(hvm_context(guest, n) if guest.hvm
                                            else pv_context(guest, n, frames) for n in vcpus), 5168),
             (b".xen_shared_info", 1, bytes(PAGE), PAGE),
             (b".xen_pages", 1, None, PAGE),
             (b".xen_pfn" if guest.hvm else b".xen_p2m", 1, table, 8 if guest.hvm else 16)]
    names, headers, at = b"\0", [], 64 + 64 * 7
    for name, kind, data, each in [(b".shstrtab", 3, b"", 0)] + parts:
        size = len(pfns) * PAGE if data is None else len(data)
        if data is None:
            at += -at % PAGE
        headers.append([len(names), kind, 0, 0, at, size, 0, 0, 1, each])
        names += name + b"\0"
        at += size
    headers[0][4:6] = at, len(names)
    out.put(b"\x7fELF\2\1\1\0\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 0, 64, 0, 64, 56, 0, 64, 7, 1))
    out.put(bytes(64) + b"".join(struct.pack("<IIQQQQIIQQ", *h) for h in headers))
    for _, _, data, _ in parts:
        if data is None:
            out.pad(PAGE)
            for pfn in pfns:
                out.put(guest.page(pfn) if guest.hvm
                        else with_frames(guest, pfn, guest.at[pfn][0], frames))
        else:
            out.f.write(data)
    out.f.write(names)


# -- before Xen 3.1

def xccore_context(guest, number, frames, hvm_flag):
    """CR3 names a machine frame of HVM guests, too."""
    size = 5168 if guest.levels == 4 or guest.hvm and not hasattr(guest, "BASE") else 2800
    if not guest.hvm:
        return pv_context(guest, number, frames)[:size]
    wide = bytearray(hvm_context(guest, number))
    top = frames[struct.unpack_from("<Q", wide, 5008)[0] >> 12]
    if size == 2800:
        ctx = bytearray(size)
        for to, at in ((548, 648), (560, 672), (2716, 4984), (2732, 5016)):
            ctx[to:to + 4] = wide[at:at + 4]
        struct.pack_into("<I", ctx, 2728, (top << 12 | top >> 20) & 0xffffffff)
    else:
        ctx = wide
        struct.pack_into("<Q", ctx, 5008, top << 12)
    struct.pack_into("<I", ctx, 512, hvm_flag)
    return bytes(ctx)


def xccore(guest, out, release=0x304):
    if guest.hvm:
        # Memory in one piece from frame 0 on; what is missing was empty.
        end = max(p for p in guest.at if p < 0xf0000) + 1
        pfns = [p for p in range(end) if release < 0x304 or not 0xa0 <= p < 0xc0]
        frames = {p: 0x40000 + (k * 0x9e3779b1 & 0xffffff) for k, p in enumerate(pfns)}
    else:
        frames = guest.frames
        pfns = sorted(guest.at.keys() & frames.keys(), key=lambda p: p * 0x9e3779b1 & 0xffffffff)
    wide = guest.levels == 4 or guest.hvm and not hasattr(guest, "BASE")
    contexts = [xccore_context(guest, n, frames, 2 if guest.hvm and release < 0x304 else 0)
                for n in sorted(guest.contexts)]
    if release == 0x300:
        contexts.pop()
    contexts = b"".join(contexts)
    listed = struct.pack(("<%dQ" if wide else "<%dI") % len(pfns), *(frames[p] for p in pfns))
    index = 24 + len(contexts)
    pages = (index + len(listed) + PAGE - 1) // PAGE * PAGE
    out.f.write(struct.pack("<6I", 0xf00febee if guest.hvm and release == 0x304 else 0xf00febed,
                            len(contexts) // (5168 if wide else 2800), len(pfns), 24, index, pages))
    out.f.write(contexts + listed)
    out.pad(PAGE)
    for pfn in pfns:
        if pfn not in guest.at:
            out.put(bytes(PAGE))
        else:
            out.put(guest.page(pfn) if guest.hvm
                    else with_frames(guest, pfn, guest.at[pfn][0], frames))


# -- the emulator's and makedumpfile's

def qemu_notes(guest):
    """NT_PRSTATUS of each vcpu, then what the emulator knows besides."""
    first, second = b"", b""
    for number, off in sorted(guest.contexts.items()):
        reg = lambda at: guest.u("<Q", off + at)[0]  # noqa: E731
        regs = {name: reg(512 + 8 * i) for i, name in enumerate(
            "ax bx cx dx bp si di sp 8 9 10 11 12 13 14 15".split())}
        status = bytearray(336)
        order = "15 14 13 12 bp bx 11 10 9 8 ax cx dx si di ax".split()
        struct.pack_into("<16Q", status, 112, *(regs[r] for r in order))
        struct.pack_into("<QQQQ", status, 112 + 128, reg(640), guest.u("<I", off + 736)[0],
                         reg(648), regs["sp"])
        first += note(b"CORE", 1, bytes(status))
        order = "ax bx cx dx si di sp bp 8 9 10 11 12 13 14 15".split()
        state = struct.pack("<II16QQQ", 1, 440, *(regs[r] for r in order), reg(640), reg(648))
        state += bytes(240) + struct.pack("<QQQQQQ", reg(656), 0, reg(664), reg(672), reg(680),
                                          reg(944))
        second += note(b"QEMU", 0, state)
    return first + second


def stretches(pfns):
    """[(first, count)] of an ascending list."""
    runs = []
    for pfn in pfns:
        if runs and runs[-1][0] + runs[-1][1] == pfn:
            runs[-1][1] += 1
        else:
            runs.append([pfn, 1])
    return runs


def qemu(guest, out):
    notes, runs = qemu_notes(guest), stretches(sorted(guest.at))
    at = 64 + 56 * (1 + len(runs))
    headers = struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), len(notes), 0)
    at += len(notes)
    for first, count in runs:
        headers += struct.pack("<IIQQQQQQ", 1, 0, at, 0, first * PAGE, count * PAGE, count * PAGE, 0)
        at += count * PAGE
    out.put(b"\x7fELF\2\1\1\0\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(runs), 0, 0, 0))
    out.f.write(headers + notes)
    for pfn in sorted(guest.at):
        out.put(guest.page(pfn))


def kernel_text(guest):
    """VMCOREINFO (Linux, Documentation/admin-guide/kdump/vmcoreinfo.rst): a page of the kernel's own,
    which ends with a NUL."""
    if hasattr(guest, "BASE"):
        base = 0xffffffff80000000 if guest.levels == 4 else 0xc0000000
        return (b"OSRELEASE=made\nSYMBOL(swapper_pg_dir)=%x\n" % (base + PAGE)
                + (b"NUMBER(phys_base)=0\n" if guest.levels == 4 else b"SIZE(list_head)=8\n")
                + (b"CONFIG_X86_PAE=y\n" if guest.levels == 3 else b""))
    for pfn in sorted(guest.at):
        page = guest.page(pfn)
        if page.startswith(b"OSRELEASE=") and b"SYMBOL(swapper_pg_dir)=" in page:
            text = page[:page.index(b"\0")]
            where = int(re.search(rb"SYMBOL\(swapper_pg_dir\)=(\w+)", text)[1], 16) - (
                0xffffffff80000000 - int(re.search(rb"NUMBER\(phys_base\)=(-?\d+)", text)[1]))
            if any(guest.page(where // PAGE)):
                return text
    # A checkpoint that was reduced may lack text or table: any that maps the kernel will do.
    off = guest.contexts[min(guest.contexts)]
    return b"OSRELEASE=reduced\nSYMBOL(swapper_pg_dir)=%x\nNUMBER(phys_base)=0\n" % (
        0xffffffff80000000 + (guest.u("<Q", off + 672)[0] & ~(PAGE - 1)))


def vmcore(guest, out):
    """The kernel's image has a segment of its own, in front; the ranges of memory hold it again."""
    status = bytes(336)
    notes = (b"".join(note(b"CORE", 1, status) for _ in guest.contexts)
             + note(b"VMCOREINFO", 0, kernel_text(guest)))
    runs = stretches(sorted(guest.at))
    first, count = next((r for r in runs if r[0] <= 0x1000 < r[0] + r[1]), runs[0])
    image = max(first, min(0x1000, first + count - 1)), 2
    runs.insert(0, [image[0], min(image[1], first + count - image[0])])
    at = (64 + 56 * (1 + len(runs)) + PAGE - 1) // PAGE * PAGE
    notes_at, headers = at, struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), len(notes), 4)
    at = (at + len(notes) + PAGE - 1) // PAGE * PAGE
    for i, (start, count) in enumerate(runs):
        base = 0xffffffff80000000 if not i else 0xffff888000000000
        headers += struct.pack("<IIQQQQQQ", 1, 7, at, base + start * PAGE, start * PAGE,
                               count * PAGE, count * PAGE, PAGE)
        at += count * PAGE
    out.put(b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(runs), 0, 0, 0))
    out.f.write(headers)
    out.f.seek(notes_at)
    out.f.write(notes)
    out.pad(PAGE)
    for start, count in runs:
        for pfn in range(start, start + count):
            out.put(guest.page(pfn))


def lzo(page):
    out, n = ctypes.create_string_buffer(2 * PAGE), ctypes.c_ulong()
    work = ctypes.create_string_buffer(1 << 17)
    ctypes.CDLL("liblzo2.so.2").lzo1x_1_compress(page, PAGE, out, ctypes.byref(n), work)
    return out.raw[:n.value]


def snappy(page):
    out, n = ctypes.create_string_buffer(2 * PAGE), ctypes.c_size_t(2 * PAGE)
    ctypes.CDLL("libsnappy.so.1").snappy_compress(page, ctypes.c_size_t(PAGE), out, ctypes.byref(n))
    return out.raw[:n.value]


def zstd(page):
    out, lib = ctypes.create_string_buffer(2 * PAGE), ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compress.restype = ctypes.c_size_t
    n = lib.ZSTD_compress(out, ctypes.c_size_t(2 * PAGE), page, ctypes.c_size_t(PAGE), 1)
    return out.raw[:n]


def kdump(guest, pack=lambda page: zlib.compress(page, 1), flag=1):
    """[(offset, bytes)], as the emulator writes them with -z."""
    pfns = sorted(guest.at)
    top = max(pfns) + 1
    notes = qemu_notes(guest)
    sub = struct.pack("<QiiQQQQQQQQQQQ", 0, 1, 0, 0, 0, 0, 0, PAGE + 104, len(notes), 0, 0, 0, 0, top)
    sub_blocks = (len(sub) + len(notes) + PAGE - 1) // PAGE
    bitmap = bytearray((top + 8 * PAGE - 1) // (8 * PAGE) * PAGE)
    for pfn in pfns:
        bitmap[pfn >> 3] |= 1 << (pfn & 7)
    head = bytearray(464)
    head[:12] = b"KDUMP   " + struct.pack("<I", 6)
    head[12 + 4 * 65:12 + 4 * 65 + 6] = b"x86_64"
    struct.pack_into("<10I", head, 424, 1, PAGE, sub_blocks, 2 * len(bitmap) // PAGE,
                     min(top, 0xffffffff), 0, 0, 0, 0, len(guest.contexts))
    yield 0, bytes(head)
    yield PAGE, sub + notes
    at = PAGE * (1 + sub_blocks)
    yield at, bytes(bitmap) * 2
    at += 2 * len(bitmap)
    data = at + 24 * len(pfns)
    descriptors, pages, zero = [], [], None
    for pfn in pfns:
        page = guest.page(pfn)
        empty = page.count(0) == PAGE
        if empty and zero:
            descriptors.append(zero)
            continue
        packed = pack(page)
        flags = flag
        if len(packed) >= PAGE:
            packed, flags = page, 0
        descriptors.append(struct.pack("<QIIQ", data, len(packed), flags, 0))
        zero = descriptors[-1] if empty else zero
        pages.append(packed)
        data += len(packed)
    yield at, b"".join(descriptors)
    yield at + 24 * len(pfns), b"".join(pages)


def plain(guest, out, *how):
    for at, data in kdump(guest, *how):
        out.f.seek(at)
        out.f.write(data)


def flattened(guest, out):
    out.f.write((b"makedumpfile".ljust(16, b"\0") + struct.pack(">QQ", 1, 1)).ljust(PAGE, b"\0"))
    for at, data in sorted(kdump(guest), reverse=True):  # any order will do
        for off, part in ((0, data[:len(data) // 2]), (len(data) // 2, data[len(data) // 2:])):
            out.f.write(struct.pack(">QQ", at + off, len(part)) + part)
    out.f.write(struct.pack(">qq", -1, -1))


MAKERS = {"xccore": xccore, "xccore-300": lambda guest, out: xccore(guest, out, 0x300),
          "xccore-303": lambda guest, out: xccore(guest, out, 0x303), "qemu": qemu,
          "vmcore": vmcore, "kdump": plain, "makedumpfile": flattened,
          "kdump-lzo": lambda guest, out: plain(guest, out, lzo, 2),
          "kdump-snappy": lambda guest, out: plain(guest, out, snappy, 4),
          "kdump-zstd": lambda guest, out: plain(guest, out, zstd, 32)}


def seeds(folder):
    makers = {"xen": lambda g, o: xen(g, o, g.frames), "xccore": xccore, "qemu": qemu,
              "vmcore": vmcore, "kdump": plain,
              "makedumpfile": flattened}
    for kind, maker in makers.items():
        for hvm, levels in ((False, 4), (False, 3), (False, 2), (True, 4), (True, 3), (True, 2)):
            if not kind.startswith("x") and not hvm:
                continue
            name = f"{kind}-{'hvm' if hvm else 'pv'}{levels}"
            out = Out(pathlib.Path(folder) / name)
            maker(Made(hvm, levels, kind == "xccore"), out)
            out.close()


def main():
    if sys.argv[1:2] == ["--seeds"]:
        seeds(sys.argv[2])
        return
    kind, source, target = sys.argv[1:]
    with open(source, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as data:
        guest = Guest(data)
        out = Out(target)
        if kind in ("xen", "xen-mixed"):
            xen(guest, out, mixed(guest) if kind == "xen-mixed" else guest.frames)
        elif kind in MAKERS:
            MAKERS[kind](guest, out)
        else:
            raise SystemExit(__doc__)
        out.close()


if __name__ == "__main__":
    main()
