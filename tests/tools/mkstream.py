#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make small checkpoints of every kind, good and bad, for tests; and one large one for timing.

Written from the format descriptions; shares no code with the program.

  mkstream.py --list                names of the recipes
  mkstream.py NAME [OUT]            write one (standard output by default)
  mkstream.py --boundaries NAME     offsets at which a record begins or ends, one a line
  mkstream.py --corpus DIR          all of them that are small, as a fuzzing corpus
  mkstream.py --bench BYTES OUT [REAL]
                                    a sparse 64-bit PV checkpoint of that much guest memory; REAL: a
                                    real one, whose own memory then stands at the beginning

A page's content tells who it is: u64 frame, u64 version (0, or higher for a later copy), then a
pattern made from both; nothing but zeros in a page table. start_info names the rings of xenstore
and the console, as a guest of either width would.
"""
import json
import os
import struct
import sys

XTAB, XALLOC, BROKEN = 0xf, 0xe, 0xd
L1, L2, L3, L4, PIN = 1, 2, 3, 4, 8
NO_DATA = (XTAB, XALLOC, BROKEN)

ROOT, START_INFO, GDT, P2M, SUSPEND = 5, 6, 7, 8, 9  # frames of the small guests
STORE, CONSOLE = 0, 1


def page(pfn, version=0, kind=0):
    seed = struct.pack("<QQ", pfn, version)
    if kind & 7:
        return seed + bytes(4080)
    body = seed + bytes((pfn * 7 + version * 13 + i) & 0xff for i in range(16)) * 255
    if pfn == START_INFO:
        body = bytearray(body)
        struct.pack_into("<I4xI", body, 44, STORE, CONSOLE)  # 32 bits
        struct.pack_into("<Q8xQ", body, 56, STORE, CONSOLE)  # 64 bits
    return bytes(body)


class Stream:
    """Bytes, and the offsets at which something begins."""

    def __init__(self):
        self.b = bytearray()
        self.marks = []
        self.records = []  # (offset, type)

    def mark(self):
        self.marks.append(len(self.b))

    def raw(self, data):
        self.mark()
        self.b += data
        return self

    def rec(self, kind, body=b"", size=None, pad=b"\0"):
        self.mark()
        self.records.append((len(self.b), kind))
        self.b += struct.pack("<II", kind, len(body) if size is None else size)
        self.mark()
        self.b += body
        self.mark()
        self.b += pad * (-len(body) % 8)
        return self

    # -- libxc

    def libxc(self, kind=1, version=3, options=0, shift=12, reserved=0, xen=(4, 17)):
        self.raw(b"\xff" * 8 + b"XENF" + struct.pack(">IHHI", version, options, 0, reserved))
        self.raw(struct.pack("<IHHII", kind, shift, 0, *xen))
        return self

    def pages(self, entries, count=None, size=None, reserved=0):
        """entries: (frame, type, version)"""
        words = b"".join(struct.pack("<Q", kind << 60 | pfn) for pfn, kind, _ in entries)
        data = b"".join(page(pfn, v, kind) for pfn, kind, v in entries if kind not in NO_DATA)
        n = len(entries) if count is None else count
        return self.rec(1, struct.pack("<II", n, reserved) + words + data, size)

    def pv_info(self, width=8, levels=4):
        return self.rec(2, bytes([width, levels]) + bytes(6))

    def static_end(self):
        return self.rec(17, struct.pack("<6I", 0, 0xffffffff, 13, 1, 2, 3)) \
            .rec(18, struct.pack("<IIQ", 0xce, 0, 0x80000000)).rec(16)

    def p2m(self, end, frames, start=0):
        return self.rec(3, struct.pack("<II", start, end) + b"".join(struct.pack("<Q", f) for f in frames))

    def vcpu64(self, number, root=ROOT, size=5168, user=0, bare=False):
        ctx = bytearray(size)
        struct.pack_into("<Q", ctx, 616, START_INFO)
        struct.pack_into("<Q", ctx, 648, 0xffffffff81001000 + number)
        struct.pack_into("<Q", ctx, 672, 0xffffc90000000000 + number)
        struct.pack_into("<Q", ctx, 4832, GDT)
        struct.pack_into("<Q", ctx, 4960, 16)
        struct.pack_into("<Q", ctx, 4992, user << 12 | 1 if user else 0)
        struct.pack_into("<Q", ctx, 5008, root << 12)
        self.rec(4, struct.pack("<II", number, 0) + ctx)
        self.rec(5, struct.pack("<II", number, 0) + bytes(64))
        if bare:
            return self.rec(5, struct.pack("<II", number, 0)).rec(6, struct.pack("<II", number, 0))
        self.rec(6, struct.pack("<IIQQ", number, 0, 7, 7) + bytes(576))
        return self.rec(12, struct.pack("<IIIIQ", number, 0, 0x10, 0, 7))

    def vcpu32(self, number, root):
        ctx = bytearray(2800)
        struct.pack_into("<I", ctx, 524, START_INFO)
        struct.pack_into("<I", ctx, 2640, GDT)
        struct.pack_into("<I", ctx, 2704, 16)
        struct.pack_into("<I", ctx, 2728, (root << 12 | root >> 20) & 0xffffffff)
        return self.rec(4, struct.pack("<II", number, 0) + ctx)

    def pv_tail(self, vcpus=1, **kw):
        self.rec(8, struct.pack("<IIQII", 1, 2400000, 77, 1, 0))
        self.rec(7, b"SHIN" + bytes(4092))
        for n in range(vcpus):
            self.vcpu64(n, **kw)
        return self

    def hvm_tail(self, cpus, params=True):
        self.rec(8, struct.pack("<IIQII", 1, 2400000, 77, 1, 0))
        self.rec(9, b"".join(cpus) + struct.pack("<HHI", 0, 0, 0))
        return self.rec(10, struct.pack("<II", 2, 0) + struct.pack("<4Q", 1, 0xfeffc, 2, 1)) if params else self

    # -- wrappers

    def libxl(self, options=0, version=2):
        return self.raw(b"LibxlFmt" + struct.pack(">II", version, options))

    def xl(self, config, flags=3, order="<", extra=b"", size=None):
        text = config + b"\0"
        data = struct.pack(order + "I", len(text) if size is None else size) + text + extra
        self.raw(b"Xen saved domain, xl format\n \0 \r")
        self.b += struct.pack(order + "IIII", 0x01020304, flags, 0, len(data))
        return self.raw(data)

    def xl_bare(self, flags, data=b""):
        """Without a configuration, or with something that is none."""
        self.raw(b"Xen saved domain, xl format\n \0 \r")
        self.b += struct.pack("<IIII", 0x01020304, flags, 0, len(data))
        return self.raw(data)

    def append(self, other):
        base = len(self.b)
        self.marks += [base + m for m in other.marks]
        self.records += [(base + off, kind) for off, kind in other.records]
        self.b += other.b
        return self


def config(kind="pv", **kw):
    conf = {"c_info": {"type": kind, "name": "made", "uuid": "00000000-1111-2222-3333-444444444444"},
            "b_info": {"max_vcpus": 2},
            "disks": [{"vdev": "xvda", "pdev_path": "/dev/vg/made", "backend": "phy", "format": "raw",
                       "readwrite": 1},
                      {"vdev": "hdc", "is_cdrom": 1, "format": "empty"}]}
    conf.update(kw)
    return json.dumps(conf, indent=4).encode()


def small_pages(first=0, n=16, version=0):
    special = {ROOT: L4 | PIN, 10: L3, 11: L2, 12: L1, 13: XTAB, 14: XALLOC, 15: BROKEN}
    return [(p, special.get(p, 0), version) for p in range(first, first + n)]


def pv_head(s, version=3, end=1023, kind=1):
    s.libxc(kind, version).pv_info()
    if version >= 3:
        s.static_end()
    return s.p2m(end, [P2M] * ((end >> 9) + 1))


def pv64(version=3, vcpus=1, batches=None, middle=None, **kw):
    s = pv_head(Stream(), version)
    for batch in batches or [small_pages()]:
        s.pages(batch)
    if middle:
        middle(s)
    s.pv_tail(vcpus, **kw)
    return s.rec(0)


def hvm_record(kind, number, body):
    return struct.pack("<HHI", kind, number, len(body)) + body


def hvm_cpus(levels=4, n=1, magic=0x54381286, version=1, more=b""):
    cpus = [hvm_record(1, 0, struct.pack("<IIQII", magic, version, 0, 0, 0) + more)]
    for i in range(n):
        cpu = bytearray(1032)
        cr4 = 0x20 if levels > 2 else 0
        cr4 |= 0x1000 if levels == 5 else 0
        struct.pack_into("<4Q", cpu, 656, 0x80000001 if levels else 1, 0, 0x3000 + i * 4096 | 0x10, cr4)
        struct.pack_into("<Q", cpu, 992, 0x500 if levels > 3 else 0)
        struct.pack_into("<Q", cpu, 640, 0xffffffff81000000 + i)
        cpus.append(hvm_record(2, i, bytes(cpu)))
    cpus.append(hvm_record(5, 0, bytes(24)))
    return cpus


def hvm(version=3, levels=4, n=1, listed=0):
    s = Stream().libxc(2, version)
    if version >= 3:
        s.static_end()
    s.pages([(p, 0, 0) for p in range(8)])
    for first in range(8, 8 + listed, 1024):
        s.pages([(p, XTAB, 0) for p in range(first, first + 1024)])
    return s.hvm_tail(hvm_cpus(levels, n)).rec(0)


def in_libxl(inner, emulator=False, trailer=b""):
    s = Stream().libxl().rec(1).append(inner)
    if emulator:
        s.rec(2, struct.pack("<II", 2, 0) + b"physmap/1/name\0vga.vram\0")
        s.rec(3, struct.pack("<II", 2, 0) + b"QEVM\0\0\0\3" + bytes(21))
    return s.rec(0).raw(trailer)


def in_xl(inner, kind="pv", **kw):
    return Stream().xl(config(kind), **kw).append(inner)


def replace(s, off, data):
    s.b[off:off + len(data)] = data
    return s


RECIPES = {}


def recipe(f):
    RECIPES[f.__name__.replace("_", "-")] = f
    return f


# -- good ones

@recipe
def pv64_v3(): return in_xl(in_libxl(pv64(vcpus=2)))
@recipe
def pv64_v2(): return pv64(2)
@recipe
def pv64_libxl(): return in_libxl(pv64(2, user=ROOT))
@recipe
def empty_parts(): return pv64(2, bare=True)
@recipe
def hvm_v2(): return in_xl(in_libxl(hvm(2), emulator=True), "hvm")
@recipe
def pvh(): return in_xl(in_libxl(hvm(listed=8192, n=2)), "pvh")
@recipe
def hvm_la57(): return hvm(levels=5)
@recipe
def hvm_pae(): return hvm(levels=3)
@recipe
def hvm_2level(): return hvm(levels=2)
@recipe
def hvm_no_paging(): return hvm(levels=0)
@recipe
def xl_swapped(): return in_xl(in_libxl(pv64()), order=">")
@recipe
def xl_extra(): return in_xl(in_libxl(pv64()), extra=b"more")


@recipe
def pv32():
    """The top table lies above 4 GiB: CR3 is folded."""
    root = 0x100003
    s = Stream().libxc(1, 3).pv_info(4, 3).static_end().p2m(0x1003ff, [P2M] * 0x401)
    s.pages([(p, 0, 0) for p in (STORE, CONSOLE, START_INFO, GDT, P2M)] + [(root, L3 | PIN, 0)])
    s.rec(7, b"SHIN" + bytes(4092)).vcpu32(0, root)
    return s.rec(0)


@recipe
def live():
    """Frame 2 three times, 12 first a table and then not, 3 gone, 13 and 14 come late."""
    return pv64(batches=[small_pages(), [(2, 0, 1), (12, 0, 1), (3, XTAB, 0)],
                         [(14, 0, 1), (13, 0, 1), (2, 0, 2)], [(20, 0, 0), (2, 0, 3)]])


@recipe
def verify():
    return pv64(middle=lambda s: s.rec(13).pages([(p, 0, 9) for p in range(4)]))


@recipe
def p2m_grows():
    """The guest grew during a live save: its table comes again, with more."""
    def grow(s):
        s.p2m(1535, [P2M] * 3).pages([(1100, 0, 0)])
    return pv64(middle=grow)


@recipe
def parts_first():
    """The parts of a vcpu in another order than Xen writes them, and an empty context."""
    def parts(s):
        s.rec(5, struct.pack("<II", 0, 0) + bytes(64)).rec(4, struct.pack("<II", 1, 0))
    return pv64(middle=parts)


def epochs_body(s, end):
    for n in range(3):
        s.pages(small_pages() if n == 0 else [(2, 0, n), (3, XTAB if n == 2 else 0, n), (20 + n, 0, n)])
        s.rec(8, struct.pack("<IIQII", 1, 2400000, 77, 1, 0)).rec(7, bytes([65 + n]) * 4096)
        s.vcpu64(0)
        replace(s, s.b.rindex(struct.pack("<Q", 0xffffffff81001000)), struct.pack("<Q", 0x1000 + n))
        end(s, n)
    return s


@recipe
def epochs():
    return epochs_body(pv_head(Stream()), lambda s, n: s.rec(14 if n < 2 else 0))


@recipe
def epochs_libxl():
    s = pv_head(Stream().libxl().rec(1))

    def end(s, n):
        s.rec(14 if n < 2 else 0)
        s.rec(4 if n < 2 else 0)
    return epochs_body(s, end)


def cut_at(s, kind, nth):
    """Cut behind the header of the nth record of that type."""
    off = [off for off, k in s.records if k == kind][nth]
    del s.b[off + 8:]
    s.marks = [m for m in s.marks if m <= off]
    return s


@recipe
def epochs_cut(): return cut_at(epochs(), 7, 2)
@recipe
def epochs_broken():
    s = epochs()
    return replace(s, s.b.rindex(bytes([67]) * 4096) - 4, struct.pack("<I", 0xffffffff))
@recipe
def optional(): return pv64(middle=lambda s: s.rec(0x80000042, b"later"))
@recipe
def optional_many():
    return pv64(middle=lambda s: [s.rec(0x80000042, b"later") for _ in range(100)])


def xen20_context(old=False):
    ctx = bytearray(2516)
    struct.pack_into("<I", ctx, 16, SUSPEND)
    struct.pack_into("<I", ctx, 52 if old else 36, 0xc0100000)
    struct.pack_into("<I", ctx, 56 if old else 40, 0x819)
    struct.pack_into("<I", ctx, 64 if old else 48, 0xc07ff000)
    struct.pack_into("<I", ctx, 2388, GDT)
    struct.pack_into("<I", ctx, 2452, 8)
    struct.pack_into("<I", ctx, 2464, ROOT << 12)
    return bytes(ctx)


def xen20_image(old=False, verify=False, nr=64, suspend_nr=None, count=None, conf=None):
    conf = conf or (b"(domain (id 1) (name 'made up') (memory 1) (config (vm (name made) "
                    b"(device (vbd (uname phy:vg/a) (dev hda1) (mode w))) "
                    b"(device (vbd (uname file:/i.iso) (dev hdc) (mode r))))))")
    frames = struct.pack("<1024I", *([P2M] + [0xbad] * 1023))
    s = Stream().raw(b"LinuxGuestRecord" + struct.pack("<I", nr)).raw(frames)
    s.raw(struct.pack("<I", len(conf))).raw(conf)
    order = [p * 37 % nr for p in range(nr - 2)]
    gone = sorted(set(range(nr)) - set(order))

    def batch(pfns, version):
        words, data = [], b""
        for p in pfns:
            if p == 20:
                words.append(0xf0012345)
                continue
            words.append((L2 | PIN if p == ROOT else L1 if p == 12 else 0) << 28 | p)
            body = bytearray(page(p, version))
            if p == SUSPEND:
                struct.pack_into("<I", body, 324, nr if suspend_nr is None else suspend_nr)
            data += body
        s.raw(struct.pack("<i", len(pfns) if count is None else count))
        s.raw(struct.pack("<%dI" % len(words), *words)).raw(data)
    batch(order[:40], 0)
    batch(order[40:], 0)
    if verify:
        s.raw(struct.pack("<i", -1))
        batch(order[:4], 9)
    s.raw(struct.pack("<i", 0))
    s.raw(struct.pack("<I%dI" % len(gone), len(gone), *gone))
    return s.raw(xen20_context(old)).raw(b"SHIN" + bytes(4092))


@recipe
def xen20(): return xen20_image()
@recipe
def xen20_0(): return xen20_image(old=True)
@recipe
def xen20_verify(): return xen20_image(verify=True)


# -- what can be read but not restored: XB0xx

@recipe
def stub(): return in_xl(Stream())
@recipe
def no_end():
    s = pv64()
    del s.b[-8:]
    return s
@recipe
def padding():
    return pv64(middle=lambda s: s.vcpu64(0).rec(5, bytes(61), pad=b"\x01"))
@recipe
def reserved(): return replace(pv64(), 54, b"\x07")  # in the body of X86_PV_INFO
@recipe
def long_batches():
    """Longer than any writer makes them, and as long."""
    lists = [[(p, XTAB, 0) for p in range(first, last)] + [(last, 0, 0)] for first, last in ((16, 1201), (1202, 2225))]
    s = pv_head(Stream(), end=4095).pages(small_pages())
    for entries in lists:
        s.pages(entries)
    return s.pv_tail().rec(0)
@recipe
def repeat_in_batch(): return pv64(batches=[small_pages() + [(2, 0, 1)]])
@recipe
def order(): return pv64(middle=lambda s: s.pv_info())
@recipe
def second_pv_info():
    s = Stream().libxc(1, 3).pv_info().pv_info().static_end().p2m(1023, [P2M] * 2)
    return s.pages(small_pages()).pv_tail().rec(0)
@recipe
def second_static_end():
    s = Stream().libxc(1, 3).pv_info().static_end().rec(16).p2m(1023, [P2M] * 2)
    return s.pages(small_pages()).pv_tail().rec(0)
@recipe
def shared_info_first():
    s = Stream().libxc(1, 2).rec(7, bytes(4096)).pv_info().p2m(1023, [P2M] * 2)
    return s.pages(small_pages()).pv_tail().rec(0)
@recipe
def part_without_basic():
    return pv64(middle=lambda s: s.rec(5, struct.pack("<II", 3, 0) + bytes(64)))
@recipe
def no_static_end():
    s = Stream().libxc(1, 3).pv_info().p2m(1023, [P2M] * 2).pages(small_pages())
    return s.pv_tail().rec(0)
@recipe
def pages_before_p2m():
    s = Stream().libxc(1, 2).pv_info().pages(small_pages()).p2m(1023, [P2M] * 2)
    return s.pv_tail().rec(0)
@recipe
def foreign():
    s = Stream().libxc(2, 3).static_end().pages([(p, 0, 0) for p in range(8)])
    return s.rec(7, bytes(4096)).hvm_tail(hvm_cpus()).rec(0)
@recipe
def v3_in_v2(): return pv64(2, middle=lambda s: s.rec(16))
@recipe
def no_shared_info():
    return pv_head(Stream()).pages(small_pages()).vcpu64(0).rec(0)
@recipe
def no_vcpu0(): return pv_head(Stream()).pages(small_pages()).rec(7, bytes(4096)).vcpu64(1).rec(0)
@recipe
def no_hvm_context():
    return Stream().libxc(2, 3).static_end().pages([(p, 0, 0) for p in range(8)]).rec(0)
@recipe
def tsc_size(): return pv64(middle=lambda s: s.rec(8, bytes(20)))
@recipe
def p2m_count():
    s = Stream().libxc(1, 2).pv_info().p2m(1023, [P2M] * 3).pages(small_pages())
    return s.pv_tail().rec(0)
@recipe
def p2m_parts():
    s = Stream().libxc(1, 2).pv_info().p2m(511, [P2M]).p2m(1023, [GDT], start=512)
    return s.pages(small_pages()).pv_tail().rec(0)
@recipe
def p2m_gap():
    s = Stream().libxc(1, 2).pv_info().p2m(0xffffffff, [P2M] * 2, start=0xfffffc00)
    return s.pages(small_pages()).pv_tail().rec(0)
@recipe
def p2m_absent():
    s = Stream().libxc(1, 2).pv_info().p2m(1023, [P2M, 700]).pages(small_pages())
    return s.pv_tail().rec(0)
@recipe
def un_lzop(): return Stream().raw(b"\x89LZO\0\r\n\x1a\n" + bytes(40))
@recipe
def root_type(): return pv64(root=12)
@recipe
def root_absent(): return pv64(root=900)
@recipe
def table_wild():
    """Entry 7 of the L1 table is present and names a frame behind the last one."""
    s = pv64()
    return replace(s, s.b.index(struct.pack("<QQ", 12, 0)) + 7 * 8, struct.pack("<Q", 1024 << 12 | 0x67))
@recipe
def start_info_gone(): return pv64(batches=[small_pages(), [(START_INFO, XTAB, 0)]])
@recipe
def unknown_record(): return pv64(middle=lambda s: s.rec(0x13, b"what"))
@recipe
def trailing(): return in_libxl(pv64(), trailer=b"rest of an older file")
@recipe
def config_broken(): return Stream().xl(b'{"c_info": [', 3).append(in_libxl(pv64()))
@recipe
def config_too_long(): return in_xl(in_libxl(pv64()), size=100000)
@recipe
def config_none(): return Stream().xl_bare(3).append(in_libxl(pv64()))
@recipe
def config_no_type(): return Stream().xl(b'{"c_info": {"name": "made"}}', 3).append(in_libxl(pv64()))
@recipe
def config_short(): return Stream().xl_bare(3, b"\1\2").append(in_libxl(pv64()))
@recipe
def xl_flags(): return in_xl(in_libxl(pv64()), flags=0x13)
@recipe
def xl_lies(): return in_xl(in_libxl(pv64()), flags=1)
@recipe
def emulator_id():
    return Stream().libxl().rec(1).append(hvm(2)).rec(3, struct.pack("<II", 9, 0) + b"QEVM").rec(0)
@recipe
def emulator_strings():
    return Stream().libxl().rec(1).append(hvm(2)).rec(2, struct.pack("<II", 2, 0) + b"key\0value").rec(0)
@recipe
def emulator_of_pv(): return in_libxl(pv64(), emulator=True)
@recipe
def emulator_of_pvh(): return in_xl(in_libxl(hvm(), emulator=True), "pvh")
@recipe
def colo_state():
    return Stream().libxl().rec(1).append(pv64()).rec(5, struct.pack("<II", 3, 0)).rec(0)
@recipe
def optional_libxl(): return Stream().libxl().rec(1).append(pv64()).rec(0x80000042, b"later").rec(0)
@recipe
def epochs_no_end():
    """libxl's end stands where the next epoch should."""
    s = pv_head(Stream().libxl().rec(1)).pages(small_pages()).pv_tail().rec(14).rec(4)
    return s.pages([(2, 0, 1)]).rec(14).rec(0)
