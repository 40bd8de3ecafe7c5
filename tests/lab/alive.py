# SPDX-License-Identifier: BSD-2-Clause
"""What must hold of looks at a domain that lives. Nothing here shares code with what it looks at."""
import json
import os
import shutil

from results import Wrong, must, same_requests


def still(devices):
    """What two looks at one stuck guest have in common: not ages, nor what confirms a device."""
    return [{**d, "confirmed_by": None,
             "requests": [{**r, "age_ns": None} for r in d["requests"]],
             "queued": [{**r, "age_ns": None} for r in d["queued"] or []]} for d in devices]


def without_frames(devices):
    for d in devices:
        for ring in d["rings"]:
            ring.pop("source_mfns")
        for r in d["requests"] + d["queued"]:
            for s in r["segments"]:
                s.pop("source_mfn")
    return devices


def payloads_are(res, suffix):
    """The bytes of the domain's memory are those in the checkpoint, where there is one."""
    here = res.path("payloads-here")
    shutil.rmtree(here, ignore_errors=True)
    res.ask("extract", "--all", here, res.path("image.save"))
    for name in set(os.listdir(here) + os.listdir(res.path("payloads" + suffix))) - {"manifest.json"}:
        must(f"extract --live{suffix}: {name}", res.bytes(f"payloads{suffix}/{name}"),
             res.bytes(f"payloads-here/{name}"))


def nothing_landed(res, suffix):
    """The plan is the checkpoint's, and what the stuck disk holds is told."""
    plan = res.json("live-replay" + suffix)["plan"]
    writes = [s for s in plan if s["op"] == "write" and s["device"] == "xvda"]
    must(f"replay --live{suffix}: writes", {s["on_disk"]["state"] for s in writes}, {"not-landed"})
    if res.exists("image.save"):
        here = json.loads(res.ask("replay", "-J", "--disk", f"xvda={res.path('before-a.img')}",
                                  res.path("image.save")))["plan"]
        must(f"replay --live{suffix}: steps", [step_of(s) for s in plan], [step_of(s) for s in here])


def step_of(step):
    return [step[k] for k in ("device", "ring", "slot", "op", "sector", "nr_sectors", "hazards")]


def waits_for_backend(res, live):
    for disk in live["live"]["disks"]:
        stuck = disk["vdev"][3:] in res.letters()
        (device,) = [d for d in live["devices"] if d["vdev"] == disk["vdev"]]
        must(f"{disk['vdev']}: verdict", disk["verdict"], ["backend"] if stuck else [])
        must(f"{disk['vdev']}: unanswered", disk["unanswered"], len(device["requests"]))
        must(f"{disk['vdev']}: the ring as dom0 maps it", [r["same"] for r in disk["rings"]],
             [True] * len(device["rings"]))
        must(f"{disk['vdev']}: states", (disk["backend"]["state"], disk["backend"]["frontend_state"]),
             (4, 4))
        if None in (disk["backend"]["reads_in_flight"], disk["backend"]["writes_in_flight"]):
            raise Wrong(f"{disk['vdev']}: what the device below has in flight is unknown")


def seen_alive(res, suffix, state, notes=()):
    """The guest's own list, out of the memory of the domain as it lives; validate finds the notes."""
    for name in ("dump", "validate", "replay", "info", "extract"):
        must(f"{name} --live{suffix}: status", res.status(f"live-{name}{suffix}"), 0)
    live = res.json("live-dump" + suffix)
    must("state", live["live"]["state"], state)
    must("consistent", live["live"]["consistent"], True)
    must("not paused", live["live"]["paused_ns"], None)
    must("findings", live["findings"], [])
    must("suspended", live["guest"]["suspended"], state in ("restored", "suspended"))
    same_requests(res, live["devices"], f"dump --live, {state}")
    must("validate --live: findings", [(f["rule"], f["severity"]) for f in
                                       res.json("live-validate" + suffix)["findings"]],
         [(rule, "note") for rule in notes])
    nothing_landed(res, suffix)
    if res.exists("image.save"):
        payloads_are(res, suffix)
    return live


