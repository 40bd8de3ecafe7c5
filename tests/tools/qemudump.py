#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A dump that the emulator itself writes of the guest in a real checkpoint of a PVH or HVM guest:
qemudump.py FORMAT CHECKPOINT OUT    FORMAT: of QMP's dump-guest-memory (elf, kdump-zlib, ...)

The guest's memory becomes that of an emulated PC that is never started, its registers are set by
the debugger's protocol, and then QMP is asked for the dump. Exit status 77: no emulator here.
"""
import json
import mmap
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mkcore import PAGE, Guest  # noqa: E402

EMULATOR = "qemu-system-x86_64"
# Numbers of registers in the debugger's protocol (QEMU, gdb-xml/i386-64bit.xml), and where Xen's
# record of a vcpu has them (xen/include/public/arch-x86/hvm/save.h).
REGISTERS = {0: 512, 1: 520, 2: 528, 3: 536, 4: 552, 5: 560, 6: 544, 7: 568, 8: 576, 9: 584, 10: 592,
             11: 600, 12: 608, 13: 616, 14: 624, 15: 632, 16: 640, 27: 656, 28: 664, 29: 672, 30: 680,
             32: 992}


def write_memory(guest, path):
    """From frame 0 on; returns its size, whole MiB."""
    pfns = [p for p in guest.at if p < 0xc0000]
    size = ((max(pfns) + 1) * PAGE + (1 << 20) - 1) >> 20 << 20
    with open(path, "wb") as f:
        f.truncate(size)
        for pfn in pfns:
            f.seek(pfn * PAGE)
            f.write(guest.page(pfn))
    return size


def connect(path):
    for _ in range(600):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            time.sleep(0.1)
    raise SystemExit(f"qemudump: {EMULATOR} does not answer")


def debug(s, text):
    s.sendall(b"$%s#%02x" % (text, sum(text) & 255))
    got = b""
    while not (got.count(b"#") and len(got.split(b"#", 1)[1]) >= 2):
        got += s.recv(4096)
    s.sendall(b"+")
    return got.lstrip(b"+")[1:].split(b"#")[0]


def set_registers(guest, path):
    s = connect(path)
    off = guest.contexts[0]
    debug(s, b"qXfer:features:read:target.xml:0,ffb")  # before that it takes no single registers
    for number, at in REGISTERS.items():
        value, = guest.u("<Q", off + at)
        answer = debug(s, b"P%x=%s" % (number, value.to_bytes(8, "little").hex().encode()))
        if answer != b"OK":
            raise SystemExit(f"qemudump: register {number}: {answer!r}")
    s.close()


def ask(f, command, **arguments):
    f.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    f.flush()
    while True:
        answer = json.loads(f.readline())
        if "error" in answer:
            raise SystemExit(f"qemudump: {command}: {answer['error']['desc']}")
        if "return" in answer:
            return


def main():
    kind, source, target = sys.argv[1:]
    if not shutil.which(EMULATOR):
        raise SystemExit(77)
    with open(source, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as data, \
            tempfile.TemporaryDirectory() as folder:
        guest = Guest(data)
        memory, qmp, gdb = (os.path.join(folder, n) for n in ("memory", "qmp", "gdb"))
        size = write_memory(guest, memory)
        with subprocess.Popen(
                [EMULATOR, "-S", "-accel", "tcg", "-cpu", "max", "-m", f"{size >> 20}M", "-nodefaults",
                 "-display", "none", "-machine", "pc,memory-backend=m", "-object",
                 f"memory-backend-file,id=m,size={size},mem-path={memory},share=on",
                 "-qmp", f"unix:{qmp},server=on,wait=off",
                 "-chardev", f"socket,id=g,path={gdb},server=on,wait=off", "-gdb", "chardev:g"]) as vm:
            try:
                set_registers(guest, gdb)
                with connect(qmp).makefile("rw") as f:
                    f.readline()
                    ask(f, "qmp_capabilities")
                    ask(f, "dump-guest-memory", paging=False, format=kind,
                        protocol="file:" + os.path.abspath(target))
                    ask(f, "quit")
            finally:
                vm.kill()


if __name__ == "__main__":
    main()
