#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An independent reader of checkpoints, to compare xbdsnap with.

Shares no code with the program; written from the format descriptions. Prints one JSON object: the
layers, the guest, every vcpu's top page table, the pages (how many, and one CRC-32 over all of
them in ascending order), and the disks that the configuration names. It trusts its input: a
damaged file ends in a Python exception, unless it is one of epochs that is cut in the last one.

The CRC runs over, for each frame with data: u64 frame, u8 type, the 4096 bytes of its last copy.
"""
import argparse
import json
import mmap
import re
import struct
import sys
import zlib

XL = b"Xen saved domain, xl format\n \0 \r"


class Pages:
    """Frame -> (type, file offset or None); the last word about a frame counts."""

    def __init__(self):
        self.at = {}
        self.entries = 0

    def say(self, pfn, kind, off):
        self.at[pfn] = (kind, off)
        self.entries += 1


class Reader:
    def __init__(self, data):
        self.d = data
        self.layers = []
        self.pages = Pages()
        self.kept = None  # pages and vcpus as of the last whole epoch
        self.out = {"complete": False, "vcpus": {}, "emulator_records": 0, "disks": [], "name": None}

    def u(self, fmt, off):
        return struct.unpack_from(fmt, self.d, off)

    def has_data(self, kind):
        return kind in (0, 1, 2, 3, 4, 9, 10, 11, 12)

    # -- wrappers

    def start(self, off=0):
        head = self.d[off:off + 32]
        if head == XL:
            self.xl(off)
        elif head[:8] == b"LibxlFmt":
            self.libxl(off)
        elif head[:8] == b"\xff" * 8 and head[8:12] == b"XENF":
            self.libxc_header(off)
            end = self.libxc(off + 40, bare=True)
            self.out["complete"] = end is not None
        elif head[:16] == b"LinuxGuestRecord":
            self.xen2(off)
        else:
            raise SystemExit("second_reader: unknown format")

    def xl(self, off):
        self.layers.append("xl")
        order, _, _, extra = self.u("<IIII", off + 32)
        if order != 0x01020304:
            extra = self.u(">I", off + 44)[0]
        if extra >= 4:
            size = self.u("<I" if order == 0x01020304 else ">I", off + 48)[0]
            self.json_config(self.d[off + 52:off + 52 + size])
        self.start(off + 48 + extra)

    def json_config(self, raw):
        conf = json.loads(raw.rstrip(b"\0"))
        self.out["name"] = conf["c_info"].get("name")
        self.config_type = conf["c_info"].get("type")
        for disk in conf.get("disks", []):
            self.out["disks"].append([disk.get("vdev"), disk.get("pdev_path")])

    def libxl(self, off):
        version, options = self.u(">II", off + 8)
        assert version == 2 and not options & 1
        self.layers.append("libxl v2")
        off += 16
        while True:
            kind, size = self.u("<II", off)
            off += 8
            body, off = off, off + (size + 7 & ~7)
            if kind == 1:
                self.libxc_header(body)
                off = self.libxc(body + 40, bare=False)
            elif kind in (2, 3):
                self.out["emulator_records"] += 1
            elif kind == 4:
                self.keep()
                off = self.libxc(off, bare=False)
            elif kind == 0:
                self.out["complete"] = True
                return

    # -- libxc

    def libxc_header(self, off):
        version, = self.u(">I", off + 12)
        self.layers.append("libxc v%d" % version)
        kind, shift = self.u("<IH", off + 24)
        assert shift == 12
        self.out["guest"] = {1: "pv", 2: "hvm"}[kind]
        if kind == 2 and getattr(self, "config_type", "") == "pvh":
            self.out["guest"] = "pvh"

    def keep(self):
        self.kept = (dict(self.pages.at), dict(self.out["vcpus"]))

    def libxc(self, off, bare):
        """Records from off on; returns the offset behind END (or CHECKPOINT inside libxl)."""
        verify = False
        while True:
            kind, size = self.u("<II", off)
            body = off + 8
            off = body + (size + 7 & ~7)
            if kind == 0:
                return off
            if kind == 14:
                verify = False
                if not bare:
                    return off
                self.keep()
            elif kind == 1 and not verify:
                self.batch(body)
            elif kind == 2:
                self.out["word_bytes"], self.out["pt_levels"] = self.u("<BB", body)
            elif kind == 3:
                self.out["nr_pfns"] = self.u("<I", body + 4)[0] + 1
            elif kind == 4 and size > 8:  # else nothing is in it
                self.pv_vcpu(self.u("<I", body)[0], body + 8)
            elif kind == 9:
                self.hvm_context(body)
            elif kind == 13:
                verify = True

    def batch(self, body):
        count, = self.u("<I", body)
        at = body + 8 + 8 * count
        for word in self.u("<%dQ" % count, body + 8):
            kind = word >> 60
            data = self.has_data(kind)
            self.pages.say(word & (1 << 52) - 1, kind, at if data else None)
            at += 4096 * data

    def pv_vcpu(self, number, ctx):
        if self.out["word_bytes"] == 8:
            self.out["vcpus"][number] = self.u("<Q", ctx + 5008)[0] >> 12
        else:
            cr3, = self.u("<I", ctx + 2728)
            self.out["vcpus"][number] = cr3 >> 12 | (cr3 & 0xfff) << 20

    def hvm_context(self, at):
        while True:
            kind, instance, size = self.u("<HHI", at)
            at += 8
            if kind == 0:
                return
            if kind == 2:
                cr0, _, cr3, cr4 = self.u("<4Q", at + 656)
                efer, = self.u("<Q", at + 992)
                self.out["vcpus"][instance] = (cr3 & (1 << 52) - 1) >> 12
                if instance == 0:
                    if not cr0 >> 31 & 1:
                        levels = 0
                    elif efer >> 10 & 1:
                        levels = 5 if cr4 >> 12 & 1 else 4
                    else:
                        levels = 3 if cr4 >> 5 & 1 else 2
                    self.out["pt_levels"] = levels
                    self.out["word_bytes"] = 4 if levels in (2, 3) else 8
            at += size

    # -- Xen 2.0

    def xen2(self, off):
        self.layers.append("xen 2.0")
        nr, = self.u("<I", off + 16)
        size, = self.u("<I", off + 4116)
        conf = self.d[off + 4120:off + 4120 + size].decode("latin-1")
        self.out.update(guest="pv", word_bytes=4, pt_levels=2, nr_pfns=nr)
        name = re.search(r"\(name (?:'([^']*)'|([^ )]+))\)", conf)
        self.out["name"] = name.group(1) or name.group(2)
        for vbd in re.findall(r"\(device \(vbd ((?:\([^()]*\) ?)*)\)\)", conf):
            word = dict(re.findall(r"\((\w+) ([^)]*)\)", vbd))
            self.out["disks"].append([word["dev"], word["uname"].split(":", 1)[1]])
        off += 4120 + size
        verify = False
        while True:
            count, = self.u("<i", off)
            off += 4
            if count == 0:
                break
            if count == -1:
                verify = True
                continue
            words = self.u("<%dI" % count, off)
            off += 4 * count
            for word in words:
                if word >> 28 == 15:
                    continue
                if not verify:
                    self.pages.say(word & (1 << 28) - 1, word >> 28, off)
                off += 4096
        count, = self.u("<I", off)
        for pfn in self.u("<%dI" % count, off + 4):
            self.pages.say(pfn, 15, None)
        off += 4 + 4 * count
        self.out["vcpus"][0] = self.u("<I", off + 2464)[0] >> 12
        self.out["complete"] = off + 2516 + 4096 == len(self.d)

    # -- result

    def summary(self):
        pages = self.pages.at
        crc = data_pages = 0
        for pfn in sorted(pages):
            kind, off = pages[pfn]
            if off is None:
                continue
            data_pages += 1
            crc = zlib.crc32(struct.pack("<QB", pfn, kind), crc)
            crc = zlib.crc32(self.d[off:off + 4096], crc)
        self.out["layers"] = self.layers
        self.out["nr_data_pages"] = data_pages
        self.out["nr_listed"] = len(pages)
        self.out["nr_repeats"] = self.pages.entries - len(pages)
        self.out["pages_crc32"] = crc
        self.out.setdefault("nr_pfns", max(pages) + 1 if pages else 0)
        self.out["vcpus"] = [[n, "0x%x" % root] for n, root in sorted(self.out["vcpus"].items())]
        return self.out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--extract", type=lambda s: int(s, 0), metavar="PFN",
                        help="write that page to standard output instead")
    args = parser.parse_args()
    with open(args.file, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as data:
        reader = Reader(data)
        try:
            reader.start()
        except struct.error:  # the file ends early: the last whole epoch counts
            if not reader.kept:
                raise
            reader.pages.at, reader.out["vcpus"] = reader.kept
        if args.extract is None:
            json.dump(reader.summary(), sys.stdout)
            print()
            return
        kind, off = reader.pages.at[args.extract]
        sys.stdout.buffer.write(data[off:off + 4096] if off is not None else b"")


if __name__ == "__main__":
    main()
