#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""domu-truth.py DUMP.json TRUTH.json [--no-pages]: does a dump say what mkdomu.py made?"""
import json
import sys

dump, truth = (json.load(open(p)) for p in sys.argv[1:3])
pages = "--no-pages" not in sys.argv
bad = 0


def differ(what, said, true):
    global bad
    if said != true:
        print("%s: said %r, true %r" % (what, said, true))
        bad = 1


def segment(s):
    return [s["pfn"] if pages else None, s["offset"], s["bytes"], s["gref"]]


def request(r):
    return [r["slot"], r["op"], r["sector"], r["nr_sectors"], r["state"], [segment(s) for s in r["segments"]]]


differ("devices", [d["vdev"] for d in dump["devices"]], [d["vdev"] for d in truth["devices"]])
for said, true in zip(dump["devices"], truth["devices"]):
    name = true["vdev"]
    for key in set(true) & set(said) - {"requests", "queued", "vdev"}:
        differ("%s %s" % (name, key), said[key], true[key])
    for key in ("requests", "queued"):
        if key not in true:
            continue
        differ(name + " nr " + key, len(said[key] or []), len(true[key]))
        for a, b in zip(said[key] or [], sorted(true[key], key=lambda r: r["slot"]) if key == "requests" else true[key]):
            differ("%s %s slot %s" % (name, key, b["slot"]), request(a), request(b))
sys.exit(bad)
