#!/usr/bin/env python3
"""move_request.py IN OUT ID SECTOR NEW: a checkpoint in which one request names another sector.

Every copy of the request of x86-64 with that id (struct blkif_request: the id, then the sector)
is changed: the frontend's own and the ring's.
"""
import struct
import sys

raw = bytearray(open(sys.argv[1], "rb").read())
ident, sector, new = map(int, sys.argv[3:])
at = n = 0
while (at := raw.find(struct.pack("<QQ", ident, sector), at)) >= 0:
    raw[at + 8 : at + 16] = struct.pack("<Q", new)
    at += 8
    n += 1
assert n, "no such request"
open(sys.argv[2], "wb").write(raw)