@recipe
def too_many_hvm_vcpus(): return in_xl(in_libxl(hvm(n=3)), "hvm")
@recipe
def too_many_vcpus(): return in_xl(in_libxl(pv64(vcpus=3)))
@recipe
def config_type(): return in_xl(in_libxl(pv64()), "hvm")
@recipe
def store_gone(): return pv64(batches=[small_pages(), [(STORE, XTAB, 0)]])
@recipe
def console_gone(): return pv64(batches=[[p for p in small_pages() if p[0] != CONSOLE]])
@recipe
def start_info_type(): return pv64(batches=[small_pages(), [(START_INFO, L1, 0)]])
@recipe
def part_without_header(): return pv64(middle=lambda s: s.vcpu64(0).rec(6))
@recipe
def toolstack(): return pv64(middle=lambda s: s.rec(11, b"tools"))
@recipe
def empty_policy():
    return Stream().libxc(2, 3).rec(17).rec(16).pages([(0, 0, 0)]).hvm_tail(hvm_cpus()).rec(0)
@recipe
def xsave_size(): return pv64(middle=lambda s: s.vcpu64(0).rec(6, struct.pack("<III", 0, 0, 7)))
@recipe
def no_hvm_cpu():
    s = Stream().libxc(2, 2).pages([(p, 0, 0) for p in range(8)])
    return s.hvm_tail(hvm_cpus()[:1]).rec(0)
