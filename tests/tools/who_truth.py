#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compare who asked for requests with what the guest itself knows: who_truth.py DUMP TRUTH

DUMP is the output of `xbdsnap dump --who -J`, TRUTH the folder of one of the real checkpoints: what
the guest's program submitted to /dev/xvda, or to files of an ext4 file system.
"""
import json
import pathlib
import sys


def stretches(dump, vdev):
    for device in dump["devices"]:
        if device["vdev"] != vdev:
            continue
        for request in device["requests"] + device["queued"]:
            for who in request["who"]:
                yield request, who


def must(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got}, expected {want}")


def raw_device(dump):
    """Every request is the program's own, past the page cache; its pid is one."""
    pids, n = set(), 0
    for request, who in stretches(dump, "xvda"):
        where = f"slot {request['slot']}"
        n += 1
        if request["op"] == "flush":
            must(where, who["kind"], "flush")
            must(where, who["process"]["comm"].split("/")[0], "kworker")
            continue
        must(where, who["kind"], "discard" if request["op"] == "discard" else "device")
        must(where, who["file"]["path"], "/dev/xvda")
        must(where, (who["offset"], who["bytes"]), (0, request["nr_sectors"] * 512))
        must(where, who["position"], request["sector"] * 512)
        must(where, who["process"]["comm"], "stuckio")
        must(where, who["lost"], None)
        must(where, who["layers"], [{"name": "xvda", "label": None, "kind": "disk",
                                     "sector": request["sector"]}])
        pids.add(who["process"]["pid"])
    must("processes", len(pids), 1)
    return n


KINDS = {"file": {"direct", "write-back"}, "inode table": {"metadata"}, "journal": {"journal"}}


def ext4_block(truth, block, who, at):
    """`at`: where the block is in the stretch."""
    where = f"block {block}"
    piece, i = truth[block]
    kinds = KINDS[piece["type"]]
    if who["kind"] not in kinds:
        sys.exit(f"{where}: {who['kind']}, expected {kinds}")
    must(where, who["file"]["filesystem"], "ext4")
    if piece["type"] == "file":
        must(where, who["file"]["path"], "/mnt/" + piece["name"])
        must(where, who["file"]["inode"], piece["ino"])
        must(where, who["position"] + at, (piece["lblk"] + i) * 4096)
        must(where, who["kind"], "direct" if piece["name"].startswith("dio/") else "write-back")
    else:
        must(where, who["position"] + at, block * 4096)
    if who["kind"] == "direct":
        must(where, who["process"]["comm"], "ext4io")


def ext4(dump, truth):
    blocks = {p["block"] + i: (p, i) for r in truth["requests"] for p in r["pieces"]
              for i in range(p["nblk"])}
    seen = set()
    for request, who in stretches(dump, "xvdb"):
        must("lost", who["lost"], None)
        first = request["sector"] * 512 + who["offset"]
        for at in range(0, who["bytes"], 4096):
            ext4_block(blocks, (first + at) // 4096, who, at)
            seen.add((first + at) // 4096)
    must("blocks", seen, set(blocks))
    return len(seen)


def main():
    with open(sys.argv[1]) as f:
        dump = json.load(f)
    truth = pathlib.Path(sys.argv[2]) / "ext4-truth.json"
    if truth.exists():
        print(ext4(dump, json.loads(truth.read_text())), "blocks")
    else:
        print(raw_device(dump), "requests")


if __name__ == "__main__":
    main()
