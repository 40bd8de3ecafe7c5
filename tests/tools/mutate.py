#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Change real checkpoints where it hurts, and see that every command ends as it may.

  mutate.py [--runs N] [--seconds S] [--seed N] [--keep FOLDER] [--count FILE] XBDSNAP CHECKPOINT...

Each mutant has up to four changes in one kind of place: the headers of records, entries of page
tables, the tables of kallsyms, BTF, the shared rings, the driver's structures with its shadow, the
requests of the block layer, what pointers of those lead to, or any page. A value becomes a
neighbour, an extreme, a pointer to itself or to another of these places, or a stretch is copied
over another. The file is changed in place, the commands run on it, and the bytes are put back.
info, dump, validate, replay, extract --all and redact must end with a status of theirs, without a
signal, an error of the sanitizers, want of memory or output that is no JSON, in a few seconds. What
failed stands in FOLDER, a JSON list of (offset, bytes) that --replay=FILE applies again (some are in
tests/fixtures/mutants). At the end the longest time and the largest memory of each command.
With --count these numbers are kept in FILE: the next call goes on from there until N are done.

Checkpoints are those that second_reader.py can index: save streams of 64-bit guests; a folder is a
fixture, which shrink.py makes ten times smaller, and a run three times faster.
"""
import argparse
import json
import mmap
import os
import pathlib
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from second_reader import Reader  # noqa: E402

FRAME = ((1 << 52) - 1) & ~4095
COMMANDS = {
    "info": ["info", "-J"], "dump": ["dump", "-J", "--who"], "scan": ["dump", "-J", "--locate=both"],
    "validate": ["validate", "-J", "--thorough"], "replay": ["replay", "-J"],
    "extract": ["extract", "-J", "--all"], "redact": ["redact", "-J"],
}
STATUSES = range(7)


class Target:
    """A checkpoint, where its interesting places are."""

    def __init__(self, binary, path, work):
        self.path = os.path.join(work, "image")
        if os.path.isdir(path):
            tool = pathlib.Path(__file__).with_name("shrink.py")
            with open(self.path, "wb") as small:
                subprocess.run([sys.executable, tool, path], stdout=small, check=True)
        else:
            shutil.copyfile(path, self.path)
        self.name = str(path)
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)
        reader = Reader(self.map[:])
        reader.start()
        self.at = {pfn: off for pfn, (kind, off) in reader.pages.at.items() if off}
        self.kinds = {pfn: kind for pfn, (kind, off) in reader.pages.at.items() if off}
        vcpus = reader.out["vcpus"]
        self.root = vcpus[0] if vcpus else None
        self.word = reader.out["word_bytes"]
        self.dump = json.loads(subprocess.run([binary, "dump", "-J", self.path], capture_output=True,
                                              check=False).stdout or b"{}")
        self.places = {k: v for k, v in self.find().items() if v}

    def off(self, va):
        """Of a virtual address; None where nothing is mapped."""
        table = self.root
        for shift in (39, 30, 21, 12):
            at = self.at.get(table)
            if at is None:
                return None
            entry, = struct.unpack_from("<Q", self.map, at + 8 * (va >> shift & 511))
            if not entry & 1:
                return None
            table = (entry & FRAME) >> 12
            if entry & 128 and shift in (30, 21):
                table += va >> 12 & (1 << shift - 12) - 1
                break
        at = self.at.get(table)
        return None if at is None else at + va % 4096

    def words(self, va, size):
        """Offsets of the words of a structure."""
        return [o for o in (self.off(va + i) for i in range(0, size, 8)) if o is not None]

    def find_records(self):
        """Words of the headers, and the first ones of what is in the records, big pages apart."""
        at = self.map.find(b"\xff" * 8 + b"XENF")
        out = list(range(0, max(at, 0) + 40, 4))[:200]
        at += 40
        while 40 <= at <= len(self.map) - 8:
            kind, length = struct.unpack_from("<II", self.map, at)
            out += range(at, min(at + 8 + min(length, 64), len(self.map) - 8), 4)
            if kind in (4, 9, 10):
                out += range(at, min(at + 8 + min(length, 8192), len(self.map) - 8), 4)
            at += 8 + (length + 7 & ~7)
            if kind == 0:
                out += range(at, min(at + 64, len(self.map) - 8), 4)
                break
        return [o for o in out if 0 <= o <= len(self.map) - 8]

    def find_tables(self):
        """Entries that are used, of the tables by which the kernel's image is reached, and others."""
        out = []
        for va in (0xffffffff81000000, 0xffffffff82000000, 0xffffffff83000000, 0xffff888000000000,
                   *(int(d["rings"][0]["address"], 0) for d in self.dump.get("devices") or []
                     if d["rings"] and d["rings"][0]["address"])):
            table = self.root
            for shift in (39, 30, 21, 12):
                at = self.at.get(table)
                if at is None:
                    break
                out += [at + 8 * (va >> shift & 511)] * 8
                out += range(at, at + 4096, 8)
                entry, = struct.unpack_from("<Q", self.map, at + 8 * (va >> shift & 511))
                if not entry & 1 or entry & 128:
                    break
                table = (entry & FRAME) >> 12
        return out

    def find_btf(self):
        """The headers of types, and some of what is behind each."""
        out = []
        for m in re.finditer(rb"\x9f\xeb\x01\x00\x18\x00\x00\x00", self.map):
            out += list(range(m.start(), min(m.start() + 24, len(self.map) - 8), 4)) * 20
            out += range(m.start(), min(m.start() + (1 << 16), len(self.map) - 8), 4)
        return out

    def find_kallsyms(self):
        """The table of tokens: 256 short texts; what is around it, names and markers among it."""
        m = re.search(rb"(?:[\x21-\x7e]{1,24}\0){200}", self.map)
        if not m:
            return []
        first, last = m.start(), min(m.end() + 4096, len(self.map) - 8)
        near = range(max(0, first - (4 << 20)), min(last + (1 << 20), len(self.map) - 8), 64)
        return list(range(max(0, first - 8192), last, 2)) * 4 + list(near)

    def find_driver(self):
        """Rings, the driver's structures, requests, and what the pointers in them lead to."""
        out = {"ring": [], "shadow": [], "request": [], "pointed": []}
        for d in self.dump.get("devices") or []:
            for r in d["rings"]:
                for pfn in r["pages"]:
                    at = self.at.get(int(pfn, 0)) if pfn else None
                    if at is not None:
                        out["ring"] += list(range(at, at + 64, 4)) * 8 + list(range(at, at + 4096, 4))
                if r["address"]:
                    out["shadow"] += self.words(int(r["address"], 0), 224) * 8
                if r.get("shadow"):
                    out["shadow"] += self.words(int(r["shadow"], 0), 160 * r["entries"])
            for q in d.get("requests", []) + (d.get("queued") or []):
                if q["request"]:
                    out["request"] += self.words(int(q["request"], 0), 384)
        for o in out["shadow"] + out["request"]:
            value, = struct.unpack_from("<Q", self.map, o)
            if value >> 47 == 0x1ffff:
                out["pointed"] += self.words(value & ~7, 256)
        return out

    def find(self):
        places = {"record": self.find_records(), "btf": self.find_btf(),
                  "kallsyms": self.find_kallsyms(),
                  "any": [o + i for o in random.Random(1).sample(sorted(self.at.values()),
                                                                 min(2000, len(self.at)))
                          for i in range(0, 4096, 64)]}
        if self.root is not None and self.word == 8:
            places["table"] = self.find_tables()
            places.update(self.find_driver())
        return places


