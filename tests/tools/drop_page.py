#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""drop_page.py IN OUT PFN: a checkpoint whose stream says that the frame exists and has no data.

In the libxc v3 stream the one PAGE_DATA record that lists the frame gets another type for it
(broken: 0xd in bits 63:60) and loses its 4096 bytes.
"""
import struct
import sys

PAGE_DATA, WITH_DATA, BROKEN = 1, 9, 0xD

raw = open(sys.argv[1], "rb").read()
pfn = int(sys.argv[3], 0)
at = raw.index(b"\xff" * 8 + b"XENF") + 24 + 16  # image header, domain header
while True:
    kind, length = struct.unpack_from("<II", raw, at)
    assert kind, "no such frame"
    if kind == PAGE_DATA:
        count = struct.unpack_from("<I", raw, at + 8)[0]
        words = list(struct.unpack_from(f"<{count}Q", raw, at + 16))
        data = at + 16 + 8 * count
        for i, w in enumerate(words):
            has = w >> 60 < WITH_DATA
            if w & (1 << 52) - 1 == pfn and has:
                words[i] = pfn | BROKEN << 60
                out = (raw[:at] + struct.pack("<III", kind, length - 4096, count) + raw[at + 12 : at + 16]
                       + struct.pack(f"<{count}Q", *words) + raw[at + 16 + 8 * count : data] + raw[data + 4096 :])
                open(sys.argv[2], "wb").write(out)
                sys.exit()
            data += 4096 * has
    at += 8 + (length + 7 & ~7)