def flag_of(listing):
    """The states in what xl list said: r b p s c d."""
    return [line.split()[4] for line in listing.splitlines() if not line.startswith("Name")]


def alive(res, document):
    live = seen_alive(res, "", "running")
    must("dump --live and dump of the checkpoint saved after it", still(live["devices"]),
         still(document["devices"]))
    waits_for_backend(res, live)
    must("paused, by xl", [f for f in flag_of(res.text("xl-list.txt")) if "p" in f], [])
    must("watch: status", res.status("live-watch"), 3)
    last = json.loads(res.text("live-watch.out").splitlines()[-1])
    must("watch", (last["too_old"], last["verdict"]), (True, ["backend"]))
    return f"dump --live of the stuck guest is that of the checkpoint, {len(live['devices'])} disks"


def alive_paused(res, document):
    live = seen_alive(res, "-paused", "paused")
    must("dump --live of the paused domain and dump of its checkpoint", still(live["devices"]),
         still(document["devices"]))
    return "so is that of the domain while xl pause holds it"


def alive_suspended(res, document):
    live = seen_alive(res, "-suspended", "suspended")
    must("dump --live of the domain while it is saved and dump of its checkpoint",
         still(live["devices"]), still(document["devices"]))
    return "so is that of the domain while it is being saved"


def alive_restored(res, document):
    live = seen_alive(res, "-restored", "restored")
    must("dump --live of the restored domain and dump of its checkpoint",
         without_frames(still(live["devices"])), without_frames(still(document["devices"])))
    return "so is that of the restored domain, before it runs"


def alive_answered(res):
    live = res.json("live-dump-answered")
    must("state", live["live"]["state"], "paused")
    must("consistent", live["live"]["consistent"], True)
    same_requests(res, live["devices"], "dump --live, answered")
    must("states of the requests", {r["state"] for d in live["devices"] for r in d["requests"]},
         {"responded"})
    must("verdicts", [(d["verdict"], d["unanswered"]) for d in live["live"]["disks"]],
         [(["guest"], 0)])
    plan = res.json("live-replay-answered")["plan"]
    must("writes", {s["on_disk"]["state"] for s in plan if s["op"] == "write"}, {"landed"})
    last = json.loads(res.text("live-watch-answered.out").splitlines()[-1])
    must("watch", (last["too_old"], last["verdict"]), (True, ["guest"]))
    return "a guest that has not looked at its answers is told from one that waits for them"


def alive_starved(res, document):
    live = seen_alive(res, "-starved", "running", ["XB305"])
    must("dump --live of the starved guest and dump of its checkpoint", still(live["devices"]),
         still(document["devices"]))
    (device,), (disk,) = live["devices"], live["live"]["disks"]
    must("in the ring", [r["used"] for r in device["rings"]] + device["requests"], [0])
    must("verdict", (disk["verdict"], disk["unanswered"], disk["unseen"], disk["unpublished"]),
         (["unpublished"], 0, 0, 0))
    must("held back", disk["queued"], len(res.submitted))
    must("the sentence", disk["sentence"].split(": 0 in the ring, ")[0], "nothing published")
    must("the ring as dom0 maps it", [r["same"] for r in disk["rings"]], [True])
    must("in flight below", (disk["backend"]["reads_in_flight"],
                             disk["backend"]["writes_in_flight"]), (0, 0))
    must("watch: status", res.status("live-watch-starved"), 3)
    last = json.loads(res.text("live-watch-starved.out").splitlines()[-1])
    must("watch", (last["too_old"], last["pending"], last["queued"], last["verdict"]),
         (True, 0, len(res.submitted), ["unpublished"]))
    return f"nothing published: {len(res.submitted)} requests of a guest without a free grant"


