#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run a command and say what it took: measure.py [--data BYTES] COMMAND [ARGUMENT...]

Prints its status, seconds of the processor, and the peak of private memory in KiB, of the process
or the one of its children that had most. --data: the kernel refuses it more private memory than
that (RLIMIT_DATA), which nobody can raise again.
"""
import os
import resource
import subprocess
import sys
import threading
import time


def private(pid):
    """KiB of anonymous memory of the process and each of its children: the largest."""
    peak, pids = 0, [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            pids += [int(p) for p in f.read().split()]
        for p in pids:
            with open(f"/proc/{p}/status") as f:
                for line in f:
                    if line.startswith("RssAnon"):
                        peak = max(peak, int(line.split()[1]))
    except (OSError, ValueError):
        pass
    return peak


def main():
    argv, data = sys.argv[1:], None
    if argv[:1] == ["--data"]:
        data, argv = int(argv[1]), argv[2:]

    def bound():
        if data is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (data, data))

    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=bound)
    text = []
    reader = threading.Thread(target=lambda: text.append(p.stderr.read()))
    reader.start()
    peak = 0
    while True:
        pid, status, used = os.wait4(p.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, private(p.pid))
        time.sleep(0.002)
    p.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    print(f"{p.returncode} {used.ru_utime + used.ru_stime:.2f} {peak}")
    sys.stderr.buffer.write(text[0][-2000:])


if __name__ == "__main__":
    main()