def new_value(rnd, target, old, size):
    """What a word becomes."""
    pointers = target.places.get("shadow") or target.places["any"]
    other, = struct.unpack_from("<Q", target.map, rnd.choice(pointers))
    value = rnd.choice([
        lambda: 0, lambda: (1 << 8 * size) - 1, lambda: 1 << rnd.randrange(8 * size),
        lambda: old + rnd.choice((-1, 1, -8, 8, 4096, -4096)), lambda: old ^ 1 << rnd.randrange(8 * size),
        lambda: rnd.getrandbits(8 * size), lambda: rnd.randrange(64), lambda: other,
        lambda: other & ~4095 | old & 4095, lambda: old << rnd.randrange(16),
        lambda: 1 << 63 | old, lambda: rnd.choice(list(target.at)[:1000]) << 12 | 0x67,
    ])()
    return (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def mutant(rnd, target):
    """[(offset, bytes)], and the kind of place."""
    kind = rnd.choice(sorted(target.places))
    places, out = target.places[kind], []
    for _ in range(rnd.choice((1, 1, 2, 4))):
        at = rnd.choice(places)
        if rnd.randrange(12) == 0:  # a stretch over another of its kind
            n = rnd.choice((16, 64, 160, 1024, 4096))
            n = min(n, len(target.map) - max(at, (source := rnd.choice(places))))
            out.append((at, target.map[source:source + n]))
            continue
        size = rnd.choice((8, 8, 4, 2, 1))
        old = int.from_bytes(target.map[at:at + size], "little")
        out.append((at, new_value(rnd, target, old, size)))
    return kind, out


# Far above what any takes, with the sanitizers, which bound no memory.
MAX_SECONDS, MAX_KIB = 5, 1 << 20


def say_wrong(out, status, words, used, kib):
    if status not in STATUSES:
        return f"status {status}"
    if used > MAX_SECONDS or kib > MAX_KIB:
        return f"{used:.1f} s, {kib >> 10} MiB"
    for bad in (b"AddressSanitizer", b"runtime error", b"LeakSanitizer", b"Assertion", b"gave up:",
                b"failed at this input", b"out of memory"):
        if bad in out[1]:
            return bad.decode()
    if out[0].strip() and "-J" in words:
        try:
            json.loads(out[0])
        except ValueError as why:
            return f"no JSON: {why}"
    return None


def serve(calls, answers):
    """Run what comes, in a process that is small: what it starts counts its memory as their own."""
    for line in calls:
        words, so, se = json.loads(line)
        with open(so, "wb") as out, open(se, "wb") as err:
            # Who runs beside everybody else waits long for a processor.
            p = subprocess.Popen(words, stdout=out, stderr=err,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (100, 100)))
            timer = threading.Timer(1000, p.kill)
            timer.start()
            _, status, used = os.wait4(p.pid, 0)
            timer.cancel()
        answer = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def start_server():
    """Ends with us: then nothing comes any more."""
    call, answer = os.pipe(), os.pipe()
    if not os.fork():
        os.close(call[1])
        os.close(answer[0])
        serve(os.fdopen(call[0]), os.fdopen(answer[1], "w"))
        os._exit(0)
    os.close(call[0])
    os.close(answer[1])
    return os.fdopen(call[1], "w"), os.fdopen(answer[0])


