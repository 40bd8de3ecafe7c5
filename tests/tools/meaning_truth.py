#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""meaning_truth.py DUMP TRUTH: hold the meaning of each request (dump -J --disk) against what the
guest's own tools said of its blocks when it was saved."""
import json
import sys

KINDS = {"file": "file data", "inode table": "inode table"}


def main(dump, truth):
    with open(dump, encoding="utf-8") as f:
        devices = json.load(f)["devices"]
    with open(truth, encoding="utf-8") as f:
        truth = json.load(f)
    size, bad, n, told = truth["block_size"], 0, 0, {}
    for d in devices:
        for r in d["requests"] + (d["queued"] or []):
            for m in r.get("meaning", []):
                for at in range(0, m["bytes"], size):
                    told[r["sector"] * 512 + m["offset"] + at] = (m, at)
    for r in truth["requests"]:
        for p in r["pieces"]:
            for i in range(p["nblk"]):
                m, at = told.get((p["block"] + i) * size, (None, 0))
                n += 1
                if not m or m["kind"] != KINDS[p["type"]]:
                    good = False
                elif p["type"] == "file":
                    good = (m["inode"] == p["ino"] and m["path"].endswith("/" + p["name"])
                            and m["position"] + at == (p["lblk"] + i) * size)
                else:
                    good = True
                if not good:
                    bad += 1
                    print(f"block {p['block'] + i}: {m}, the guest has {p}")
    print(f"{n} blocks, {bad} wrong")
    return bad != 0 or not n


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
