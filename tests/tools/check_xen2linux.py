#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_xen2linux.py XBDSNAP FOLDER FAULT: guests of mkxen2linux.py with that fault ("none": whole).

By the symbols of a kernel file and by the scan; requests, and the disks after a replay, are compared
with what the made-up driver logged. Prints the errors that validate has, a line each.
"""
import json
import os
import subprocess
import sys

NAMES = {3 << 8 | 1: "hda1", 22 << 8: "hdc", 8 << 8 | 18: "sdb2"}
DISK = 16384  # sectors


def ask(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{argv}: status {done.returncode}: {done.stderr}")
    return done.stdout


def requests_of(document):
    return sorted(
        (r["slot"], r["op"], d["vdev"], r["sector"], r["state"],
         tuple((int(s["pfn"], 16), s["offset"], s["bytes"]) for s in r["segments"]))
        for d in document["devices"] for r in d["requests"])


def wanted(truth):
    return sorted(
        (r["slot"], r["op"], NAMES.get(r["device"], "vbd"), r["sector"],
         "responded" if r["answered"] else "pending",
         tuple((s["pfn"], s["offset"], s["bytes"]) for s in r["segments"])) for r in truth)


def page(pfn):
    return bytes((pfn * 31 + j * 7) & 0xFF for j in range(4096))


def replay(xbdsnap, folder, save, truth):
    for device in sorted({r["device"] for r in truth if r["op"] == "write"}):
        path, undo = os.path.join(folder, "disk"), os.path.join(folder, "undo")
        want = bytearray(DISK * 512)
        with open(path, "wb") as f:
            f.write(want)
        if os.path.exists(undo):
            os.unlink(undo)
        for r in truth:
            at = (r["sector"] or 0) * 512
            for s in r["segments"] if r["device"] == device and r["op"] == "write" else []:
                want[at : at + s["bytes"]] = page(s["pfn"])[s["offset"] : s["offset"] + s["bytes"]]
                at += s["bytes"]
        ask(xbdsnap, "replay", "--disk", f"{NAMES[device]}={path}", "--write", "--undo", undo,
            "--allow=findings", save)
        with open(path, "rb") as f:
            if f.read() != want:
                raise SystemExit(f"{NAMES[device]}: the disk differs")


def main(argv):
    xbdsnap, folder, fault = os.path.abspath(argv[1]), argv[2], argv[3]
    here = os.path.dirname(os.path.abspath(__file__))
    save, elf, told = (os.path.join(folder, n) for n in ("save", "elf", "truth"))
    errors = set()
    for seed in ("1", "2", "3"):
        subprocess.run([sys.executable, os.path.join(here, "mkxen2linux.py"), save, told, "--elf", elf,
                        "--seed", seed, "--with", "" if fault == "none" else fault], check=True)
        with open(told) as f:
            truth = json.load(f)
        for more in (["--kernel", elf, "--locate=symbols"], ["--locate=scan"]):
            got = requests_of(json.loads(ask(xbdsnap, "dump", "-J", *more, save)))
            if got != wanted(truth):
                raise SystemExit(f"{more}: {got}\nexpected {wanted(truth)}")
        verdict = json.loads(ask(xbdsnap, "validate", "-J", "--kernel", elf, save))
        errors |= {f["rule"] for f in verdict["findings"] if f["severity"] != "note"}
        replay(xbdsnap, folder, save, truth)
    print("\n".join(sorted(errors)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
