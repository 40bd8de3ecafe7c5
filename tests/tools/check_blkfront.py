#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_blkfront.py XBDSNAP FOLDER [PATTERN|--kernel]: guests of mkblkfront.py, those whose name fits.

Of those all, or one of SAMPLE where that is set.

Each is decoded and validated, its writes are replayed to a disk, and everything is compared with what
was put into the rings, and the order of resume with what kernels of its time do. One line a guest that
differs; ends with "N guests". --kernel: by the DWARF of a kernel file,
and of a module beside one without types.
"""
import json
import os
import re
import subprocess
import sys

import mkblkfront

DISK = 10 << 10  # sectors


def ask(*argv, status=(0,)):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in status:
        raise AssertionError(f"{argv[1]}: status {done.returncode}: "
                             f"{done.stdout[-300:]} {done.stderr[-300:]}")
    return json.loads(done.stdout) if "-J" in argv else done.stdout


def same(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:200]}, expected {str(want)[:200]}")


def compare_request(where, got, want):
    for key in ("op", "sector", "nr_sectors", "slot", "ring"):
        same(f"{where} {key}", got[key], want[key])
    same(f"{where} state", got["state"], "responded" if want["answered"] else "pending")
    pieces = [{"pfn": s["pfn"] and int(s["pfn"], 16), "offset": s["offset"], "bytes": s["bytes"], "gref": s["gref"]}
              for s in got["segments"]]
    same(f"{where} segments", pieces, want["segments"])


def compare_dump(document, truth):
    devices = {d["vdev"]: d for d in document["devices"]}
    same("devices", sorted(devices), [d["vdev"] for d in truth])
    for want in truth:
        d = devices[want["vdev"]]
        for key in ("handle", "state"):
            same(f"{want['vdev']} {key}", d[key], want[key])
        same("entries", [r["entries"] for r in d["rings"]], want["entries"])
        same("slots", [(r["ring"], r["slot"]) for r in d["requests"]],
             [(r["ring"], r["slot"]) for r in want["requests"]])
        for got, request in zip(d["requests"], want["requests"]):
            compare_request(f"{want['vdev']} slot {request['slot']}", got, request)


def stream_of(era, request):
    """By which way blkif_recover() of that kernel hands a request on: up to 3.10 it goes onto the new
    ring as it stood on the old one, later it goes through the block layer."""
    if era in ("xenlinux", "3.4"):
        return "ring", "posted again, by slot"
    if era in ("3.8", "3.10"):
        return "ring", "its copy posted again, by slot"
    if request["op"] in ("flush", "barrier"):
        return "put-back", "put back, a flush first"
    if request["op"] == "discard":
        return "put-back", "put back, order not known"
    return "data", "data, by ring and slot if no scheduler sorts it"


def compare_plan(document, truth, era):
    """All that is posted again is in order of slots; what is put back comes before the data, a flush
    before all, and the last slot first where the kernel's order is not known."""
    rank = {"ring": 0, "put-back": 1, "data": 2}
    for want in truth:
        todo = []
        for r in want["requests"]:
            stream, why = stream_of(era, r)
            known = -1 if why == "put back, order not known" else 1
            todo.append((rank[stream], -known, known * r["ring"], known * r["slot"],
                         r["ring"], r["slot"], stream, why))
        got = [(r["ring"], r["slot"], r["stream"], r["why"]) for r in document["plan"]
               if r["device"] == want["vdev"]]
        same(f"{want['vdev']} order of resume", got, [t[4:] for t in sorted(todo)])


