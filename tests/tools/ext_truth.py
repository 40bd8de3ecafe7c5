#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ext_truth.py DISK LINES [FIRST-SECTOR]: hold what test_ondisk says of every block of an ext2, ext3
or ext4 against dumpe2fs and debugfs: kind, owner, place in the file, name, whether the journal
replays it.
"""
import re
import subprocess
import sys


def run(*argv, **more):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False, **more).stdout


def debugfs(disk, commands):
    return run("debugfs", "-f", "-", disk, input="\n".join(commands) + "\n")


def spans(text):
    for a, b in re.findall(r"(\d+)(?:-(\d+))?", text):
        yield from range(int(a), int(b or a) + 1)


class Ext:
    def __init__(self, disk):
        self.disk, self.kind, self.free = disk, {}, set()
        text = run("dumpe2fs", disk)
        self.size = int(re.search(r"^Block size: +(\d+)", text, re.M).group(1))
        self.count = int(re.search(r"^Block count: +(\d+)", text, re.M).group(1))
        self.first = int(re.search(r"^First block: +(\d+)", text, re.M).group(1))
        self.cluster = int((re.search(r"^Cluster size: +(\d+)", text, re.M) or [0, self.size])[1])
        groups = re.split(r"^Group (?=\d)", text, flags=re.M)[1:]
        for line in groups:
            self.group(int(line.split(":")[0]), line)
        self.owners()

    def group(self, number, text):
        backup = "backup " if number else ""
        for what, kind in ((r"(?:Primary|Backup) superblock at", backup + "superblock"),
                           (r"Group descriptors? at", backup + "group descriptors"),
                           (r"Reserved GDT blocks at", "reserved"),
                           (r"Block bitmap at", "block bitmap"),
                           (r"Inode bitmap at", "inode bitmap"),
                           (r"Inode table at", "inode table")):
            for found in re.findall(what + r" (\d+(?:-\d+)?)", text):
                for block in spans(found):
                    self.kind[block] = kind
        found = re.search(r"^  Free blocks: (.*)$", text, re.M)
        # With clusters the list names the first block of each, or all: take what is printed.
        self.free |= set(spans(found.group(1))) if found else set()

    def owners(self):
        """Of all other blocks: their inode, by icheck; the names, by ncheck."""
        rest = [b for b in range(self.first, self.count)
                if b not in self.kind and b not in self.free]
        text = debugfs(self.disk, ["icheck " + " ".join(map(str, rest[i : i + 400]))
                                   for i in range(0, len(rest), 400)])
        self.inode = {int(b): int(i) for b, i in re.findall(r"^(\d+)\t(\d+)$", text, re.M)}
        inodes = sorted(set(self.inode.values()))
        text = debugfs(self.disk, ["ncheck " + " ".join(map(str, inodes))] if inodes else [])
        self.name = {int(i): p.replace("//", "/") for i, p in re.findall(r"^(\d+)\t(/.*)$", text, re.M)}

    def bmap(self, pairs):
        text = debugfs(self.disk, [f"bmap <{i}> {n}" for i, n in pairs])
        return [int(line.split()[0]) for line in text.splitlines()
                if re.match(r"^\d+( \(uninit\))?$", line)]

    def replayed(self):
        """Blocks that complete transactions of the journal hold and none revokes later, by logdump."""
        newest, pending, sequence = {}, [], 0
        for line in debugfs(self.disk, ["logdump -a"]).splitlines():
            if found := re.search(r"expected sequence (\d+), type (\d)", line):
                sequence = int(found.group(1))
                if found.group(2) == "2":
                    for block, at, copy in pending:
                        old = newest.get(block, (0, True))
                        if not (copy and not old[1] and old[0] == at):
                            newest[block] = at, copy
                    pending = []
            elif found := re.search(r"FS block (\d+) logged at", line):
                pending.append((int(found.group(1)), sequence, True))
            elif found := re.search(r"Revoke FS block (\d+)", line):
                pending.append((int(found.group(1)), sequence, False))
        return {b for b, (_, copy) in newest.items() if copy}


def main(disk, lines, start="0"):
    ext, start = Ext(disk), int(start)
    each, bad, maps = ext.size // 512, 0, []

    def wrong(what):
        nonlocal bad
        bad += 1
        if bad < 20:
            print(what)

    seen = {}
    for line in open(lines, encoding="utf-8"):
        sector, nr, kind, fate, _, fs, inode, position, path, *_ = line.rstrip("\n").split("\t")
        sector = int(sector) - start
        if not fs.startswith("ext") or sector < 0:
            continue
        for i in range(0, int(nr), each):
            seen[(sector + i) // each] = (kind, int(inode), path)
        if int(position) >= 0:
            maps.append((int(inode), int(position) // ext.size, sector // each, kind, path))
    for block in range(ext.first, ext.count):
        kind, inode, path = seen.get(block, (None, -1, None))
        if block in ext.kind:
            want = ext.kind[block]
            if kind != want:
                wrong(f"block {block} is {kind}, dumpe2fs has {want}")
        elif block in ext.inode:
            owner = ext.inode[block]
            if inode != owner:
                wrong(f"block {block} is {kind} of inode {inode}, icheck has {owner}")
            elif owner in ext.name and path != ext.name[owner] and owner != 2:
                wrong(f"inode {owner} is {path}, ncheck has {ext.name[owner]}")
        elif kind not in ("free space", "unknown" if block not in ext.free else ""):
            wrong(f"block {block} is {kind}, debugfs knows no owner of it")
    if maps:
        got = ext.bmap([(i, n) for i, n, *_ in maps])
        if got != [b for _, _, b, *_ in maps]:
            wrong(f"bmap: {[m for m, g in zip(maps, got) if m[2] != g][:5]}")
    replayed = ext.replayed()
    got = set()
    for line in open(lines, encoding="utf-8"):
        sector, nr, _, fate, _, fs, *_ = line.rstrip("\n").split("\t")
        if fate == "replayed":
            first = (int(sector) - start) // each
            got |= set(range(first, first + max(int(nr) // each, 1)))
    if got != replayed:
        wrong(f"the journal holds {sorted(replayed)[:20]}, said were {sorted(got)[:20]}")
    print(f"{len(seen)} blocks, {len(ext.inode)} of them in {len(ext.name)} files, "
          f"{len(maps)} places, {len(replayed)} in the journal, {bad} wrong")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
