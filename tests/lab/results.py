# SPDX-License-Identifier: BSD-2-Clause
"""What must hold of a variant's results. Nothing here shares code with what it looks at."""
import hashlib
import json
import os
import re
import shutil
import subprocess

SECTOR, PAGE = 512, 4096


class Wrong(Exception):
    pass


def must(what, got, want):
    if got != want:
        raise Wrong(f"{what}: {short(got)}, expected {short(want)}")


def short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "…"


class Results:
    def __init__(self, variant, out, xbdsnap):
        self.variant, self.out, self.xbdsnap = variant, out, xbdsnap
        self.submitted = self.said("REQ")
        self.again = {(r["dev"], r["numbers"] + i)
                      for r in self.said("AGAIN") for i in range(r["nr_sectors"])}
        self.hidden = variant["requests"] == "hidden"
        self.more = self.hidden or variant["requests"] == "more"

    def said(self, word):
        """What the guest's program said in lines that begin with the word."""
        if not self.exists("guest.txt"):
            return []
        return [json.loads(line.split(word + " ", 1)[1])
                for line in self.text("guest.txt").splitlines() if word + " {" in line]

    def path(self, name):
        return os.path.join(self.out, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def text(self, name):
        with open(self.path(name), errors="replace") as f:
            return f.read()

    def bytes(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def status(self, name):
        return int(self.text(name + ".status"))

    def json(self, name):
        return json.loads(self.text(name + ".out"))

    def ask(self, *argv, status=0):
        done = subprocess.run([self.xbdsnap, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != status:
            raise Wrong(f"xbdsnap {' '.join(argv)}: status {done.returncode}: {done.stderr}")
        return done.stdout

    def dump(self, name):
        return json.loads(self.ask("dump", "-J", self.path(name)))

    def letters(self):
        return [k[5:] for k in sorted(self.variant) if k.startswith("plan.")]


def number(text):
    return int(text, 16)


def sectors_submitted(requests):
    """{(dev, op, sector): [(pfn, offset)]} for data, None for a discard; and the flushes a device.
    Two requests may be for one sector."""
    sectors, flushes = {}, {}
    for r in requests:
        if r["op"] == "flush":
            flushes[r["dev"]] = flushes.get(r["dev"], 0) + 1
        for i in range(r["nr_sectors"]):
            at = r["offset"] + i * SECTOR
            where = (r["pfns"][at // PAGE], at % PAGE) if r["pfns"] else None
            sectors.setdefault((r["dev"], r["op"], r["sector"] + i), []).append(where)
    return sectors, flushes


def sectors_dumped(devices):
    sectors, flushes = {}, {}
    for d in devices:
        for r in d["requests"] + (d.get("queued") or []):
            if r["op"] == "flush":
                flushes[d["vdev"]] = flushes.get(d["vdev"], 0) + 1
                continue
            at = r["sector"]
            if r["op"] == "discard":
                for i in range(r["nr_sectors"]):
                    sectors.setdefault((d["vdev"], "discard", at + i), []).append(None)
                continue
            for s in r["segments"]:
                for i in range(0, s["bytes"], SECTOR):
                    sectors.setdefault((d["vdev"], r["op"], at), []).append(
                        (number(s["pfn"]), s["offset"] + i))
                    at += 1
            must(f"{d['vdev']} slot {r.get('slot')}: sectors", at - r["sector"], r["nr_sectors"])
    return sectors, flushes


def same_requests(res, devices, who):
    want, want_flushes = sectors_submitted(res.submitted)
    got, got_flushes = sectors_dumped(devices)
    if not res.more:
        must(f"{who}: sectors that the guest did not submit", sorted(set(got) - set(want))[:8], [])
        must(f"{who}: flushes", got_flushes, want_flushes)
    must(f"{who}: sectors that the guest submitted", sorted(set(want) - set(got))[:8], [])
    for key, where in want.items():
        if res.hidden and key[1] == "write":
            continue  # it is enciphered in pages of the kernel's
        must(f"{who}: frame and offset of {key}", sorted(got[key]), sorted(where))
    return len(got)


def segments(document):
    for d in document["devices"]:
        for r in d["requests"]:
            for s in r["segments"]:
                yield d, r, s


def pending(res, document):
    if not res.submitted:
        raise Wrong("the guest listed no requests")
    must("devices", sorted(d["vdev"] for d in document["devices"]),
         ["xvd" + k[5:] for k in sorted(res.variant) if k.startswith("disk.")])
    n = same_requests(res, document["devices"], "dump")
    queued = sum(len(d.get("queued") or []) for d in document["devices"])
    return (f"dump lists the {len(res.submitted)} requests that the guest had submitted, frame by "
            f"frame ({n} sectors, {queued} requests outside the ring)")


def stretches(document):
    """{(device, op, sector): [(stretch, its first byte there)]} of dump --who."""
    found = {}
    for d in document["devices"]:
        for r in d["requests"] + (d["queued"] or []):
            for w in r["who"] if r["sector"] is not None else []:
                for at in range(0, w["bytes"], SECTOR):
                    key = d["vdev"], r["op"], r["sector"] + (w["offset"] + at) // SECTOR
                    found.setdefault(key, []).append((w, at))
    return found


def is_account_of(who, at, r, i):
    """Does the stretch say of a sector what the guest's program said of it?"""
    place = None if who["position"] is None else who["position"] + at
    cached = r["use"] in ("write-back", "device-cache")
    return (who["kind"] == r["use"]
            and (r["use"] == "swap" or place == r["position"] + i * SECTOR)
            and (r["use"] in ("swap", "device-cache") or who["file"]["path"] == r["path"])
            and ("above" not in r
                 or who["layers"][-1]["sector"] + at // SECTOR == r["above"] + i)
            and (cached or ((who["process"] or {}).get("pid") == r["pid"]
                            and who["cgroup"] == r.get("cgroup", who["cgroup"]))))


# Of a file system that lies on others than the disk: the devices between, and the label of the last.
STACKS = {"volume": (["linear"], "vg-root"), "crypt": (["crypt", "linear"], "vg-root"),
          "mirror": (["raid1"], None), "stripe": (["raid0"], None), "loop": (["loop"], "/mnt/below{}/disk")}
CACHED_OFFSET = 32768  # of the loop device, in its file; guest-init.sh has it too


def cached_stack(who, letter):
    """A file on which a loop device lies, through the page cache."""
    kinds = [layer["kind"] for layer in who["layers"]]
    if who["position"] < CACHED_OFFSET:
        must("stack below the loop device's part of the file", kinds, ["disk"])
        return
    must("stack", kinds, ["disk", "loop"])
    must("label", who["layers"][-1]["label"], f"/mnt/xvd{letter}/1")
    must("sector of the loop device", who["layers"][-1]["sector"],
         (who["position"] - CACHED_OFFSET) // SECTOR)


def stack(res, who):
    """The devices between disk and file, of a file system that has some."""
    letter = who["layers"][0]["name"][3:]
    kind = res.variant.get("fs." + letter, "").partition("-")[2]
    if kind == "cached" and who["file"]["path"]:
        cached_stack(who, letter)
    if kind not in STACKS or not who["file"]["path"]:
        return
    kinds, label = STACKS[kind]
    must("stack", [layer["kind"] for layer in who["layers"]], ["disk", *kinds])
    must("label", who["layers"][-1]["label"], label and label.format(letter))
    if kind != "loop":
        must("sector of the volume", who["layers"][-1]["sector"], who["layers"][0]["sector"] - 2048)


def actors(res):
    """The guest's own account of its requests against dump --who; of what its kernel does of its own
    accord, the kind is known."""
    document = json.loads(res.ask("dump", "--who", "-J", res.path("image.save")))
    found, n = stretches(document), 0
    for r in res.submitted:
        for i in range(r["nr_sectors"]):
            key = r["dev"], r["op"], r["sector"] + i
            if not any(is_account_of(w, at, r, i) for w, at in found.get(key, [])):
                raise Wrong(f"{key}: the guest says {short(r)}, dump --who "
                            f"{[short(w) for w, _ in found.get(key, [])]}")
            n += 1
    for who, _ in [w for v in found.values() for w in v]:
        stack(res, who)
    stretched = [w for d in document["devices"] for r in d["requests"] + (d["queued"] or [])
                 for w in r["who"]]
    unknown = [w for w in stretched if w["kind"] == "unknown" or w["lost"]]
    if len(unknown) * 20 > len(stretched):
        raise Wrong(f"{len(unknown)} of {len(stretched)} stretches are unknown: {short(unknown)}")
    return (f"dump --who gives pid, path and position of {n} sectors as the guest does "
            f"({len(unknown)} of {len(stretched)} stretches unknown)")


def without_path(document):
    document["source"].pop("path")
    return document


def in_dom0(res, document, name="image.save"):
    for command in ("info", "dump"):
        must(f"{command} in dom0: status", res.status(command), 0)
        here = json.loads(res.ask(command, "-J", res.path(name)))
        must(f"{command} in dom0 and here", without_path(res.json(command)), without_path(here))
    return f"info and dump in dom0 say the same ({len(document['findings'])} findings)"


def table(res, name):
    raw = res.bytes(name)
    return [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]


def frames(document, key, entries, who):
    n = 0
    for d, r, s in segments(document):
        must(f"{who}: {d['vdev']} slot {r['slot']} pfn {s['pfn']}", number(s[key] or "0x0"),
             entries[number(s["pfn"])])
        n += 1
    return n


def source_frames(res, document):
    n = frames(document, "source_mfn", table(res, "source-p2m.bin"), "source frame")
    return f"{n} source frames are those that libxenguest gave for the running guest"


def target_frames(res):
    resumed, paused = table(res, "resumed-p2m.bin"), table(res, "target-p2m.bin")
    must("p2m --domid: status", res.status("p2m"), 0)
    must("frames of the paused guest that differ from libxenguest's once it runs",
         [i for i in range(len(resumed)) if resumed[i] != paused[i]][:8], [])
    document = res.json("dump-domid")
    n = frames(document, "target_mfn", resumed, "target frame")
    source = table(res, "source-p2m.bin")
    if not any(a != b for a, b in zip(source, resumed)):
        raise Wrong("the restored guest has the very frames of the saved one: nothing is shown")
    return f"{n} target frames and all {len(resumed)} entries of p2m --domid are libxenguest's"


def hypervisor_grants(res, document):
    """gref -> frame in Xen's own table of what the guest grants and dom0 has mapped."""
    active, wanted, domid = {}, False, res.text("domid.txt").strip()
    for line in res.text("grants.txt").splitlines():
        if "grant-table for remote" in line:
            wanted = f"remote d{domid} " in line
        found = re.search(r"\[0x([0-9a-f]+)\] +0 0x([0-9a-f]+) 0x[0-9a-f]+ +\d+ 0x([0-9a-f]+)", line)
        if found and wanted:
            active[int(found.group(1), 16)] = int(found.group(3), 16)
    pv = res.variant["type"] == "pv"
    entries = table(res, "source-p2m.bin") if pv else None
    n = 0
    for d, r, s in segments(document):
        if s["gref"] not in active:
            continue
        n += 1
        # With persistent grants and bounce buffers the backend has a page of the driver's own.
        pfn = number(s["grant_pfn"] or s["pfn"])
        must(f"{d['vdev']} slot {r['slot']}: frame granted by {s['gref']}",
             active[s["gref"]], entries[pfn] if pv else pfn)
    total = sum(1 for _ in segments(document))
    # The backend maps what it has consumed; it carries out a discard before it looks further.
    if n < total and not any(q["op"] == "discard" for q in res.submitted):
        raise Wrong(f"{n} of {total} grants stand in Xen's table")
    return f"{n} of {total} grants stand in Xen's own table, with the same frames"


def ring_pages(res, document):
    words = []
    for name in os.listdir(res.out):
        if name.startswith("ring-"):
            raw = res.bytes(name)
            words.append(tuple(int.from_bytes(raw[i : i + 4], "little") for i in (0, 8)))
    n = 0
    for d in document["devices"]:
        for r in d["rings"] if d["vdev"][3:] in res.letters() else []:
            pair = r["sring_req_prod"], r["sring_rsp_prod"]
            if pair not in words:
                raise Wrong(f"{d['vdev']} ring {r['index']}: {pair} is on no page granted to dom0")
            n += 1
    return f"indices of {n} rings are those of the pages that dom0 maps"


def findings(document):
    return [json.dumps(f, sort_keys=True) for f in document["findings"]]


def paused(res):
    first, changed, again = (res.json("validate-" + n) for n in ("domid", "changed", "again"))
    if res.status("validate-domid"):
        raise Wrong(f"validate --domid --compare-pages: status {res.status('validate-domid')}: "
                    + short(first["findings"]))
    for name in ("flip", "flip-back"):
        must(name + ": status", res.status(name), 0)
    must("with a changed page: status", res.status("validate-changed"), 3)
    more = [f for f in findings(changed) if f not in findings(first)]
    must("with a changed page: rules", [json.loads(f)["rule"] for f in more], ["XB520"])
    must("with the page put back: findings", findings(again), findings(first))
    return "validate --domid --compare-pages holds; one changed byte is caught"


def completed(res):
    logs = "".join(res.text("logs/" + n) for n in os.listdir(res.path("logs"))
                   if n.startswith("guest-"))
    found = re.findall(r"FINISHED (\d+) bad (\d+)", logs)
    must("completed requests, bad ones", found, [(str(len(res.submitted)), "0")])
    return f"{len(res.submitted)} requests completed, with the right data"


def stamp(who, sector):
    return (b"%-8s %022d\n" % (who, sector)) * (SECTOR // 32)


def expected(res, letter):
    """{sector: [contents]}: what the guest's program wrote and discarded there. Of two requests for
    one sector either may have come last."""
    sectors = {}
    for r in res.submitted:
        if r["dev"] != "xvd" + letter or r["op"] not in ("write", "discard"):
            continue
        for i in range(r["nr_sectors"]):
            data = bytes(SECTOR)
            if r["op"] == "write":
                who = b"again" if (r["dev"], r["numbers"] + i) in res.again else b"guest"
                data = stamp(who, r["numbers"] + i)
            sectors.setdefault(r["sector"] + i, []).append(data)
    for contents in sectors.values():
        if len(contents) > 1:  # two buffers, of which one may have been changed
            contents += [c.replace(b"again", b"guest") for c in contents]
    return sectors


def different_sectors(a, b):
    return [i for i in range(max(len(a), len(b)) // SECTOR)
            if a[i * SECTOR : (i + 1) * SECTOR] != b[i * SECTOR : (i + 1) * SECTOR]]


def has_fs(res, letter):
    """Then the guest's kernel writes there of its own accord."""
    return "fs." + letter in res.variant


CHECKERS = {"ext4": ["e2fsck", "-fn"], "ext4-loop": ["e2fsck", "-fn"], "ext4-cached": ["e2fsck", "-fn"], "xfs": ["xfs_repair", "-n"],
            "btrfs": ["btrfs", "check", "--readonly"]}


def sound(res, letter, name):
    """A file system that was unmounted has nothing to be repaired."""
    checker = CHECKERS.get(res.variant.get("fs." + letter))
    if checker:
        done = subprocess.run([*checker, res.path(f"{name}-{letter}.img")], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        must(f"{' '.join(checker)} of xvd{letter}: {done.stdout}", done.returncode, 0)


def disks(res):
    for letter in res.letters():
        after, before = res.bytes(f"after-{letter}.img"), res.bytes(f"before-{letter}.img")
        wrote = expected(res, letter)
        must(f"xvd{letter}: sectors that are not as the guest wrote them",
             [n for n, c in wrote.items()
              if not res.hidden and after[n * SECTOR : (n + 1) * SECTOR] not in c][:8], [])
        if not has_fs(res, letter):
            must(f"xvd{letter}: sectors that nobody wrote",
                 [n for n in different_sectors(after, before) if n not in wrote][:8], [])
        if after == before:
            raise Wrong(f"xvd{letter} did not change at all")
        sound(res, letter, "after")
    return "the disks hold what the guest wrote"


def landed(res):
    """No write had reached the stuck disk, and every one has reached the disk that the guest left."""
    n = 0
    for letter in res.letters():
        wrote = expected(res, letter)
        for name, state in (("before", "not-landed"), ("after", "landed")):
            plan = json.loads(res.ask("replay", "-J", "--disk",
                                      f"xvd{letter}={res.path(name)}-{letter}.img",
                                      res.path("image.save")))["plan"]
            for s in plan:
                if s["device"] != "xvd" + letter or s["op"] != "write" or "overlap" in s["hazards"]:
                    continue
                if has_fs(res, letter) and not all(
                        s["sector"] + i in wrote for i in range(s["nr_sectors"])):
                    # It may be written again by the time that the guest ends; or it is a folio of
                    # which the program changed a part, so that the disk has the rest.
                    continue
                must(f"{name}: write of {s['nr_sectors']} sectors from {s['sector']}",
                     s["on_disk"]["state"], state)
                n += name == "after"
    return f"replay --disk: none of {n} writes on the stuck disks, all on those the guest left"


def like_the_guest(res, letter, disk):
    """The replayed disk is the one that the guest left, but for what only the guest can do, and where
    two requests for one sector may come in either order."""
    after, wrote = res.bytes(f"after-{letter}.img"), expected(res, letter)
    different = [n for n in different_sectors(disk, after)
                 if n in wrote or not has_fs(res, letter)]
    must(f"xvd{letter}: sectors that the plan left unlike the guest",
         [n for n in different if len(wrote.get(n, [])) < 2][:8], [])
    must(f"xvd{letter}: sectors that are neither request's",
         [n for n in different if disk[n * SECTOR : (n + 1) * SECTOR] not in wrote[n]][:8], [])


def replayed(res):
    """What the real guest did to its disks, the plan does too; and it can be taken back."""
    done = {"writes": 0, "discards": 0}
    for letter in res.letters():
        disk, undo = res.path(f"replayed-{letter}.img"), res.path(f"replayed-{letter}.undo")
        for name in (disk, undo):
            if os.path.exists(name):
                os.unlink(name)
        shutil.copyfile(res.path(f"before-{letter}.img"), disk)
        document = json.loads(res.ask("replay", "-J", "--write", "--discard", "--undo", undo,
                                      "--disk", f"xvd{letter}={disk}", res.path("image.save")))
        for key in done:
            done[key] += document["applied"][key]
        like_the_guest(res, letter, res.bytes(f"replayed-{letter}.img"))
        res.ask("replay", "--revert", undo)
        must(f"xvd{letter}: sectors that were not taken back",
             different_sectors(res.bytes(f"replayed-{letter}.img"),
                               res.bytes(f"before-{letter}.img"))[:8], [])
        os.unlink(disk)
        os.unlink(undo)
    return (f"replay --write makes the guest's disks of the stuck ones ({done['writes']} writes, "
            f"{done['discards']} discards); --revert takes it back")


def clean(res):
    """A healthy guest, its disks as they were: nothing to warn of."""
    argv = [a for k in sorted(res.letters())
            for a in ("--disk", f"xvd{k}={res.path('before-' + k + '.img')}")]
    document = json.loads(res.ask("validate", "-J", *argv, res.path("image.save")))
    must("verdict", document["verdict"], "safe")
    notes = sorted({f["rule"] for f in document["findings"]})
    must("validate in dom0: status", res.status("validate-file"), 0)
    return "validate, with the disks too, finds the guest safe" + (
        f" (notes: {' '.join(notes)})" if notes else "")


def stale(res):
    """The disk that the guest left has gone on since the save: XB407 says so."""
    letters = [k for k in res.letters() if res.variant.get("fs." + k) in ("xfs", "btrfs")]
    argv = [a for k in letters for a in ("--disk", f"xvd{k}={res.path('after-' + k + '.img')}")]
    document = json.loads(res.ask("validate", "-J", *argv, res.path("image.save"), status=3))
    must("disks that were written since the save",
         sorted(f["device"] for f in document["findings"] if f["rule"] == "XB407"),
         ["xvd" + k for k in letters])
    return f"validate: the {len(letters)} disks that the guest left are not those of the save"


def arrivals(res):
    """{vdev: [(thread, op, sector, sectors)]}: what reached dom0's devices, in order."""
    names = {}
    for line in res.text("devices.txt").splitlines():
        vdev, major, minor = line.split()
        names[f"{int(major, 16)},{int(minor, 16)}"] = vdev
    came = {vdev: [] for vdev in names.values()}
    line_of = re.compile(r"block_bio_queue: (\S+) (\S+) (\d+) \+ (\d+) \[(.*)\]")
    for device, flags, sector, count, thread in line_of.findall(res.text("arrivals.txt")):
        if device not in names:
            continue
        op = ("flush" if flags[0] == "F" else "discard" if "D" in flags
              else "write" if "W" in flags else "read")
        came[names[device]].append((thread, op, int(sector), int(count)))
    return came


def steps_of(steps, arrival):
    """The numbers of the planned steps that an arrival may belong to; one step may come in pieces."""
    _, op, sector, count = arrival
    return [i for i, s in enumerate(steps) if s["op"] == op and (
        op == "flush" or s["sector"] <= sector and sector + count <= s["sector"] + s["nr_sectors"])]


def order(res):
    """Each thread of the backend (one a ring) must see the steps of a stream in the plan's order."""
    plan = json.loads(res.ask("replay", "-J", res.path("image.save")))
    n = unknown = 0
    for vdev, came in arrivals(res).items():
        steps = [s for s in plan["plan"] if s["device"] == vdev]
        last, seen, covered = {}, set(), set()
        for arrival in came:
            may_be = steps_of(steps, arrival)
            fresh = [i for i in may_be if i not in seen]
            _, op, sector, count = arrival
            sectors = {(op, n) for n in range(sector, sector + count)}
            if res.more and not fresh and sectors <= covered:
                continue  # the guest's own, later: it writes the same again
            covered |= sectors
            if not may_be or (arrival[1] == "flush" and not fresh):
                if arrival[1] == "flush" or res.more:
                    continue  # the guest's own, later
                raise Wrong(f"{vdev}: {arrival} came and is not planned")
            i = (fresh or may_be)[0]
            seen.add(i)
            if not steps[i]["order_known"] or len(may_be) > 1:
                continue
            way = arrival[0], steps[i]["stream"]
            if i < last.get(way, -1):
                raise Wrong(f"{vdev}: step {i + 1} came too late: "
                            + short([steps_of(steps, a) for a in came]))
            last[way] = i
        must(f"{vdev}: planned steps that never came", sorted(set(range(len(steps))) - seen), [])
        n += len(steps)
        unknown += sum(not s["order_known"] for s in steps)
    return f"{n} requests arrived in dom0 in the order of the plan ({unknown} of unknown order)"


def core_file(res):
    """xl dump-core's file; its table of frames, .xen_p2m, is pairs of pfn and machine frame."""
    raw = res.bytes("core.elf")
    sections = elf_sections(raw)
    pairs = raw[sections[".xen_p2m"][0] :][: sections[".xen_p2m"][1]]
    entries = table(res, "source-p2m.bin")
    for i in range(0, len(pairs), 16):
        pfn, frame = (int.from_bytes(pairs[j : j + 8], "little") for j in (i, i + 8))
        must(f"core: frame of pfn {pfn}", frame, entries[pfn])
    dump = res.dump("core.elf")
    sectors = same_requests(res, dump["devices"], "core")
    for _, r, s in segments(dump):
        must(f"core: source frame of slot {r['slot']}", number(s["source_mfn"]),
             entries[number(s["pfn"])])
    return (f"the core dump has the same {len(pairs) // 16} frames, and dump of it the guest's "
            f"requests ({sectors} sectors)")


def core_pages(res):
    """The file's own list of pages, .xen_pfn, of a guest without machine frames."""
    raw = res.bytes("core.elf")
    sections = elf_sections(raw)
    start, size = sections[".xen_pfn"]
    pfns = [int.from_bytes(raw[start + i : start + i + 8], "little") for i in range(0, size, 8)]
    must("core: pages and their numbers", sections[".xen_pages"][1] // PAGE, len(pfns))
    pfns = [p for p in pfns if p != (1 << 64) - 1]  # what Xen counted and did not find
    source = json.loads(res.ask("info", "-J", res.path("core.elf")))["source"]
    must("core: pages", source["data_pages"], len(pfns))
    return f"the core dump has {len(pfns)} pages, as its own list says"


def core_only(res):
    """A guest that was dumped and went on: what the dumps say of it."""
    document = res.dump("core.elf")
    must("core: suspended", document["guest"]["suspended"], False)
    yield pending(res, document)
    yield in_dom0(res, document, "core.elf")
    yield ring_pages(res, document)
    yield hypervisor_grants(res, document)
    yield core_file(res) if res.variant["type"] == "pv" else core_pages(res)
    yield completed(res)
    yield disks(res)


def elf_sections(raw):
    """{name: (offset, bytes)} of an ELF64 file (System V ABI, chapter 4)."""
    at, each, count, names = (int.from_bytes(raw[o : o + n], "little")
                              for o, n in ((40, 8), (58, 2), (60, 2), (62, 2)))
    headers = [raw[at + i * each :][:each] for i in range(count)]
    strings = int.from_bytes(headers[names][24:32], "little")
    found = {}
    for h in headers:
        start = strings + int.from_bytes(h[:4], "little")
        name = raw[start : raw.index(b"\0", start)].decode()
        found[name] = int.from_bytes(h[24:32], "little"), int.from_bytes(h[32:40], "little")
    return found


def failed_save(res):
    if res.status("save") == 0:
        raise Wrong("xl save did not fail")
    document = json.loads(res.ask("info", "-J", res.path("image.save"), status=5))
    must("complete", document["source"]["complete"], False)
    return f"a save that failed: {document['source']['incomplete_why']}"


def guard_report(res, verdict):
    document = json.loads(res.text("guard.json"))
    must("guard's verdict", document["verdict"], verdict)
    return document


def states(res, name):
    """{domain: letters of its state} of `xl list`."""
    rows = [line.split() for line in res.text(name).splitlines()[1:]]
    return {r[0]: r[4].replace("-", "") for r in rows}


def same_stream(res):
    """What xl sent is what was kept behind guard."""
    with open(res.path("image.save"), "rb") as f:
        got = hashlib.file_digest(f, "md5").hexdigest()
    must("md5 of what xl sent", res.text("before.md5").split()[0], got)
    return os.path.getsize(res.path("image.save"))


def guarded_live(res):
    must("migrate: status", res.status("migrate"), 0)
    size = same_stream(res)
    here = json.loads(res.ask("validate", "-J", res.path("image.save")))
    report = guard_report(res, "safe")
    # Behind the stream the two sides talk of when the guest may start.
    must("guard's report", report["findings"],
         [f for f in here["findings"] if f["rule"] != "XB013"])
    return f"all {size} bytes of the migration passed guard unchanged, and it ended well"


def guarded_veto(res):
    said = res.text("migrate.err")
    if res.status("migrate") == 0 or "was not completed" not in said or "acknowledged" in said:
        raise Wrong(f"migrate: status {res.status('migrate')}: {said[-300:]}")
    guard_report(res, "unsafe")
    left = states(res, "xl-list-vetoed.txt")
    must("domains behind the veto", sorted(left), ["Domain-0", "lab"])
    if "p" in left["lab"] or "s" in left["lab"]:
        raise Wrong(f"the guest does not run: {left}")
    return "a veto: the receiver discarded the domain, the sender resumed the guest"


def guarded_save(res):
    must("guard: status with xl save -p", res.text("guard-kept.status").strip(), "3")
    must("xl save -p: the guest", states(res, "xl-list-kept.txt").get("lab"), "p")
    must("guard: status with xl save", res.text("guard.status").strip(), "3")
    must("xl save: the guest", states(res, "xl-list-saved.txt").get("lab"), None)
    if res.status("restore-cut") == 0:
        raise Wrong("xl restored a file without its end")
    guard_report(res, "unsafe")
    return f"{same_stream(res)} bytes passed but for the end, with which the guest was restored"


def wrapped(res):
    """What hooks/xl-checked let xl do, and what not."""
    for name, status in (("save", 0), ("restore-cut", 5), ("restore", 0), ("migrate", 0)):
        must(f"xl-checked {name}: status", res.status(name), status)
    must("domains when the cut file was not restored", sorted(states(res, "xl-list-cut.txt")),
         ["Domain-0"])
    for name, words in (("save", "0 errors"), ("restore-cut", "cut.save: not restored"),
                        ("restore", "0 errors"), ("migrate-vetoed", "was not completed"),
                        ("migrate", "0 errors")):
        if words not in res.text(name + ".err"):
            raise Wrong(f"xl-checked {name}: {short(res.text(name + '.err')[-300:])}")
    left = states(res, "xl-list-vetoed.txt")
    must("domains behind the veto", sorted(left), ["Domain-0", "lab"])
    if res.status("migrate-vetoed") == 0 or "p" in left["lab"] or "s" in left["lab"]:
        raise Wrong(f"the vetoed guest: status {res.status('migrate-vetoed')}, {left}")
    return "xl-checked saved, restored and migrated the guest, but no cut file and to no small disk"


GUARDED = {"guarded_live": guarded_live, "vetoed_live": guarded_veto,
           "guarded_save": guarded_save, "wrapped": wrapped}