@recipe
def xen20_suspend(): return xen20_image(suspend_nr=65)
@recipe
def hvm_magic():
    s = Stream().libxc(2, 2).pages([(p, 0, 0) for p in range(8)])
    return s.hvm_tail(hvm_cpus(magic=0x12345678)).rec(0)
@recipe
def hvm_version():
    s = Stream().libxc(2, 2).pages([(p, 0, 0) for p in range(8)])
    return s.hvm_tail(hvm_cpus(version=2)).rec(0)
@recipe
def hvm_header_size():
    s = Stream().libxc(2, 2).pages([(p, 0, 0) for p in range(8)])
    return s.hvm_tail(hvm_cpus(more=bytes(8))).rec(0)
@recipe
def hvm_context_cut():
    s = Stream().libxc(2, 2).pages([(p, 0, 0) for p in range(8)])
    return s.rec(9, b"".join(hvm_cpus())[:-8]).rec(0)


# -- contradictions: refused

@recipe
def bad_count_zero(): return pv64(batches=[small_pages()], middle=lambda s: s.rec(1, bytes(8)))
@recipe
def bad_count_big(): return pv64(middle=lambda s: s.pages([(1, 0, 0)], count=0x1000000))
@recipe
def bad_page_type(): return pv64(batches=[[(1, 6, 0)]])
@recipe
def bad_page_reserved(): return pv64(batches=[[(1 << 55, 0, 0)]])
@recipe
def bad_pfn_pv(): return pv64(batches=[[(1024, 0, 0)]])
@recipe
def bad_pfn_hvm(): return Stream().libxc(2, 2).pages([((1 << 52) - 1, 0, 0)])
@recipe
def bad_page_size():
    return pv64(middle=lambda s: s.rec(1, struct.pack("<IIQ", 1, 0, 1) + bytes(4088)))
