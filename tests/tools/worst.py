#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the worst inputs that we could think of: worst.py FOLDER

Each has the deepest chain, the largest count or the widest claim of its kind, in some MiB. Written
from the descriptions of the formats, as mkstream.py is; shares no code with the program.
"""
import json
import os
import struct
import sys

import mkstream as m

PAGES = 4096  # of the guests whose every page is something


def table_page(target, user=0):
    """512 entries that are present, writable and lead to one frame."""
    return struct.pack("<Q", target << 12 | 0x67 | user) * 512


def of_tables(level_of, target_of):
    """A PV guest of nothing but page tables."""
    s = m.pv_head(m.Stream(), end=PAGES - 1)
    for first in range(0, PAGES, 1024):
        pfns = range(first, first + 1024)
        body = struct.pack("<II", 1024, 0)
        body += b"".join(struct.pack("<Q", level_of(p) << 60 | p) for p in pfns)
        body += b"".join(table_page(target_of(p)) for p in pfns)
        s.rec(1, body)
    return s.pv_tail().rec(0)


def listed(entries):
    """Pages that are only named: 8 bytes each."""
    s = m.pv_head(m.Stream(), end=(1 << 22) - 1)
    for first in range(0, len(entries), 1 << 16):
        part = entries[first:first + (1 << 16)]
        s.rec(1, struct.pack("<II", len(part), 0) + b"".join(struct.pack("<Q", e) for e in part))
    return s.pages(m.small_pages()).pv_tail().rec(0)


def in_xl(config, inner=None):
    return m.Stream().xl(config).append(inner or m.pv64())


def xend(config):
    return b"LinuxGuestRecord" + struct.pack(">I", len(config)) + config


def libvirt(xml):
    text = xml + b"\0"
    return b"libvirt-xml\n \0 \r" + struct.pack("<II", 2, len(text)) + bytes(40) + text + \
        bytes(m.in_libxl(m.pv64()).b)


def laughs():
    """Entities of entities: 10^9 of the innermost."""
    levels = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return (f'<!DOCTYPE domain [<!ENTITY l0 "ha">{levels}]>'
            "<domain type='xen'><name>&l9;</name></domain>").encode()


def one_page_records(n):
    s = m.pv_head(m.Stream(), end=(1 << 22) - 1)
    for i in range(n):
        s.b += struct.pack("<IIIIQ", 1, 16, 1, 0, m.XTAB << 60 | 2 * i)
    return s.pages(m.small_pages()).pv_tail().rec(0)


def empty_records(n):
    return m.pv64(middle=lambda s: s.raw(struct.pack("<II", 0x80000042, 0) * n))


RECIPES = {
    "tables-circle": lambda: of_tables(lambda p: (m.L4 if p == m.ROOT else 1 + p % 4), lambda p: p),
    "tables-root": lambda: of_tables(lambda p: m.L4, lambda p: m.ROOT),
    "tables-leaves": lambda: of_tables(lambda p: m.L1 if p > 600 else m.L4 if p == m.ROOT else
                                       m.L3 if p < 20 else m.L2, lambda p: (p * 7 + 1) % PAGES),
    "listed-apart": lambda: listed([m.XTAB << 60 | 2 * i for i in range(1 << 20)]),
    "listed-backwards": lambda: listed([m.XTAB << 60 | i for i in range(1 << 20, 0, -1)]),
    "listed-again": lambda: listed([m.XTAB << 60 | 3] * (1 << 20)),
    "records-of-one-page": lambda: one_page_records(1 << 18),
    "records-empty": lambda: empty_records(1 << 20),
    "vcpus-4096": lambda: m.pv64(vcpus=4096),
    "vcpus-hvm": lambda: m.Stream().libxc(2, 3).static_end().pages([(p, 0, 0) for p in range(8)])
    .hvm_tail(m.hvm_cpus(4, 16384)).rec(0),
    "vcpus-million": lambda: in_xl(json.dumps({"c_info": {"type": "pv"}, "b_info":
                                               {"max_vcpus": 1000000}}).encode()),
    "vcpus-core": lambda: m.Stream().raw(
        struct.pack("<6I", 0xf00febed, 1000000, 1 << 31, 24, 24 + 2824, 1 << 20) + bytes(1 << 20)),
    "disks-million": lambda: in_xl(json.dumps({"c_info": {"type": "pv"}, "disks":
                                               [{"vdev": "xvda"}] * 20000}).encode()),
    "json-deep": lambda: in_xl(b'{"c_info":' + b"[" * 100000 + b"]" * 100000 + b"}"),
    "sxp-deep": lambda: xend(b"(domain " + b"(a " * 60000 + b")" * 60000 + b")"),
    "xml-deep": lambda: libvirt(b"<domain type='xen'>" + b"<a>" * 30000 + b"</a>" * 30000 +
                                b"</domain>"),
    "xml-laughs": lambda: libvirt(laughs()),
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for name, make in RECIPES.items():
        data = make()
        with open(os.path.join(sys.argv[1], name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.b)


if __name__ == "__main__":
    main()
