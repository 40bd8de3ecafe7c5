#!/usr/bin/env python3
"""check_payload.py DIR: the payload of each extracted write names the sector it belongs to.

The guest's program filled every 32 bytes with a tag, the sector (u64) and more; see the NOTES of
the fixtures. Anything that was taken from a wrong page or offset shows at once.
"""
import json
import pathlib
import struct
import sys

root = pathlib.Path(sys.argv[1])
writes = 0
for row in json.loads((root / "manifest.json").read_text()):
    if row["op"] != "write":
        continue
    data = (root / row["file"]).read_bytes()
    assert len(data) == row["nr_sectors"] * 512, row["file"]
    for i in range(row["nr_sectors"]):
        tag, sector = struct.unpack_from("<8sQ", data, i * 512)
        assert tag == b"XBLKSEC!", (row["file"], i, tag)
        assert sector == row["sector"] + i, (row["file"], i, sector)
    writes += 1
assert writes > 0
