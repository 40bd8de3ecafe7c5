#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the commands of a page, and compare what they print: run_tutorial.py PAGE

A command stands behind "$ " in an indented block; what follows it is what it prints. "..." stands for
any number of lines, or for the rest of its line. All run in one folder, each in a shell of its own.
"""
import re
import subprocess
import sys


def steps(page):
    command, want = None, []
    for line in open(page):
        if line.startswith("    $ "):
            if command:
                yield command, want
            command, want = line[6:].rstrip("\n"), []
        elif line.startswith("    ") and command:
            want.append(line[4:].rstrip())
        elif line.strip() and command:
            yield command, want
            command, want = None, []
    if command:
        yield command, want


def pattern(want):
    """A regular expression for lines; each of the output ends with a line feed."""
    out = ""
    for line in want:
        if line == "...":
            out += r"(?:.*\n)*?"
        elif line.endswith("..."):
            out += re.escape(line[:-3]) + r".*\n"
        else:
            out += re.escape(line) + r" *\n"
    return out


def main():
    nr = 0
    for command, want in steps(sys.argv[1]):
        run = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if not re.fullmatch(pattern(want), run.stdout):
            sys.exit(f"$ {command}\nprints\n{run.stdout}\nnot\n" + "\n".join(want))
        nr += 1
    print(nr, "commands")


main()
