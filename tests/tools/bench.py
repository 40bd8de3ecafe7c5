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


def anonymous_peak(argv):
    """Peak of resident memory that is not pages of mapped files, in bytes: /proc says how much is
    anonymous, asked for as often as possible while the command runs."""
    peak = 0
    for _ in range(5):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while child.poll() is None:
                with open(f"/proc/{child.pid}/status", encoding="ascii") as f:
                    for line in f:
                        if line.startswith("RssAnon:"):
                            peak = max(peak, int(line.split()[1]) * 1024)
        except (FileNotFoundError, ProcessLookupError):
            child.wait()
    return peak


def measure(title, path, pages, guest):
    print(f"{title}: {path.stat().st_size >> 20} MiB")
    commands = {
        "walk": ([bare, "walk", str(path)], None),
        "sum": ([bare, "sum", str(path)], None),
        "info": ([binary, "info", "-q", str(path)], None),
        "dump": ([binary, "dump", "-q", "--locate=symbols", str(path)], None),
        "scan": ([binary, "dump", "-q", "--locate=scan", str(path)], None),
        "validate": ([binary, "validate", "-q", str(path)], None),
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
        else:
            budget("info / bare walk", m["info"] / m["walk"], 2)
        if "verify" in m and not guest:
            budget("info / verify-stream-v2", m["info"] / m["verify"], 1 / 20)
        if "verify" in m:
            budget("dump by symbols / verify-stream-v2", m["dump"] / m["verify"], 1 / 3)
        budget("scan / one pass over the file", m["scan"] / m["sum"], 1.5)
        budget("validate, seconds", m["validate"], 0.5)
    peak = anonymous_peak([binary, "dump", "-q", str(path)])
    budget("memory / (16 MiB + 8 bytes a page)", peak / ((16 << 20) + 8 * pages), 1)
    print()


def main():
    work.mkdir(parents=True, exist_ok=True)
    plain = work / "bench-2g.save"
    if not plain.exists():
        subprocess.run(["python3", str(here / "mkstream.py"), "--bench", str(2 * GIB), str(plain)],
                       check=True)
    measure("a generated PV stream", plain, 2 * GIB >> 12, False)
    cache = os.environ.get("XBDSNAP_CACHE")
    if not cache:
        print("no real checkpoints: not measured on them")
        return
    real = work / "bench-2g-real.save"
    base = pathlib.Path(cache) / "linux-6.1-base" / "image.save"
    if not real.exists():
        subprocess.run(["python3", str(here / "mkstream.py"), "--bench", str(2 * GIB), str(real),
                        str(base)], check=True)
    measure("the same with a real guest in it", real, 2 * GIB >> 12, True)
    for name in ("linux-6.1-base", "linux-6.1-pvh", "linux-6.12-discard"):
        path = pathlib.Path(cache) / name / "image.save"
        measure(name, path, path.stat().st_size >> 12, True)


main()
sys.exit(1 if broken else 0)