def alive_fed(res):
    for name in ("dump", "validate", "replay", "info", "extract"):
        must(f"{name} --live-fed: status", res.status(f"live-{name}-fed"), 0)
    live = res.json("live-dump-fed")
    must("consistent", live["live"]["consistent"], True)
    same_requests(res, live["devices"], "dump --live, fed")
    must("still held back", [d["queued"] for d in live["devices"]], [[]])
    waits_for_backend(res, live)
    return "they wait for the backend as soon as the guest has some"


def never_left_paused(res):
    lines = res.text("killed.txt").splitlines()
    must("killed while it held the pause", lines, ["killed, running again: 1"] * 5)
    must("paused, by xl", [f for f in flag_of(res.text("killed.list")) if "p" in f], [])
    must("dump --live --pause: status", res.status("live-pause"), 0)
    live = res.json("live-pause")
    if not live["live"]["paused_ns"]:
        raise Wrong("--pause did not pause")
    same_requests(res, live["devices"], "dump --live --pause")
    return (f"--pause: five times killed while the domain was paused, and it ran on; else "
            f"{live['live']['paused_ns'] // 1000000} ms")


def documents(text):
    decoder, at, found = json.JSONDecoder(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def possible(device):
    """Nothing that no driver can be in."""
    for r in device["rings"]:
        who = f"{device['vdev']} ring {r['index']}"
        if not 0 <= r["used"] <= r["entries"]:
            raise Wrong(f"{who}: {r['used']} of {r['entries']} used")
        for a, b in (("sring_req_prod", "sring_rsp_prod"), ("req_prod_pvt", "rsp_cons")):
            if (r[a] - r[b]) % (1 << 32) > r["entries"]:
                raise Wrong(f"{who}: {a} {r[a]}, {b} {r[b]}")
    for r in device["requests"]:
        if not r.get("unsettled") and r["op"] in ("read", "write"):
            if r["sector"] is None or r["sector"] + r["nr_sectors"] > device["nr_sectors"]:
                raise Wrong(f"{device['vdev']} slot {r['slot']}: sector {r['sector']}")
            if r["trouble"]:
                raise Wrong(f"{device['vdev']} slot {r['slot']}: {r['trouble']}")


def busy(res):
    looks = documents(res.text("busy.json"))
    must("looks", len(looks), 10)
    must("statuses", sorted(set(res.text("busy.statuses").split())), ["0"])
    must("paused, by xl", [f for f in flag_of(res.text("busy.list")) if "p" in f], [])
    moved = pending_at = 0
    for look in looks:
        must("a look: state", look["live"]["state"], "running")
        must("a look: findings", look["findings"], [])
        must("a look: disks", len(look["devices"]), 1)
        for d in look["devices"]:
            possible(d)
            pending_at += bool(d["requests"])
        moved += not look["live"]["consistent"]
    if not pending_at:
        raise Wrong("no look saw a request: the guest was not busy")
    must("validate: status", res.status("busy-validate"), 0)
    must("validate: findings", res.json("busy-validate")["findings"], [])
    must("replay: status", res.status("busy-replay"), 0)
    if res.status("busy-extract") not in (0, 4):
        raise Wrong(f"extract: status {res.status('busy-extract')}: {res.text('busy-extract.err')}")
    must("watch: status", res.status("busy-watch"), 0)
    lines = [json.loads(line) for line in res.text("busy-watch.out").splitlines()]
    must("watch: verdicts that cannot be", [s for s in lines if "unknown" in s["verdict"]], [])
    must("watch: states", {s["state"] for s in lines}, {"running"})
    if len(lines) < 10:
        raise Wrong(f"90 looks by watch saw {len(lines)} changes: the guest was not busy")
    return (f"100 looks at a busy guest: {pending_at} of 10 with requests, {moved} that it changed "
            f"meanwhile, {len(lines)} changes in the other 90; nothing impossible, never paused")


def crashed(res):
    live = seen_alive(res, "-crashed", "crashed")
    waits_for_backend(res, live)
    return "dump --live of the crashed domain lists what the guest had submitted"
