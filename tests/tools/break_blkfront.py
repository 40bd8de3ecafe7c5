#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""break_blkfront.py XBDSNAP FOLDER: one invariant broken alone, on devices of before 4.5 and of 32 bits.

Each row of FAULTS damages one thing of a guest of mkblkfront.py that is in order; `validate` must then
name that rule, and no other error; all, or one of SAMPLE where that is set. Prints what it does not, and "N faults".
"""
import json
import os
import subprocess
import sys

import mkblkfront

BASE = ["xenlinux-32", "3.4-64", "3.8-32", "3.10-64", "3.16-32", "4.4.late-32", "4.5-32", "6.1-32"]


def first(ring, op="write"):
    return min(i for i, r in ring.used.items() if r["op"] == op and not r["answered"])


def segment(ring, i, k, name):
    p = ring.p
    return ring.slot(i) + p["request_rw.seg"] + k * p["segment"] + (p["segment." + name] if name else 0)


def id_of(g, ring, i, value):
    g.put(ring.slot(i) + ring.p["request_rw.id"], value, 8)


def cycle(g, ring):
    id_of(g, ring, ring.free[-1], ring.free[0])


def into_used(g, ring):
    id_of(g, ring, ring.free[-1], first(ring))


def same_request(g, ring):
    a, b = sorted(i for i, r in ring.used.items() if r["op"] == "write" and not r["answered"])[:2]
    at = ring.slot(a, "shadow.request")
    g.word(ring.slot(b, "shadow.request"), sum(
        g.mem[(at + k - g.base) // 4096][(at + k - g.base) % 4096] << 8 * k for k in range(g.w)))


def other_frame(g, ring):
    """struct grant of the first segment names another page than the slot."""
    at = ring.slot(first(ring), "shadow.grants_used")
    grant = sum(g.mem[(at + k - g.base) // 4096][(at + k - g.base) % 4096] << 8 * k for k in range(g.w))
    other = g.data()
    g.mem[other][:] = g.mem[ring.used[first(ring)]["segments"][0]["pfn"]]
    g.word(grant + ring.p["grant.pfn"], other)


def list_of(difference):
    """num_sg of a write, by so many wrong."""
    def damage(g, ring):
        i = first(ring)
        g.put(ring.slot(i, "shadow.num_sg"), len(ring.used[i]["segments"]) + difference, 4)
    return damage


# Of some kernels only.
OWN_FAULTS = {("3.8-32", "another frame in the grant"): (other_frame, {"XB320"})}
for NAME in ("4.4.late-32", "4.5-32", "6.1-32", "6.1-64"):
    OWN_FAULTS[NAME, "a list too long"] = (list_of(1), {"XB306"})
    OWN_FAULTS[NAME, "a list too short"] = (list_of(-1), {"XB132", "XB306"})
FAULTS = {
    "the free list in a circle": (cycle, {"XB101"}),
    "the free list into a used slot": (into_used, {"XB103"}),
    "the number of another slot": (lambda g, r: id_of(g, r, first(r), 31), {"XB126"}),
    "an operation that is none": (lambda g, r: g.put(r.slot(first(r)), 9, 1) or
                                  g.put(r.where[first(r)], 9, 1), {"XB114"}),
    "sectors backwards": (lambda g, r: g.put(segment(r, first(r), 0, "first_sect"), 7, 1) or
                          g.put(segment(r, first(r), 0, "last_sect"), 2, 1), {"XB116"}),
    "a request that is no address": (lambda g, r: g.word(r.slot(first(r), "shadow.request"),
                                                         g.base + 0x12345), {"XB308"}),
    "one request in two slots": (same_request, {"XB303"}),
    "one index too many": (lambda g, r: g.put(r.front, r.pvt + 1, 4), {"XB105"}),
    "an answer to nobody": (lambda g, r: g.put(r.sring + r.p["sring.ring"] + 7 * r.p["entry"], 200, 8),
                            {"XB109"}),
}


def examine(xbdsnap, folder, name, damage, rules):
    g, _ = mkblkfront.table()[name]()
    damage(g, g.devices[0].rings[0])
    save = os.path.join(folder, "broken.save")
    with open(save, "wb") as f:
        f.write(g.stream())
    out = subprocess.run([xbdsnap, "validate", "-J", save], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=False).stdout
    return {f["rule"] for f in json.loads(out)["findings"]
            if f["severity"] == "error" or f["rule"] in rules}, rules


def main(argv):
    nr = bad = 0
    todo = {(name, fault): how for name in BASE for fault, how in FAULTS.items()}
    todo = list({**todo, **OWN_FAULTS}.items())[::int(os.environ.get("SAMPLE", "1"))]
    for (name, fault), how in todo:
        got, want = examine(os.path.abspath(argv[1]), argv[2], name, *how)
        nr += 1
        if got != want:
            print(f"{name}: {fault}: {sorted(got)}, expected {sorted(want)}", flush=True)
            bad += 1
    print(f"{nr} faults")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
