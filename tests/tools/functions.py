#!/usr/bin/env python3
"""Keep functions short: none of src/ over MOST lines, half of them at most MEDIAN. And let the name
of a static one say what it does with what: verb_noun, never one word, which tells a reader of a
backtrace nothing.

A function's length is that of its body, between two braces that stand alone in the first column
(clang-format sees to that).
"""
import pathlib
import re
import statistics
import sys

MOST = 60
MEDIAN = 12
# Ends the head of a function: its parameters, perhaps an attribute.
HEAD = re.compile(r"\)[\w\s()]*$")
ONE_WORD = re.compile(r"^static (?:[A-Z]+(?:\([\d, ]+\))? )?(?:\w+ )+\**([a-z0-9]+)\(", re.M)


def functions(path):
    """(name's line, lines) of each function in a file."""
    lines = path.read_text().splitlines()
    start = None
    for nr, line in enumerate(lines):
        if line == "{" and HEAD.search(lines[nr - 1]):
            start = nr
        elif line == "}" and start is not None:
            yield start, nr - start - 1
            start = None


def main():
    bad = False
    lengths = []
    for path in sorted(pathlib.Path("src").rglob("*.c")):
        for name in ONE_WORD.findall(path.read_text()):
            print(f"{path}: {name}(): a static function's name is verb_noun")
            bad = True
        for line, length in functions(path):
            lengths.append(length)
            if length > MOST:
                print(f"{path}:{line}: a function of {length} lines, at most {MOST}")
                bad = True
    median = statistics.median(lengths)
    if median > MEDIAN:
        print(f"half of the functions have {median} lines or more, at most {MEDIAN}")
        bad = True
    if "-v" in sys.argv:
        print(f"{len(lengths)} functions, median {median}, longest {max(lengths)}")
    return bad


sys.exit(main())
