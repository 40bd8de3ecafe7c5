#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Damage an ext4 journal and compare what is said to be replayed with what debugfs replays:
log_truth.py TELL

TELL is the program of test_ondisk that says what each block is. debugfs makes the disk and its journal,
in the current folder.
"""
import re
import shutil
import subprocess
import sys

SIZE = 4096
DISK, DAMAGED = "log.img", "damaged.img"
# Transactions: blocks that are written, and one that is revoked in the last.
WRITTEN = [[4000, 4001, 4002, 4003], [4001, 4005], [4006, 4007]]
REVOKED = 4002


def debugfs(disk, *commands):
    return subprocess.run(["debugfs", "-w", "-f", "-", disk], check=True, text=True,
                          input="\n".join(commands) + "\n", stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def make(opening):
    with open(DISK, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(SIZE), DISK], check=True)
    commands = [f"jo {opening}"]
    for n, blocks in enumerate(WRITTEN):
        with open(f"content-{n}", "wb") as f:
            for b in blocks:
                f.write(b"transaction %4d, block %6d\n" % (n, b) * (SIZE // 28) + bytes(SIZE % 28))
        commands.append(f"jw -b {','.join(map(str, blocks))} content-{n}")
    debugfs(DISK, *commands, f"jw -r {REVOKED}", "jc")


def block(disk, number):
    with open(disk, "rb") as f:
        f.seek(number * SIZE)
        return f.read(SIZE)


def said(tell, disk):
    found, each = set(), SIZE // 512
    for line in subprocess.run([tell, disk], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.splitlines():
        sector, nr, _, fate, *_ = line.split("\t")
        if fate == "replayed":
            found |= set(range(int(sector) // each, (int(sector) + int(nr)) // each))
    return found


def change(log_block, byte):
    place = int(re.search(r"^\d+", debugfs(DAMAGED, f"bmap <8> {log_block}").splitlines()[-1]).group())
    with open(DAMAGED, "r+b") as f:
        f.seek(place * SIZE + byte)
        old = f.read(1)
        f.seek(place * SIZE + byte)
        f.write(bytes([old[0] ^ 1]))


def main(tell, opening):
    make(opening)
    text = debugfs(DISK, "logdump -a")
    own = {kind: [int(n) for n in re.findall(rf"type {kind} .* at block (\d+)", text)] for kind in "125"}
    copies = {int(b): int(at) for b, at in re.findall(r"FS block (\d+) logged at journal block (\d+)", text)}
    counts = []
    for at, byte in [(None, 0), (own["2"][-1], 60), (own["2"][1], 60), (own["1"][1], 3000),
                     (own["5"][0], 3000), (0, 200), (copies[4000], 99), (copies[4005], 99)]:
        shutil.copyfile(DISK, DAMAGED)
        if at is not None:
            change(at, byte)
        got = said(tell, DAMAGED)
        counts.append(len(got))
        before = {b: block(DAMAGED, b) for b in copies}
        debugfs(DAMAGED, "journal_run")
        replayed = {b for b in copies if block(DAMAGED, b) != before[b]}
        if got != replayed:
            sys.exit(f"{opening}, byte {byte} of block {at} of the journal changed: {sorted(got)} were said "
                     f"to be replayed, debugfs replays {sorted(replayed)}")
    print(*counts)


if __name__ == "__main__":
    main(*sys.argv[1:])