def blank(vdev):
    return bytearray(b"%-16s" % vdev.encode() * (512 // 16 * DISK))


def disk_after(want, memory):
    """What the requests say, in any order: none overlap."""
    disk = blank(want["vdev"])
    for r in want["requests"]:
        at = (r["sector"] or 0) * 512
        if r["op"] not in ("write", "barrier"):
            continue
        for s in r["segments"]:
            disk[at : at + s["bytes"]] = memory[s["pfn"]][s["offset"] : s["offset"] + s["bytes"]]
            at += s["bytes"]
    return disk


def replay(xbdsnap, save, folder, truth, memory):
    for want in truth:
        path = os.path.join(folder, want["vdev"] + ".img")
        with open(path, "wb") as f:
            f.write(blank(want["vdev"]))
        undo = os.path.join(folder, "undo")
        if os.path.exists(undo):
            os.unlink(undo)
        ask(xbdsnap, "replay", "--disk", f"{want['vdev']}={path}", "--write", "--undo", undo,
            "--allow=findings", save)
        with open(path, "rb") as f:
            got = f.read()
        if got != disk_after(want, memory):
            first = next(i for i, (a, b) in enumerate(zip(got, disk_after(want, memory))) if a != b)
            raise AssertionError(f"{want['vdev']}: the disk differs from byte {first}")


def examine(xbdsnap, name, folder):
    guest, truth = mkblkfront.table()[name]()
    save = os.path.join(folder, "guest.save")
    with open(save, "wb") as f:
        f.write(guest.stream())
    compare_dump(ask(xbdsnap, "dump", "-J", save), truth)
    compare_plan(ask(xbdsnap, "replay", "-J", save), truth, name.split("-")[0])
    verdict = ask(xbdsnap, "validate", "-J", save, status=(0, 1, 3))
    bad = [f["rule"] + " " + f["message"] for f in verdict["findings"] if f["severity"] == "error"]
    same("errors", bad, [])
    if any(r["op"] in ("write", "barrier") for d in truth for r in d["requests"]):
        replay(xbdsnap, save, folder, truth, guest.mem)


def compare_queue(document, truth):
    """What waits outside of the ring: known by types only."""
    for d, want in zip(document["devices"], truth):
        if want["queued"] is None:
            same("queued of " + d["vdev"], (d["nr_queued"], d["queued"]), (None, None))
            continue
        same("queued of " + d["vdev"], d["nr_queued"], len(want["queued"]))
        for got, request in zip(d["queued"], want["queued"]):
            where = f"{d['vdev']} queued {request['op']}"
            for key in ("ring", "op", "sector", "nr_sectors"):
                same(f"{where} {key}", got[key], request[key])
            same(f"{where} pieces", [(int(s["pfn"], 16), s["offset"], s["bytes"], s["gref"]) for s in got["segments"]],
                 [tuple(s.values()) for s in request["segments"]])


def rules_of(document):
    return [f["rule"] for f in document["findings"]]


def examine_misfits(xbdsnap, save, elf, truth):
    """Files that may not be taken for the kernel that was moved: by its shape then."""
    for end, rules in (".id", ["XB312"]), (".elsewhere", ["XB312"]), (".few", []):
        document = ask(xbdsnap, "dump", "-J", "--kernel", elf + end, save)
        same(end, rules_of(document), rules)
        same(end, [d["vdev"] for d in document["devices"]], [d["vdev"] for d in truth])
        same(end, {(d["located_by"], d["nr_queued"]) for d in document["devices"]}, {("scan", None)})


def examine_kernel(xbdsnap, name, folder):
    save, elf = os.path.join(folder, "guest.save"), os.path.join(folder, "kernel.elf")
    truth = mkblkfront.kernel_file(name, save, elf)
    slide = mkblkfront.kernel_guests()[name][3]
    for files in (["--kernel", elf], ["--kernel", elf + ".bare", "--module", elf + ".ko"]):
        document = ask(xbdsnap, "dump", "-J", "--locate=symbols", *files, save)
        compare_dump(document, truth)
        compare_queue(document, truth)
        same("located_by", {d["located_by"] for d in document["devices"]}, {"dwarf"})
        same("findings", document["findings"], [])
        how = ask(xbdsnap, "dump", "-v", "--locate=symbols", *files, save).decode()
        same("said to be moved", f"moved by {slide:#x}: 15 functions" in how, slide != 0)
        same("by the build id", "the build id is the same" in how, slide != 0)
    if name == "3.4-64":  # a frame in a slot that no bio of the request has
        g = mkblkfront.kernel_memory(name)[0]
        ring = g.devices[0].rings[0]
        slot = next(i for i, r in ring.used.items() if r["op"] == "write" and not r["answered"])
        g.word(ring.slot(slot, "shadow.frame"), 70)
        with open(save, "wb") as f:
            f.write(g.stream())
        document = ask(xbdsnap, "validate", "-J", "--kernel", elf, save, status=(3,))
        bad = [f["rule"] for f in document["findings"] if f["severity"] == "error"]
        same("a frame without a bio", bad, ["XB307"])
    if slide:
        examine_misfits(xbdsnap, save, elf, truth)


def main(argv):
    pattern = argv[3] if len(argv) > 3 else ""
    by_kernel = pattern == "--kernel"
    names = list(mkblkfront.kernel_guests()) if by_kernel else [
        n for n in mkblkfront.table() if re.search(pattern, n)]
    names = names[::int(os.environ.get("SAMPLE", "1"))]
    bad = 0
    for name in names:
        try:
            (examine_kernel if by_kernel else examine)(os.path.abspath(argv[1]), name, argv[2])
        except AssertionError as e:
            print(f"{name}: {e}", flush=True)
            bad += 1
    print(f"{len(names)} guests")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
