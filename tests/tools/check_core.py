#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An exported ELF core against its checkpoint, by readers that share no code with the program.

check_core.py CORE CHECKPOINT [--reduced]: every page of the checkpoint is in the core by its
guest-physical address, and nothing else is; zeros are not copied; the notes are there, VMCOREINFO's
names the release. Prints how many pages, zeros left out, and segments. Reduced: some pages are
missing, those that are there are right.
"""
import mmap
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from second_reader import Reader  # noqa: E402

PAGE = 4096
core = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "rb") as f:
    reader = Reader(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
reader.start()
reduced = "--reduced" in sys.argv


def must(ok, what):
    if not ok:
        sys.exit(what)


must(core[:6] == b"\x7fELF\x02\x01" and core[16:20] == b"\x04\0\x3e\0", "no core of x86-64")
phoff, = struct.unpack_from("<Q", core, 32)
size, count = struct.unpack_from("<HH", core, 54)
pages, notes, zeros, copied = {}, [], 0, 0
seen = set()
for i in range(count):
    kind, flags, off, va, pa, filesz, memsz, align = struct.unpack_from("<IIQQQQQQ", core, phoff + size * i)
    must(off + filesz <= len(core), "a segment outside of the file")
    if kind == 4:
        at = off
        while at < off + filesz:
            namesz, descsz, ntype = struct.unpack_from("<III", core, at)
            name = core[at + 12:at + 12 + namesz - 1]
            desc = at + 12 + (namesz + 3 & ~3)
            notes.append((name, ntype, core[desc:desc + descsz]))
            at = desc + (descsz + 3 & ~3)
        continue
    must(kind == 1 and filesz <= memsz and pa % PAGE == 0 and off % PAGE == 0, "a segment")
    for k in range(0, memsz, PAGE):
        pfn = (pa + k) // PAGE
        content = core[off + k:off + k + PAGE] if k < filesz else bytes(PAGE)
        must(pages.setdefault(pfn, content) == content, f"page {pfn:#x} stands twice, and differs")
        if pfn not in seen:
            zeros += k >= filesz
            copied += k < filesz
        seen.add(pfn)
want = {pfn: off for pfn, (kind, off) in reader.pages.at.items() if off is not None}
for pfn, content in pages.items():
    must(pfn in want, f"page {pfn:#x} is not in the checkpoint")
    must(content == reader.d[want[pfn]:want[pfn] + PAGE], f"page {pfn:#x} differs")
must(reduced or len(pages) == len(want), f"{len(want) - len(pages)} pages are missing")
must(not reduced or 100 < len(pages) < len(want), "not reduced")
must(len([n for n in notes if n[:2] == (b"CORE", 1) and len(n[2]) == 336]) == len(reader.out["vcpus"]),
     "registers of the vcpus")
info = [n[2] for n in notes if n[0] == b"VMCOREINFO"]
# Reduced checkpoints have lost what leads to it.
must(len(info) <= 1 and all(i.startswith(b"OSRELEASE=") for i in info), "VMCOREINFO")
print(copied, zeros, count)
