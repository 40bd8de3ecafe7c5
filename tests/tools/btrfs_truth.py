#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""btrfs_truth.py DISK LINES: hold what test_ondisk says of each sector of a btrfs on one device
against its superblocks and its tree of chunks, as btrfs inspect-internal prints them."""
import re
import subprocess
import sys

KINDS = {"DATA": "unknown", "SYSTEM": "metadata", "METADATA": "metadata"}


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def main(disk, lines):
    size = int(run("stat", "-c", "%s", disk)) // 4096
    want = ["free space"] * size
    want[: 1 << 8] = ["boot block"] * (1 << 8)  # the first MiB
    text = run("btrfs", "inspect-internal", "dump-tree", "-t", "chunk", disk)
    chunks = re.split(r"CHUNK_ITEM \d+\)", text)[1:]
    for item in chunks:
        length = int(re.search(r"length (\d+)", item).group(1))
        kind, profile = re.search(r" type (\w+)\|(\w+)", item).groups()
        if profile not in ("single", "DUP"):
            raise SystemExit(f"a profile that this test does not know: {profile}")
        for place in re.findall(r"stripe \d+ devid 1 offset (\d+)", item):
            first, nr = int(place) // 4096, length // 4096
            want[first : first + nr] = [KINDS[kind]] * nr
    want[16] = "superblock"
    for place in (64 << 20, 256 << 30):
        if place // 4096 < size:
            want[place // 4096] = "backup superblock"
    got = [None] * size
    for line in open(lines, encoding="utf-8"):
        sector, nr, kind, *_ = line.split("\t")
        got[int(sector) // 8 : (int(sector) + int(nr)) // 8] = [kind] * (int(nr) // 8)
    bad = [i for i in range(size) if got[i] != want[i]]
    for i in bad[:10]:
        print(f"byte {i * 4096} is {got[i]}, btrfs has {want[i]}")
    print(f"{size} blocks, {len(chunks)} chunks, {len(bad)} wrong")
    return bad != [] or not chunks


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
