#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""drive_guard.py XBDSNAP WHAT STREAM...: be the two sides of a pipe with guard between them.

WHAT  chunks        the writer writes 1 to 700 bytes at a time
      slow          the reader sleeps now and then
      socket        both sides are sockets
      kill-watcher  the analysing process dies when so many bytes have been written, 100 seeded points
      kill-passer   the same of the one that passes the bytes
      rounds        a live migration sends 8 MiB sixteen times; no memory, TMPDIR has some room
      terminal      standard error is a terminal
      end           print where the END record of the libxc stream begins
      migrate       guard runs a command that talks back: banner, stream, "ready", "go"
Exits 1 with a line that says what was wrong. Streams are made ones, of whose device nothing is known
(status 4).
"""
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

xbdsnap, what, *paths = sys.argv[1:]
KILLS = 100
SAFE = (0, 1, 3, 4)


def fail(text):
    sys.exit(f"drive_guard.py {what}: {text}")


def reader_of(f, into, naps=0):
    def read():
        while block := f.read1(4096 if naps else 1 << 16):
            into.append(block)
            if naps:
                time.sleep(0.002)
    t = threading.Thread(target=read)
    t.start()
    return t


def chunks(data, name):
    rng = random.Random(name)
    child = subprocess.Popen([xbdsnap, "guard", "-q"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, bufsize=0)
    got = []
    t = reader_of(child.stdout if hasattr(child.stdout, "read1") else os.fdopen(
        child.stdout.fileno(), "rb", closefd=False), got)
    at = 0
    while at < len(data):
        n = rng.choice((1, 2, 7, 8, 9, 63, 700))
        os.write(child.stdin.fileno(), data[at:at + n])
        at += n
    child.stdin.close()
    t.join()
    if child.wait() not in SAFE or b"".join(got) != data:
        fail(f"{name}: status {child.returncode}, {len(b''.join(got))} of {len(data)} bytes")


def slow(data, name):
    child = subprocess.Popen([xbdsnap, "guard", "-q"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    got = []
    t = reader_of(child.stdout, got, naps=1)
    child.stdin.write(data)
    child.stdin.close()
    t.join()
    if child.wait() not in SAFE or b"".join(got) != data:
        fail(f"{name}: status {child.returncode}, {len(b''.join(got))} of {len(data)} bytes")


def over_socket(data, name):
    (a, b), (c, d) = socket.socketpair(), socket.socketpair()
    child = subprocess.Popen([xbdsnap, "guard", "-q"], stdin=b, stdout=c)
    b.close()
    c.close()
    got = []
    t = reader_of(d.makefile("rb"), got)
    a.sendall(data)
    a.close()
    t.join()
    if child.wait() not in SAFE or b"".join(got) != data:
        fail(f"{name}: status {child.returncode}, {len(b''.join(got))} of {len(data)} bytes")


def child_of(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(2000):
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.001)
    fail(f"process {pid} has no other")


def watchers_of(pid):
    """The one that opens files for the other, which looks at the stream."""
    keeper = child_of(pid)
    return [keeper, child_of(keeper)]


def write_some(fd, data):
    """False: the reader is gone."""
    try:
        while data:
            data = data[os.write(fd, data):]
    except BrokenPipeError:
        return False
    return True


def is_gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def kill_one(data, point, which):
    """Write up to a point, kill, write the rest. What arrived, the status, did the writer see it.
    which: a watcher, or None: who passes the bytes."""
    child = subprocess.Popen([xbdsnap, "guard", "--veto=error"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got, said = [], []
    threads = [reader_of(child.stdout, got), reader_of(child.stderr, said)]
    watchers = watchers_of(child.pid)
    victim = child.pid if which is None else watchers[which]
    fd = child.stdin.fileno()
    write_some(fd, data[:point])
    os.kill(victim, signal.SIGKILL)
    if which is None:
        child.wait()
        while not all(map(is_gone, watchers)):
            time.sleep(0.001)
    written = write_some(fd, data[point:])
    try:
        child.stdin.close()
    except BrokenPipeError:
        pass
    for t in threads:
        t.join()
    return b"".join(got), child.wait(), written, b"".join(said).decode()


def kill_points(data, name):
    rng = random.Random("kill " + name)
    return [rng.randrange(len(data) + 1) for _ in range(KILLS // len(paths))]


def kill_watcher(data, name):
    late = 0
    for n, point in enumerate(kill_points(data, name)):
        got, status, _, said = kill_one(data, point, n % 2)
        if got != data:
            fail(f"{name}: watcher killed at {point}: {len(got)} of {len(data)} bytes passed")
        # It had answered; or the one that looks had, before the other's end reached it.
        if status in SAFE and (point + 8 >= len(data) or n % 2 == 0):
            late += 1
        elif status != 6 or "signal 9" not in said or "no verdict" not in said:
            fail(f"{name}: watcher killed at {point}: status {status}, {said!r}")
    if late > KILLS // len(paths) * 3 // 4:
        fail(f"{name}: killed too late {late} times")


def kill_passer(data, name):
    for point in kill_points(data, name):
        got, status, written, _ = kill_one(data, point, None)
        if status != -signal.SIGKILL or data[:len(got)] != got:
            fail(f"{name}: killed at {point}: status {status}, {len(got)} bytes, or others")
        if len(got) == len(data):
            continue  # the reader has all of it
        if point < len(data) and written:
            fail(f"{name}: killed at {point}: the writer was not told")


# The receiver of `xl migrate`: it says who it is, reads the stream, says that it is ready, and waits
# for the word to go on.
RECEIVER = """
import sys
out = open("migrated", "wb")
sys.stdout.write("banner"); sys.stdout.flush()
want = int(sys.argv[1])
while want:
    block = sys.stdin.buffer.read(min(want, 4096))
    if not block:
        sys.exit(9)
    out.write(block)
    want -= len(block)
