#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mutate_blkfront.py XBDSNAP FOLDER NUMBER [SEED]: damage the driver's structures of made-up guests.

NUMBER times: a guest of mkblkfront.py, one to six words of its device, rings, slots, scatter lists and
grants overwritten in place, then dump and validate. Whatever they say, neither may crash, hang or
call a damaged ring no checkpoint. Prints what went wrong, and "N mutants".
"""
import os
import random
import subprocess
import sys

import mkblkfront

BASE = ["xenlinux-64", "3.4-32", "3.8-64", "3.10-32", "3.16-64", "3.16-32", "4.4-64", "4.4.late-32",
        "4.5-32", "5.10-32-queues", "6.1-32", "6.1-64"]


def places(g):
    """What each device and its rings consist of: (address, bytes)."""
    for d in g.devices:
        yield d.info, d.p["info"]
        for r in d.rings:
            yield r.front, 24
            yield r.shadow, r.d.n * d.p["shadow"]
            yield r.sring, 64 + 8 * d.p["entry"]
            for lists in getattr(r, "lists", [])[:4]:
                yield lists[0], 4 * d.p["scatterlist"]
                yield lists[1], 4 * g.w


def value(rnd, g, around):
    return rnd.choice([0, 1, 32, 511, 0x0FFFFFFF, 0x0FFFFFEE, (1 << 8 * g.w) - 1, around, g.base,
                       rnd.getrandbits(8 * g.w), g.at(rnd.choice(sorted(g.mem)))])


def damage(rnd, g):
    spots = list(places(g))
    for _ in range(rnd.randrange(1, 7)):
        va, size = rnd.choice(spots)
        at = va + rnd.randrange(size // g.w) * g.w
        g.word(at, value(rnd, g, at))


def run(argv):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                              check=False)
    except subprocess.TimeoutExpired:
        return "hangs"
    return None if done.returncode in (0, 1, 3, 4) else f"status {done.returncode}"


def main(argv):
    xbdsnap, folder, nr = os.path.abspath(argv[1]), argv[2], int(argv[3])
    seed = int(argv[4]) if len(argv) > 4 else 1
    guests, save = mkblkfront.table(), os.path.join(folder, "mutant.save")
    bad = 0
    for i in range(nr):
        rnd = random.Random(f"{seed} {i}")
        name = BASE[i % len(BASE)]
        g, _ = guests[name]()
        damage(rnd, g)
        with open(save, "wb") as f:
            f.write(g.stream())
        for command in ("dump", "validate"):
            wrong = run([xbdsnap, command, "-J", save])
            if wrong:
                print(f"{name}, seed {seed}, mutant {i}: {command}: {wrong}", flush=True)
                bad += 1
    print(f"{nr} mutants")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
