#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the whole disk xvda of a checkpoint of Linux 6.1 its partition 3, from a sector on:
as_partition.py CHECKPOINT SECTOR

struct block_device of Debian's 6.1.0-56-cloud: bd_start_sect at byte 0, bd_nr_sectors at 8, bd_dev at
36 (the major number 202 from bit 20 on), bd_partno at 840.
"""
import struct
import sys

path, start = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as f:
    raw = bytearray(f.read())
    at, found = -1, []
    while (at := raw.find(struct.pack("<QQ", 0, 65536), at + 1)) >= 0:
        if struct.unpack_from("<I", raw, at + 36)[0] == 202 << 20:
            found.append(at)
    (at,) = found
    f.seek(at)
    f.write(struct.pack("<Q", start))
    f.seek(at + 840)
    f.write(b"\3")