class Runner:
    def __init__(self, binary, work):
        self.calls, self.answers = start_server()
        self.binary, self.work, self.worst, self.nr = binary, work, {}, 0

    def add(self, name, used, kib):
        took, mem = self.worst.get(name, (0, 0))
        self.worst[name] = max(took, used), max(mem, kib)

    def ask(self, words):
        paths = [os.path.join(self.work, name) for name in ("stdout", "stderr")]
        self.calls.write(json.dumps([[self.binary, *words], *paths]) + "\n")
        self.calls.flush()
        status, took, memory = json.loads(self.answers.readline())
        return status, took, memory, tuple(pathlib.Path(p).read_bytes() for p in paths)

    def run(self, name, path):
        """What was wrong, or None."""
        out = os.path.join(self.work, "out")
        words = COMMANDS[name] + ([] if name not in ("extract",) else [out]) + [path]
        words += [out] if name == "redact" else []
        status, used, kib, texts = self.ask(words)
        shutil.rmtree(out, ignore_errors=True)
        pathlib.Path(out).unlink(missing_ok=True)
        self.add(name, used, kib)
        self.nr += 1
        wrong = say_wrong(texts, status, words, used, kib)
        return wrong and f"{wrong}\n{texts[1][-4000:].decode(errors='replace')}"

    def run_all(self, target, changes):
        """The commands that failed, with what they said."""
        before = []
        for at, data in changes:
            before.append((at, target.map[at:at + len(data)]))
            target.map[at:at + len(data)] = data
        wrong = {name: text for name in COMMANDS if (text := self.run(name, target.path))}
        for at, data in reversed(before):
            target.map[at:at + len(data)] = data
        return wrong


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--runs", type=int, default=100000, help="of a command")
    p.add_argument("--seconds", type=float, default=float("inf"))
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--keep", default="mutants-failed")
    p.add_argument("--count", help="where the numbers of all calls are kept")
    p.add_argument("--replay", help="this mutant, of the one checkpoint, and nothing else")
    p.add_argument("binary")
    p.add_argument("checkpoints", nargs="+")
    return p.parse_args()


