#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Make the checkpoints that the repository ships (tests/fixtures/real) from unreduced ones.

pack_checkpoints.py XBDSNAP UNPACKED TRUTH INTO: UNPACKED is a folder of real checkpoints with their
disks, as unpack-checkpoints.sh leaves them, TRUTH the folder with what is known of each, INTO the
folder to write. What is kept of an image: the pages that the analysis reads, the payload, every page
table, the table of frames, start_info and the kernel's banner; all other pages are zeros. Of a disk:
its first 16 MiB, and what differs before and after the restore.
"""
import lzma
import mmap
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from second_reader import Reader  # noqa: E402

PAGE = 4096
KEEP_DISK = 16 << 20
TABLES = {1, 2, 3, 4, 9, 10, 11, 12}
SMALL = ("truth.json", "xenstore.txt", "domU.cfg", "source-p2m.bin.xz", "ext4-truth.json",
         "netbsd.syms.xz", "ring.bin", "target-p2m.bin", "guest-kallsyms.xz")


def p2m_pages(truth):
    """The contents that pages of the guest's table of frames have."""
    path = truth / "source-p2m.bin.xz"
    if not path.exists():
        return set()
    table = lzma.open(path).read()
    return {table[at:at + PAGE] for at in range(0, len(table) - PAGE + 1, PAGE)}


def reduce_image(xbdsnap, full, truth, out):
    extra = []
    if (truth / "netbsd.syms.xz").exists():
        extra = ["--kernel", str(full.parent / "netbsd.syms")]
    subprocess.run([xbdsnap, "redact", "-q", "--keep-payload", "--keep-who", "--keep-witnesses",
                    *extra, full, out], check=True)
    wanted = p2m_pages(truth)
    with open(full, "rb") as f, open(out, "r+b") as o:
        data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        reader = Reader(data)
        reader.start()
        for kind, off in reader.pages.at.values():
            if off is None:
                continue
            page = data[off:off + PAGE]
            start_info = page.startswith(b"xen-3.0-x86_64")
            if kind in TABLES or start_info or page in wanted or b"Linux version " in page:
                o.seek(off)
                o.write(page)


def reduce_disks(folder, out):
    for before in sorted(folder.glob("disk-before*.img")):
        after = folder / before.name.replace("before", "after")
        b, a = bytearray(before.read_bytes()), bytearray(after.read_bytes())
        for at in range(KEEP_DISK, len(b), PAGE):
            if b[at:at + PAGE] == a[at:at + PAGE] and "xvdb" not in before.name:
                b[at:at + PAGE] = a[at:at + PAGE] = bytes(PAGE)
        (out / before.name).write_bytes(b)
        (out / after.name).write_bytes(a)


def pack(xbdsnap, unpacked, truths, into):
    with tempfile.TemporaryDirectory() as tmp:
        for folder in sorted(p for p in unpacked.iterdir() if p.is_dir()):
            truth, kept = truths / folder.name, into / folder.name
            out = pathlib.Path(tmp) / folder.name
            out.mkdir()
            kept.mkdir(parents=True, exist_ok=True)
            for name in SMALL:
                if (truth / name).exists():
                    shutil.copyfile(truth / name, kept / name)
            reduce_image(xbdsnap, folder / "image.save", truth, out / "image.save")
            reduce_disks(folder, out)
            if not folder.name.startswith("linux-"):
                (kept / "image.save.xz").write_bytes(
                    lzma.compress((out / "image.save").read_bytes(), preset=9))
        # fallocate digs the holes that tar and its reader keep.
        subprocess.run("find . -type f -exec fallocate -d {} \\; && tar -cS --owner=0 --group=0 "
                       "--mtime=@0 --sort=name linux-* | zstd -q -f -19 --long=27 -T0 -o images",
                       shell=True, check=True, cwd=tmp)
        shutil.copyfile(pathlib.Path(tmp) / "images", into / "images.tar.zst")


if __name__ == "__main__":
    pack(sys.argv[1], *(pathlib.Path(p) for p in sys.argv[2:5]))