out.close()
sys.stdout.write("ready"); sys.stdout.flush()
sys.exit(0 if sys.stdin.buffer.read(2) == b"go" else 8)
"""


def migrate(data, name):
    child = subprocess.Popen([xbdsnap, "guard", "-q", "--veto=error", "--", sys.executable, "-c",
                              RECEIVER, str(len(data))], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    fd = child.stdin.fileno()
    if os.read(child.stdout.fileno(), 6) != b"banner":
        fail("no banner")
    write_some(fd, data)
    if os.read(child.stdout.fileno(), 5) != b"ready":
        fail("not ready")
    write_some(fd, b"go")
    if os.read(child.stdout.fileno(), 1) != b"":
        fail("the receiver's end is not seen")
    child.stdin.close()
    if child.wait() or pathlib.Path("migrated").read_bytes() != data:
        fail(f"{name}: status {child.returncode}, or other bytes")


def rounds():
    """A PVH guest, whose context never comes: what counts is that all is kept to the end."""
    pages, noise = 2048, os.urandom(4096 - 8)
    child = subprocess.Popen([xbdsnap, "guard", "--memory-limit=0"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    w = child.stdin.write
    w(b"\xff" * 8 + struct.pack(">IIHHI", 0x58454e46, 3, 0, 0, 0))
    w(struct.pack("<IHHII", 2, 12, 0, 4, 17) + struct.pack("<II", 0x10, 0))
    for n in range(16):
        order = list(range(pages))
        random.Random(n).shuffle(order)
        for first in range(0, pages, 256):
            batch = order[first:first + 256]
            w(struct.pack("<II", 1, 8 + len(batch) * 4104) + struct.pack("<II", len(batch), 0))
            w(struct.pack(f"<{len(batch)}Q", *batch))
            w(b"".join(struct.pack("<II", n, p) + noise for p in batch))
    w(struct.pack("<II", 0, 0))
    said = child.communicate()[1].decode()
    if child.returncode != 3 or "XB007" not in said or "no verdict" in said:
        fail(f"status {child.returncode}: {said}")


def end(data, name):
    """Read for the records of libxc alone, from its headers on."""
    at = data.index(b"\xff" * 8 + b"XENF") + 40
    while struct.unpack_from("<I", data, at)[0]:
        at += 8 + (struct.unpack_from("<I", data, at + 4)[0] + 7 & ~7)
    print(at)


def terminal(data, name):
    """More than half a second passes between two halves."""
    for quiet in ([], ["-q"]):
        mine, theirs = os.openpty()
        child = subprocess.Popen([xbdsnap, "guard", *quiet], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        write_some(child.stdin.fileno(), data[:len(data) // 2])
        time.sleep(0.8)
        write_some(child.stdin.fileno(), data[len(data) // 2:])
        child.stdin.close()
        child.wait()
        said = b""
        try:
            while block := os.read(mine, 4096):
                said += block
        except OSError:
            pass
        if (b" MiB/s" in said) == bool(quiet):
            fail(f"{quiet}: {said!r}")


DO = {"chunks": chunks, "slow": slow, "socket": over_socket, "kill-watcher": kill_watcher,
      "kill-passer": kill_passer, "migrate": migrate, "terminal": terminal, "end": end}
if what == "rounds":
    rounds()
for p in map(pathlib.Path, paths):
    DO[what](p.read_bytes(), p.name)