@recipe
def bad_record_length(): return pv64(middle=lambda s: s.rec(1, b"", size=0xffffffff))
@recipe
def bad_pv_info(): return Stream().libxc(1, 2).pv_info(8, 3)
@recipe
def bad_context_size(): return pv64(size=5160)
@recipe
def bad_vcpu_id():
    return pv_head(Stream()).pages(small_pages()).vcpu64(70000).rec(0)
@recipe
def bad_shared_info(): return pv64(middle=lambda s: s.rec(7, bytes(4000)))
@recipe
def bad_page_shift(): return Stream().libxc(1, 2, shift=13)
@recipe
def bad_guest_type(): return Stream().libxc(5, 2)
@recipe
def bad_second_libxc(): return Stream().libxl().rec(1).append(pv64()).rec(1).append(pv64()).rec(0)
@recipe
def bad_no_libxc(): return Stream().libxl().rec(1).raw(b"nothing like a libxc stream")
@recipe
def bad_byte_order(): return replace(in_xl(in_libxl(pv64())), 32, b"\1\1\1\1")
@recipe
def bad_xen20_count(): return xen20_image(count=5000)
@recipe
def bad_xen20_config(): return xen20_image(conf=b"[domain]")
@recipe
def bad_text(): return Stream().raw(b"This is not a checkpoint at all, only a line of text.\n")
@recipe
def empty(): return Stream()