def show_worst(runner):
    for name, (took, mem) in runner.worst.items():
        print(f"  {name:9} at most {took:.2f} s, {mem >> 10} MiB with what it read of the file")


class Count:
    """What all calls together did; without a file, this one."""

    def __init__(self, path):
        self.path, self.runs, self.failed, self.kinds, self.worst = path, 0, 0, {}, {}
        if path and os.path.exists(path):
            with open(path, encoding="ascii") as f:
                vars(self).update(json.load(f), path=path)

    def put(self, runner, before):
        """The runs since `before`, whole or not at all."""
        self.runs += runner.nr - before
        self.worst = runner.worst
        if not self.path:
            return
        with open(self.path + ".new", "w", encoding="ascii") as f:
            json.dump({k: v for k, v in vars(self).items() if k != "path"}, f)
        os.replace(self.path + ".new", self.path)


def keep_failed(opt, target, runner, mutated, wrong):
    kind, changes = mutated
    os.makedirs(opt.keep, exist_ok=True)
    stem = os.path.join(opt.keep, f"{opt.seed}-{runner.nr}")
    with open(stem + ".json", "w") as f:
        json.dump([(at, data.hex()) for at, data in changes], f)
    with open(stem + ".txt", "w") as f:
        f.write(f"{target.name}, {kind}\n")
        f.writelines(f"{name}: {text}\n" for name, text in wrong.items())
    print(f"{stem}: {target.name}, {kind}: {', '.join(wrong)}", flush=True)


def main():
    opt = arguments()
    count, end = Count(opt.count), time.monotonic() + opt.seconds
    # Where others left off: not the same mutants again.
    rnd, left = random.Random(opt.seed + count.runs), opt.runs - count.runs
    if count.runs:
        rnd.shuffle(opt.checkpoints)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # copies of images, again and again
    with tempfile.TemporaryDirectory(dir=memory) as work:
        runner = Runner(os.path.abspath(opt.binary), work)
        for name, worst in count.worst.items():
            runner.add(name, *worst)
        per = max(1, left // len(opt.checkpoints))
        for nr, path in enumerate(opt.checkpoints, 1):
            target = Target(runner.binary, path, work)
            if opt.replay:
                changes = [(at, bytes.fromhex(h)) for at, h in json.load(open(opt.replay))]
                sys.exit("\n".join(f"{k}: {v}" for k, v in runner.run_all(target, changes).items()) or 0)
            now = time.monotonic()
            until = now + (end - now) / (len(opt.checkpoints) - nr + 1)
            while left > 0 and runner.nr < per * nr and time.monotonic() < until:
                mutated, before = mutant(rnd, target), runner.nr
                count.kinds[mutated[0]] = count.kinds.get(mutated[0], 0) + 1
                wrong = runner.run_all(target, mutated[1])
                count.failed += bool(wrong)
                if wrong:
                    keep_failed(opt, target, runner, mutated, wrong)
                count.put(runner, before)
    print(f"{count.runs} runs of commands on {sum(count.kinds.values())} mutants: {count.failed} failed; "
          + ", ".join(f"{k} {n}" for k, n in sorted(count.kinds.items())))
    show_worst(runner)
    sys.exit(count.failed > 0)


if __name__ == "__main__":
    main()
