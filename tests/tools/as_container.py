#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Put the control group of a checkpoint's tasks into others, as a container's is: as_container.py CHECKPOINT

Of linux-6.1-base: they are in the root, whose struct kernfs_node (parent at byte 8, name at 16, 128 bytes
in all) is at 0xffff8880045bcb00, byte 0xb00 of frame 17852. It gets a name, with an escape in it, and
the two nodes behind it are what it is in; the names stand behind these.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from second_reader import Reader  # noqa: E402

PFN, AT, VA = 17852, 0xB00, 0xFFFF8880045BCB00
NAMES = [b"db \x1b[31m\0", b"machine.slice\0"]  # the innermost first

path = sys.argv[1]
with open(path, "rb") as f:
    reader = Reader(f.read())
reader.start()
page = reader.pages.at[PFN][1]
assert reader.d[page + AT + 8 : page + AT + 16] == bytes(8), "not the root of the groups"
with open(path, "r+b") as f:
    for i, name in enumerate(NAMES):
        f.seek(page + AT + 128 * i + 8)
        f.write(struct.pack("<QQ", VA + 128 * (i + 1), VA + 128 * (3 + i)))
        f.seek(page + AT + 128 * (3 + i))
        f.write(name)
    f.seek(page + AT + 128 * len(NAMES) + 8)
    f.write(bytes(8))
