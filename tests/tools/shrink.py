#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Leave the empty pages out of a reduced checkpoint: shrink.py FIXTURE > small.save

FIXTURE is a folder of tests/fixtures. Its checkpoint lists every page of the guest, most of them
zeroed by redact; without those a test can read it a thousand times. Pages that dump.json names and
the special pages of HVM guests stay. Only xl files and Xen 2.0 images, which are left as they are.
"""
import json
import re
import struct
import subprocess
import sys

PAGE = 4096
HVM_SPECIAL = 0xfe000                       # and above, below 4 GiB: xc_hvm_build, xg_dom_x86


def named(node):
    """Every frame number that dump.json has."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("pfn", "grant_pfn") and value:
                yield int(value, 16)
            elif key == "pages":
                yield from (int(v, 16) for v in value if v)
            else:
                yield from named(value)
    elif isinstance(node, list):
        for value in node:
            yield from named(value)


def page_data(body, keep, zero):
    """A PAGE_DATA record (libxc-migration-stream: count, then types and pfns, then pages). None
    when nothing is left of it: a record has one entry at least."""
    count = struct.unpack_from("<I", body)[0]
    entries, pages = [], []
    at = 8 + 8 * count
    for entry in struct.unpack_from(f"<{count}Q", body, 8):
        kind, pfn = entry >> 60, entry & (1 << 52) - 1
        data = b""
        if kind < 13:                       # BROKEN, XALLOC and XTAB have none
            data = body[at:at + PAGE]
            at += PAGE
            if data == zero and pfn not in keep and not HVM_SPECIAL <= pfn < 1 << 20:
                continue
        entries.append(entry)
        pages.append(data)
    if not entries:
        return None
    return struct.pack("<II", len(entries), 0) + struct.pack(f"<{len(entries)}Q", *entries) + \
        b"".join(pages)


def main():
    folder = sys.argv[1]
    data = subprocess.run(["zstd", "-dc", f"{folder}/checkpoint.save.zst"], check=True,
                          stdout=subprocess.PIPE).stdout
    out = sys.stdout.buffer
    start = re.search(rb"\xff{8}XENF", data)
    if not start:
        out.write(data)
        return
    with open(f"{folder}/dump.json") as f:
        keep = set(named(json.load(f)))
    at = start.start() + 40                 # image header, domain header
    out.write(data[:at])
    zero = bytes(PAGE)
    while True:
        kind, length = struct.unpack_from("<II", data, at)
        body = memoryview(data)[at + 8:at + 8 + length]
        at += 8 + (length + 7 & ~7)
        if kind == 1 and length:
            body = page_data(bytes(body), keep, zero)
        if body is None:
            continue
        out.write(struct.pack("<II", kind, len(body)) + bytes(body) + bytes(-len(body) % 8))
        if kind == 0:
            break
    out.write(data[at:])


if __name__ == "__main__":
    main()
