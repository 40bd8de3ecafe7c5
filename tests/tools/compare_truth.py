#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""compare_truth.py DUMP.json TRUTH.json: is the dump exactly what the guest had in flight?

Every pending request of the truth stands in the dump, none is invented, and op, sector, length,
segments (pfn, offset, bytes), grants, ring indices and source machine frames are equal. What the
guest's own program had submitted (submitted_by_guest) must be among it, sector by sector. The
source host's table of frames is read from source-p2m.bin.xz beside the truth, where it is.
"""
import json
import lzma
import os
import sys

NO_FRAME = (1 << 64) - 1
GUEST_OPS = {"w": "write", "r": "read", "d": "discard", "f": "flush"}


class Difference(Exception):
    pass


def number(value):
    if isinstance(value, str):
        return int(value, 16)
    return value


def load_p2m(truth_path):
    path = os.path.join(os.path.dirname(truth_path), "source-p2m.bin.xz")
    if not os.path.exists(path):
        return None
    with lzma.open(path) as f:
        raw = f.read()
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]


def must(what, got, wanted):
    if got != wanted:
        raise Difference(f"{what}: {got!r}, the truth is {wanted!r}")


def check_ring(where, got, want):
    for key in ("index", "entries", "req_prod_pvt", "rsp_cons", "sring_req_prod", "sring_rsp_prod"):
        must(f"{where} {key}", got[key], want[key])
    if "sring_pfn" in want:
        must(f"{where} first page", number(got["pages"][0]), want["sring_pfn"])


def check_mfn(where, seg, p2m):
    got = number(seg["source_mfn"])
    if p2m is None:
        must(f"{where} source_mfn", got, None)
        return
    pfn = number(seg["pfn"])
    want = p2m[pfn] if pfn < len(p2m) else NO_FRAME
    must(f"{where} source_mfn", got, None if want == NO_FRAME else want)


def check_request(where, got, want, p2m):
    for key in ("op", "sector", "nr_sectors"):
        must(f"{where} {key}", got[key], want[key])
    must(f"{where} indirect", "indirect" in got["flags"], want["indirect"])
    must(f"{where} state", got["state"], "pending")
    segs = [(number(s["pfn"]), s["offset"], s["bytes"]) for s in got["segments"]]
    must(f"{where} segments", segs, [(s["pfn"], s["offset"], s["bytes"]) for s in want["segments"]])
    if "grefs" in want:
        must(f"{where} grefs", [s["gref"] for s in got["segments"]], want["grefs"])
    for k, seg in enumerate(got["segments"]):
        check_mfn(f"{where} segment {k}", seg, p2m)


def check_device(got, want, p2m):
    name = got["vdev"]
    must(f"{name} handle", got["handle"], want["handle"])
    must(f"{name} rings", len(got["rings"]), len(want["rings"]))
    for ring, ring_want in zip(got["rings"], want["rings"]):
        check_ring(f"{name} ring {ring['index']}", ring, ring_want)
    slots = {(r["ring"], r["slot"]): r for r in got["requests"]}
    must(f"{name} distinct slots", len(slots), len(got["requests"]))
    wanted = {(r["ring"], r["slot"]): r for r in want["pending"]}
    must(f"{name} pending slots", sorted(slots), sorted(wanted))
    for key, r in sorted(slots.items()):
        check_request(f"{name} ring {key[0]} slot {key[1]}", r, wanted[key], p2m)
    return len(slots)


def sectors_of(requests):
    """(op, sector) -> (pfn, byte offset in the page), for everything that names sectors."""
    found = {}
    for r in requests:
        if r["sector"] is None:
            continue
        sector = r["sector"]
        if r["op"] == "discard":
            found.update({("discard", sector + i): None for i in range(r["nr_sectors"])})
            continue
        for seg in r["segments"]:
            for i in range(seg["bytes"] // 512):
                found[(r["op"], sector)] = (number(seg["pfn"]), seg["offset"] + 512 * i)
                sector += 1
    return found


def check_submitted(devices, submitted, default_device):
    flushes = {d["vdev"]: sum(r["op"] == "flush" for r in d["requests"]) for d in devices}
    found = {d["vdev"]: sectors_of(d["requests"] + (d.get("queued") or [])) for d in devices}
    for s in submitted:
        op, dev = GUEST_OPS.get(s["op"]), s.get("dev", default_device)
        if op == "flush":
            flushes[dev] -= 1
            must(f"{dev}: flush {s['i']} is there", flushes[dev] >= 0, True)
        elif op:
            for i in range(s["nsec"]):
                at = s["off"] + 512 * i
                place = (s["pfns"][at // 4096], at % 4096) if s["pfns"] else None
                must(f"{dev}: submission {s['i']} sector {s['sector'] + i}",
                     found[dev].get((op, s["sector"] + i), "not in the dump"), place)


def main():
    dump_path, truth_path = sys.argv[1:]
    with open(dump_path, encoding="utf-8") as f:
        dump = json.load(f)
    with open(truth_path, encoding="utf-8") as f:
        truth = json.load(f)
    p2m = load_p2m(truth_path)
    wanted = truth.get("devices") or [dict(truth, name=truth["device"])]
    wanted = {d["name"]: d for d in wanted}
    try:
        must("devices", sorted(d["vdev"] for d in dump["devices"]), sorted(wanted))
        count = sum(check_device(d, wanted[d["vdev"]], p2m) for d in dump["devices"])
        check_submitted(dump["devices"], truth.get("submitted_by_guest") or [], truth.get("device"))
    except Difference as e:
        sys.exit(f"{dump_path}: {e}")
    print(f"{count} requests equal the truth")


main()
