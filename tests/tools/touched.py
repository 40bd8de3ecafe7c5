#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is HACKING's list of what one touches true? Counted, for everything that stands: where is a
format, a frontend, a rule, a command, a column named beside its own file?
"""
import collections
import pathlib
import re
import sys

SRC = {p: p.read_text() for p in sorted(pathlib.Path("src").rglob("*.[ch]"))}
bad = []


def users(word):
    """The files that name it, comments apart."""
    return {str(p).removeprefix("src/") for p, text in SRC.items()
            if re.search(rf"(?<!\w){word}(?!\w)", re.sub(r"/\*.*?\*/", "", text, flags=re.S))}


def want(what, got, expected):
    if got != expected:
        bad.append(f"{what}: {' '.join(sorted(got))}, not {' '.join(sorted(expected))}")


def defined(pattern):
    """(name, file) of each definition."""
    for p, text in SRC.items():
        for m in re.finditer(pattern, text, re.M):
            yield m.group(1), str(p).removeprefix("src/")


def check_formats():
    names = list(defined(r"^const struct ckpt_format (ckpt_format_\w+) ="))
    for name, own in names:
        want(name, users(name), {own, "checkpoint/ckpt_priv.h", "parse_checkpoint.c"})
    return len(names)


def check_frontends():
    names = list(defined(r"^const struct frontend_ops (frontend_\w+) ="))
    for name, own in names:
        room = own.rsplit("/", 1)[0]
        got = {f for f in users(name) if not f.startswith(room + "/")}
        rules = {f for f in got if f.startswith("check/rules_")}
        want(name, got - rules, {"frontend/frontend.h", "frontend/frontend.c"})
        if len(rules) > 1:
            bad.append(f"{name}: rules of its own in {' '.join(sorted(rules))}")
    return len(names)


def check_rules():
    """One row in one catalogue, in one file of rules at most, in the manual, broken by a test."""
    tests = "".join(p.read_text(errors="replace") for kind in ("*.bats", "*.c", "*.py")
                    for p in pathlib.Path("tests").rglob(kind))
    manual = pathlib.Path("man/xbdsnap-rules.7").read_text()
    ids = list(defined(r'^\t\t\.id = "(XB\d+)"'))
    for rule, own in ids:
        tables = {f for f in users(f'"{rule}"') if f.startswith("check/rules")}
        if len(tables) > 1:
            bad.append(f"{rule}: evaluated by {' '.join(sorted(tables))}")
        for where, text in (("test", tests), ("manual page", manual)):
            if rule not in text:
                bad.append(f"{rule}: in no {where}")
    for rule, n in collections.Counter(i for i, _ in ids).items():
        if n > 1:
            bad.append(f"{rule}: {n} rows")
    return len(ids)


def check_commands():
    text = SRC[pathlib.Path("src/xbdsnap.c")]
    names = re.findall(r'^\t\{"([\w-]+)", "[^"]+", (cmd_\w+)\},', text, re.M)
    for command, fn in names:
        got = users(fn) - {"xbdsnap.c", "cmd/cmd.h"}
        if len(got) != 1 or not next(iter(got)).startswith("cmd/"):
            bad.append(f"{fn}: {' '.join(sorted(got))}")
        for page in (f"man/xbdsnap-{command}.1", "man/xbdsnap.1"):
            if not re.search(rf"\b{command}\b", pathlib.Path(page).read_text()):
                bad.append(f"{command}: not in {page}")
    return len(names)


def check_columns():
    """A row of one table, with one cell function in cmd/."""
    rows = []
    for text in SRC.values():
        rows += re.findall(r'^\t\{"([A-Z][A-Z0-9-]+)", (?:true|false), "[^"]*", (cell_\w+)\},', text, re.M)
    for name, cell in sorted(set(rows)):
        body = rf"^\w[^;\n]*\b{cell}\([^;]*\n{{"
        homes = [str(p) for p, text in SRC.items() if re.search(body, text, re.M)]
        shared = [p for p in homes if p in ("src/cmd/cells.c", "src/cmd/who.c")]
        if not homes or (shared and len(homes) > 1) or any(not p.startswith("src/cmd/") for p in homes):
            bad.append(f"{name}: {cell}() in {' '.join(homes)}")
    return len(rows)


def main():
    counts = {"formats": check_formats(), "frontends": check_frontends(), "rules": check_rules(),
              "commands": check_commands(), "columns": check_columns()}
    for line in bad:
        print(line)
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    # Where the pattern finds nothing, nothing was counted.
    return bool(bad) or min(counts.values()) < 5


sys.exit(main())
