#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""kill_replay.py XBDSNAP SHIM IMAGE KILLS FAILURES VDEV=BEFORE=AFTER...: let replay --write go wrong.

Works in the current folder, on copies of the disks BEFORE, all in one run. With each of FAILURES (of
killshim.c, parted by commas, or "none") at every point, or with "NAME/N" at every N-th, and KILLS
times killed at a point that a seeded generator picks, or one of SAMPLE of all these where that is set:
the exit status is right, and replay --revert gives each BEFORE back byte for byte, also when the first
--revert fails or is killed. Prints how many points were tried.
"""
import os
import random
import subprocess
import sys

xbdsnap, shim, image, kills, failures, *disks = sys.argv[1:]
STATUS = {"enospc": 6, "eio": 6, "eintr": 6, "zero": 6, "short": 0, "int": 6, "none": 0}
UNDO, COUNT = "undo", "count"
tried = 0
SAMPLE = int(os.environ.get("SAMPLE", "1"))


class Disk:
    """A copy of a disk, which may be large and sparse."""

    def __init__(self, words):
        self.vdev, self.before, self.after = words.split("=")
        self.path = "disk." + self.vdev
        subprocess.run(["cp", "--sparse=always", self.before, self.path], check=True)

    def is_like(self, other):
        if os.path.getsize(self.path) != os.path.getsize(other):
            return False
        with open(self.path, "rb") as a, open(other, "rb") as b:
            return all(same_range(a.fileno(), b.fileno(), start, end)
                       for start, end in sorted(extents(a) + extents(b)))


PIECE = 256 << 10
MINE, THEIRS = bytearray(PIECE), bytearray(PIECE)


def same_range(a, b, start, end):
    """In pieces that stay in the processor's cache: this is most of the test's work."""
    for at in range(start, end, PIECE):
        n = min(PIECE, end - at)
        got_a, got_b = os.preadv(a, [MINE], at), os.preadv(b, [THEIRS], at)
        if got_a != got_b or (MINE != THEIRS if n == got_a == PIECE else
                              MINE[:min(n, got_a)] != THEIRS[:min(n, got_b)]):
            return False
    return True


def extents(f):
    """Where a file is no hole."""
    found, at, size = [], 0, os.fstat(f.fileno()).st_size
    while at < size:
        try:
            start = os.lseek(f.fileno(), at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(f.fileno(), start, os.SEEK_HOLE)
        found.append((start, at))
    return found


DISKS = [Disk(words) for words in disks]


def all_before():
    return all(d.is_like(d.before) for d in DISKS)


def all_after():
    return all(d.is_like(d.after) for d in DISKS)


def run(at, how, *args, sectors=0):
    env = dict(os.environ, LD_PRELOAD=shim, KILLSHIM_AT=str(at), KILLSHIM_HOW=how,
               KILLSHIM_COUNT=os.path.abspath(COUNT), KILLSHIM_SECTORS=str(sectors))
    return subprocess.run([xbdsnap, "replay", *args], env=env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)


def write(at, how, sectors=0):
    named = [word for d in DISKS for word in ("--disk", d.vdev + "=" + d.path)]
    return run(at, how, "--write", "--discard", "--undo", UNDO, *named, image, sectors=sectors)


def fail(what):
    raise SystemExit(f"{what} (point {tried})")


def back(where):
    """The disks as they were before, by --revert if there is anything to revert."""
    if os.path.exists(UNDO):
        done = run(0, "", "--revert", UNDO)
        if done.returncode != 0:
            fail(f"{where}: revert: status {done.returncode}: {done.stderr}")
        os.unlink(UNDO)
    if not all_before():
        fail(f"{where}: a disk is not what it was")
    for name in os.listdir("."):
        if name.startswith(UNDO):
            os.unlink(name)


def calls():
    with open(COUNT) as f:
        return int(f.read())


def written():
    done = write(0, "")
    if done.returncode != 0 or not all_after():
        fail(f"undisturbed: status {done.returncode}: {done.stderr}")
    return calls()


n = written()
if run(0, "", "--revert", UNDO).returncode != 0:
    fail("revert")
n_revert = calls()
back("undisturbed")
for spec in failures.split(","):
    how, _, step = spec.partition("/")
    step = int(step or 1) * SAMPLE
    # Let the revert fail, too: then it is done again.
    for at in range(1, n_revert + 1 if how in ("enospc", "eio", "int") else 1, step):
        tried += 1
        written()
        done = run(at, how, "--revert", UNDO)
        # A write that has no room is done once more, sector by sector.
        wanted = {6} if how == "eio" else {0, 6}
        if done.returncode not in wanted:
            fail(f"{how} at call {at} of revert: status {done.returncode}: {done.stderr}")
        if done.returncode == 0 and not all_before():
            fail(f"{how} at call {at} of revert: a disk is not as it was")
        back(f"{how} at call {at} of revert")
    for at in range(1, n + 1 if how != "none" else 1, step):
        tried += 1
        done = write(at, how)
        # A call that no step follows is not interrupted; one that is no pwrite is not short; a
        # pwrite is begun again.
        wanted = {STATUS[how], 0} if how in ("int", "zero", "eintr") else {STATUS[how]}
        if done.returncode not in wanted:
            fail(f"{how} at call {at}: status {done.returncode}: {done.stderr}")
        if done.returncode == 0 and not all_after():
            fail(f"{how} at call {at}: a disk is not as planned")
        back(f"{how} at call {at}")

rng = random.Random(2006)
for _ in range(-(-int(kills) // SAMPLE)):
    tried += 1
    at, torn = rng.randrange(1, n + 1), rng.random() < 0.5
    done = write(at, "torn" if torn else "kill", sectors=rng.randrange(1, 64))
    if done.returncode != -9:
        fail(f"killed at call {at}: status {done.returncode}")
    if os.path.exists(UNDO) and rng.random() < 0.5:
        run(rng.randrange(1, 40), "torn", "--revert", UNDO, sectors=rng.randrange(1, 64))
    back(f"killed at call {at}")
print(f"{tried} points of {n} calls")