# -- recognised, not supported

@recipe
def un_big_endian(): return Stream().libxc(1, 2, options=1)
@recipe
def un_libxl_big_endian(): return Stream().libxl(1)
@recipe
def un_libxc_v4(): return Stream().libxc(1, 4)
@recipe
def un_elf_core():
    return Stream().raw(b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHI", 4, 62, 1) +
                        struct.pack("<3QIHHHHHH", 0, 0, 64, 0, 64, 0, 0, 64, 6, 5) + bytes(64))
@recipe
def un_vmcore():
    return Stream().raw(b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHI", 4, 62, 1) +
                        struct.pack("<3QIHHHHHH", 0, 64, 0, 0, 64, 56, 2, 64, 0, 0) + bytes(64))
@recipe
def un_xc_core(): return Stream().raw(b"\xed\xeb\x0f\xf0" + struct.pack("<5I", 1, 64, 24, 2824, 12288))
@recipe
def un_qevm(): return Stream().raw(b"QEVM\0\0\0\3" + bytes(32))
@recipe
def un_kdump(): return Stream().raw(b"KDUMP   " + bytes(64))


def write_batches(f, first, last):
    """Ordinary pages as Xen sends them, 1024 a record, at the end of f; their data is a hole."""
    for at in range(first, last, 1024):
        n = min(1024, last - at)
        kinds = [L4 | PIN if p == ROOT else (0, 0, 0, L1)[p >> 5 & 3] for p in range(at, at + n)]
        words = struct.pack("<II%dQ" % n, n, 0, *(k << 60 | at + i for i, k in enumerate(kinds)))
        f.write(struct.pack("<II", 1, len(words) + 4096 * n) + words)
        f.seek(4096 * n, os.SEEK_CUR)


