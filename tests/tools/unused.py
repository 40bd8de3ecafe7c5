#!/usr/bin/env python3
"""What the objects of the program define for others, and nobody else uses. Usage: unused.py OBJDIR

Of each function and variable that an object exports:
  * used neither by another object nor in its own file: dead, even when a test calls it;
  * used in its own file only, and by no test: it should be static.
What tests need to make an input or to look at a result is named in SEAMS.
"""
import collections
import pathlib
import re
import subprocess
import sys

SEAMS = {
    "main",
    "argp_program_version",  # read by argp
    "source_from_memory",  # how tests and fuzzers make an input
    "ckpt_open",  # and open it: the program itself opens at an offset
    "ckpt_open_source",
    "ckpt_shared_info",  # that a format has found it, in its tests
    "check_rule_id",  # how a test knows every rule
}


def symbols_of(obj):
    """Pairs of (name, is it defined here) of an object."""
    for line in subprocess.check_output(["nm", "-g", str(obj)], text=True).splitlines():
        kind, name = line.split()[-2:]
        yield name, kind not in "Uwv"


def words(paths):
    """How often each word stands in these files, comments and texts apart."""
    noise = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"', re.S)
    count = collections.Counter()
    for path in paths:
        count.update(re.findall(r"\w+", noise.sub(" ", path.read_text())))
    return count


def main():
    root = pathlib.Path(sys.argv[1])
    defined, wanted = {}, set()
    for obj in sorted((root / "src").rglob("*.o")):
        source = pathlib.Path(obj.relative_to(root)).with_suffix(".c")
        if not source.exists():  # of a file that has gone
            continue
        for name, here in symbols_of(obj):
            if here:
                defined[name] = source
            else:
                wanted.add(name)
    tests = words(p for p in pathlib.Path("tests").rglob("*.[ch]"))
    bad = False
    for name, source in sorted(defined.items(), key=lambda item: (item[1], item[0])):
        if name in wanted or name in SEAMS:
            continue
        if words([source])[name] < 2:
            print(f"{source}: nobody uses {name}" + (", but tests do" if tests[name] else ""))
        elif not tests[name]:
            print(f"{source}: {name} should be static")
        else:
            continue
        bad = True
    return bad


if len(sys.argv) != 2:
    sys.exit(__doc__)
sys.exit(main())
