#!/usr/bin/env python3
"""bench.py BINARY BAREWALK WORKDIR: the budgets of speed and memory, as ratios in one run.

A ratio of the medians of several runs, the commands taken in turn, so that a machine whose speed
drifts slows all of them. verify-stream-v2 (Debian: xen-utils-4.17) is compared with where it is
installed. Exits 1 when a budget is broken.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

RUNS = 7
GIB = 1 << 30
binary, bare, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
here = pathlib.Path(__file__).resolve().parent
VERIFY = pathlib.Path("/usr/lib/xen-4.17/bin/verify-stream-v2")
VERIFY_PATH = "/usr/lib/xen-4.17/lib/python"
broken = 0


def once(argv, env=None):
    """Wall seconds of one run."""
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, env or os.environ,
                          file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                                        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    os.waitpid(pid, 0)
    return time.perf_counter() - start


def medians(commands):
    times = {name: [] for name in commands}
    for argv, env in commands.values():
        once(argv, env)
    for _ in range(RUNS):
        for name, (argv, env) in commands.items():
            times[name].append(once(argv, env))
    return {name: statistics.median(t) for name, t in times.items()}


def budget(what, value, limit):
    global broken
    bad = value > limit
    broken |= bad
    print(f"  {what:<52} {value:8.3f}   at most {limit:6.3f}   {'BROKEN' if bad else 'ok'}")


def anonymous_peak(argv, runs=5, **files):
    """Peak of resident memory that is not pages of files, in bytes, of all processes of a command: asked
    for as often as possible while it runs. What two have in common since a fork counts twice."""
    peak = 0
    for _ in range(runs):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **files)
        while child.poll() is None:
            peak = max(peak, sum(map(anonymous_of, family_of(child.pid))))
    return peak


def anonymous_of(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def family_of(pid):
    """What works is confined: a child's child. It may come late, and only when all has been read."""
    family = [pid]
    for one in family:
        try:
            with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as f:
                family += map(int, f.read().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return family


def kept(path):
    """How much of a file the kernel has in memory."""
    out = subprocess.run([bare, "kept", str(path)], check=True, capture_output=True, text=True)
    pages, of = map(int, out.stdout.split())
    return pages / of


def budget_read(command, path):
    """How much of a file that the kernel has forgotten is in memory after a run."""
    subprocess.run([bare, "drop", str(path)], check=True)
    if kept(path) > 0.01:
        print(f"  share of the file that {command} reads: this file system is all memory")
        return
    once([binary, command, "-q", str(path)])
    budget(f"share of the file that {command} reads", kept(path), 0.05)


def measure(title, path, pages, guest):
    print(f"{title}: {path.stat().st_size >> 20} MiB")
    commands = {
        "walk": ([bare, "walk", str(path)], None),
        "sum": ([bare, "sum", str(path)], None),
        "info": ([binary, "info", "-q", str(path)], None),
        "dump": ([binary, "dump", "-q", str(path)], None),
        "who": ([binary, "dump", "-q", "--who", str(path)], None),
        "scan": ([binary, "dump", "-q", "--locate=scan", str(path)], None),
        "validate": ([binary, "validate", "-q", str(path)], None),
        "thorough": ([binary, "validate", "-q", "--thorough", str(path)], None),
    }
    if VERIFY.exists():
        env = dict(os.environ, PYTHONPATH=VERIFY_PATH)
        commands["verify"] = (["python3", str(VERIFY), "-f", "xl", "-i", str(path)], env)
    m = medians(commands)
    print("  median ms: " + ", ".join(f"{k} {v * 1000:.1f}" for k, v in m.items()))
    if pages >= 1 << 19:
        # With a guest in it, info also decodes the kernel's symbols and types.
        if guest:
            print(f"  info / bare walk {m['info'] / m['walk']:.1f}, no budget: it decodes symbols")
            for command in ("dump", "validate"):
                if "verify" in m:
                    budget(f"{command} / verify-stream-v2", m[command] / m["verify"], 1 / 6)
                budget_read(command, path)
            budget("dump --who / dump", m["who"] / m["dump"], 2)
        else:
            budget("info / bare walk", m["info"] / m["walk"], 2)
            if "verify" in m:
                budget("info / verify-stream-v2", m["info"] / m["verify"], 1 / 20)
        budget("scan / one pass over the file", m["scan"] / m["sum"], 1.5)
        budget("validate --thorough, seconds", m["thorough"], 0.5)
    for options in ([], ["--locate=both"]):
        peak = anonymous_peak([binary, "dump", "-q", *options, str(path)])
        budget(f"memory{' of both ways' if options else ''} / (16 MiB + 8 bytes a page)",
               peak / ((16 << 20) + 8 * pages), 1)
    print()


def measure_large(path, gib):
    """Sparse: what is not a hole is a real guest and the headers of the pages."""
    print(f"a real guest in a stream of {gib} GiB")
    commands = {f"{c}{how}": ([binary, c, "-q", *([how] if how else []), str(path)], None)
                for c in ("dump", "validate") for how in ("", "--locate=symbols")}
    m = medians(commands)
    print("  median ms: " + ", ".join(f"{k} {v * 1000:.1f}" for k, v in m.items()))
    for command in ("dump", "validate"):
        if gib == 16:
            budget(f"{command} / {command} --locate=symbols",
                   m[command] / m[command + "--locate=symbols"], 2)
        else:
            budget(f"{command}, seconds", m[command], 1)
        budget_read(command, path)
    print()


def piped(path, middle, first=b""):
    """Wall seconds of the file through a pipe, a command and another pipe; what the command said."""
    start = time.perf_counter()
    source = subprocess.Popen(["sh", "-c", 'printf %s "$1"; cat "$0"', str(path), first],
                              stdout=subprocess.PIPE)
    child = subprocess.Popen(middle, stdin=source.stdout, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    source.stdout.close()
    sink = subprocess.Popen(["cat"], stdin=child.stdout, stdout=subprocess.DEVNULL)
    child.stdout.close()
    sink.wait()
    took = time.perf_counter() - start
    said = child.stderr.read()
    child.wait()
    source.wait()
    return took, said


def dense(path):
    """A copy whose holes, which are pages, are filled."""
    full = path.with_suffix(".dense")
    if full.exists():
        return full
    subprocess.run(["cp", "--sparse=always", str(path), str(full)], check=True)
    noise, at, size = os.urandom(1 << 20), 0, full.stat().st_size
    with open(full, "r+b") as f:
        while (at := os.lseek(f.fileno(), at, os.SEEK_HOLE)) < size:
            try:
                end = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                end = size
            os.pwrite(f.fileno(), noise[: end - at], at)
            at = min(end, at + len(noise))
    return full


def measure_guard(title, path):
    """guard against cat on the same pipes; a stream that it cannot follow passes without analysis."""
    print(f"guard in a pipe: {title}")
    os.sync()  # what was just made is still on its way to the disk, and takes time and memory
    ways = {"cat": (["cat"], b""), "guard": ([binary, "guard", "-v"], b""),
            "guard, all in a file": ([binary, "guard", "-v", "--memory-limit=0"], b""),
            "guard without analysis": ([binary, "guard", "-q"], b"no stream")}
    times, verdicts = {name: [] for name in ways}, []
    for _ in range(RUNS):
        for name, (argv, first) in ways.items():
            took, said = piped(path, argv, first)
            times[name].append(took)
            if name == "guard":
                verdicts.append(int(said.split("verdict ")[1].split(" ms")[0]))
    m = {name: statistics.median(t) for name, t in times.items()}
    print("  median ms: " + ", ".join(f"{k} {v * 1000:.0f}" for k, v in m.items()))
    for name in ("guard", "guard without analysis"):
        budget(f"time of cat / {name}, at least 0.9", m[name] / m["cat"], 1 / 0.9)
    budget("verdict behind the end of the stream, ms", statistics.median(verdicts), 50)
    # What dump may take (16 MiB and 8 bytes a page), twice more the processes that part from it; and
    # each page, where it is kept in memory.
    size = path.stat().st_size
    own = (20 << 20) + 8 * (size >> 12)
    budget("memory of guard / (the stream + 20 MiB + 8 bytes a page)", guard_memory(path) / (size + own), 1)
    budget("the same, all in a file / (20 MiB + 8 bytes a page)",
           guard_memory(path, "--memory-limit=0") / own, 1)
    print()


def guard_memory(path, *options):
    """The most of three runs: the process that judges is there for some 30 ms."""
    peak = 0
    for _ in range(3):
        with open(path, "rb") as f:
            peak = max(peak, anonymous_peak([binary, "guard", "-q", *options], 1, stdin=f))
    return peak


def stream(name, size, real=None):
    path = work / name
    if not path.exists():
        subprocess.run(["python3", str(here / "mkstream.py"), "--bench", str(size), str(path),
                        *([str(real)] if real else [])], check=True)
    return path


def main():
    work.mkdir(parents=True, exist_ok=True)
    measure("a generated PV stream", stream("bench-2g.save", 2 * GIB), 2 * GIB >> 12, False)
    cache = os.environ.get("XBDSNAP_CACHE")
    if not cache:
        print("no real checkpoints: not measured on them")
        return
    base = pathlib.Path(cache) / "linux-6.1-base" / "image.save"
    measure("the same with a real guest in it", stream("bench-2g-real.save", 2 * GIB, base),
            2 * GIB >> 12, True)
    measure_guard("a guest most of whose pages are empty", work / "bench-2g-real.save")
    measure_guard("the same without any empty page", dense(work / "bench-2g-real.save"))
    for gib in (16, 64):
        measure_large(stream(f"bench-{gib}g-real.save", gib * GIB, base), gib)
    for name in ("linux-6.1-base", "linux-6.1-pvh", "linux-6.12-discard"):
        path = pathlib.Path(cache) / name / "image.save"
        measure(name, path, path.stat().st_size >> 12, True)


main()
sys.exit(1 if broken else 0)