def bench(size, path):
    """64-bit PV, one root table, nothing else in memory."""
    nr = size // 4096
    head = Stream().xl(config()).libxl().rec(1)
    head.libxc(1, 3).pv_info().static_end().p2m(nr - 1, [P2M + i % 8 for i in range((nr - 1) // 512 + 1)])
    with open(path, "wb") as f:
        f.write(head.b)
        write_batches(f, 0, nr)
        f.write(Stream().pv_tail().rec(0).rec(0).b)


def bench_from(size, path, real):
    """A real checkpoint of a 64-bit PV guest, with empty pages behind its own up to `size`."""
    nr = size // 4096
    with open(real, "rb") as f:
        data = f.read()
    off = data.index(b"\xff" * 8 + b"XENF") + 40
    grown = False
    with open(path, "wb") as out:
        out.write(data[:off])
        while True:
            kind, length = struct.unpack_from("<II", data, off)
            end = off + 8 + (length + 7 & ~7)
            if kind == 3:
                own = struct.unpack_from("<I", data, off + 12)[0] + 1
                frames = list(struct.unpack_from("<%dQ" % ((length - 8) // 8), data, off + 16))
                frames += frames[-1:] * ((nr - 1) // 512 + 1 - len(frames))
                out.write(Stream().p2m(nr - 1, frames).b)
            else:
                if kind in (7, 8) and not grown:
                    write_batches(out, own, nr)
                    grown = True
                out.write(data[off:end])
            off = end
            if kind == 0:
                out.write(data[off:])
                return


def corpus(folder):
    os.makedirs(folder, exist_ok=True)
    for name, make in RECIPES.items():
        data = make().b
        if len(data) <= 512 << 10:
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)


def main(args):
    if args[:1] == ["--list"]:
        print("\n".join(RECIPES))
    elif args[:1] == ["--boundaries"]:
        s = RECIPES[args[1]]()
        print("\n".join(map(str, sorted(set(s.marks + [len(s.b)])))))
    elif args[:1] == ["--corpus"]:
        corpus(args[1])
    elif args[:1] == ["--bench"] and len(args) == 4:
        bench_from(int(args[1], 0), args[2], args[3])
    elif args[:1] == ["--bench"]:
        bench(int(args[1], 0), args[2])
    elif len(args) in (1, 2) and args[0] in RECIPES:
        with open(args[1], "wb") if len(args) == 2 else sys.stdout.buffer as f:
            f.write(RECIPES[args[0]]().b)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
