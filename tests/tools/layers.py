#!/usr/bin/env python3
"""Enforce the dependency law of the source tree from its #include lines.

A folder may include itself and what stands to its right in LAW. A format (checkpoint/ckpt_NAME.c
with its NAME*.c and NAME*.h) does not include another's headers, except a wrapper those of the
payloads that PAYLOADS gives it. Nobody outside a family of frontends (frontend/NAME/) includes its
headers or names its driver, except check/rules_NAME.c and, the name, frontend.[ch]. Above guest/ nobody asks a
checkpoint for a page's bytes: memory is not a file (guest/memory.h). Only xenhost/ may include the
Xen libraries' headers.
"""
import pathlib
import re
import sys

LAW = {
    "base": [],
    "io": ["base"],
    "checkpoint": ["io", "base"],
    "guest": ["checkpoint", "io", "base"],
    "kernel": ["guest", "checkpoint", "io", "base"],
    "frontend": ["kernel", "guest", "checkpoint", "io", "base"],
    "check": ["frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "replay": ["frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "ondisk": ["frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "xenhost": ["checkpoint", "io", "base", "guest"],
    "guard": ["checkpoint", "io", "base"],
    "cmd": ["guard", "check", "replay", "ondisk", "xenhost", "frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "main": ["cmd", "base"],
}
TOP = {
    "src/xbdsnap.c": "main",
    "src/parse_checkpoint.c": "checkpoint",
    "src/replay.c": "replay",
}
# They see a guest's memory, not the file that it may stand in.
ABOVE_FILES = {"guest", "kernel", "frontend", "check", "replay", "ondisk", "cmd"}
# What may stand in a wrapper. The body of an image of Xen 2.0 is that of the legacy stream.
PAYLOADS = {
    "libvirt": {"legacy", "libxc"},
    "libxl": {"libxc"},
    "xapi": {"legacy"},
    "xen20": {"legacy"},
    "xend": {"legacy"},
    "xl": {"legacy", "libxc"},
}
XEN = re.compile(r"xenctrl|xenguest|xenstore|^xen/|xenevtchn|xenforeignmemory|xengnttab|xentoollog")


PAGE = re.compile(r"\b(ckpt_page|ckpt_run|source_at\(ckpt_source)\(")
# Redact copies the file itself, and only then asks where a page stands in it.
PAGE_OK = {"src/guest/memory_ckpt.c", "src/cmd/redact.c"}


def layer_of(path):
    if path in TOP:
        return TOP[path]
    return path.split("/")[1]


def family_of(path):
    """The family of frontends whose folder holds the file, or nothing."""
    parts = path.split("/")
    return parts[1] if parts[0] == "frontend" and len(parts) == 3 else None


def formats():
    return {f.stem[len("ckpt_") :] for f in pathlib.Path("src/checkpoint").glob("ckpt_*.c")}


def format_of(path, known):
    """The format that a file of checkpoint/ belongs to, or nothing: it belongs to all."""
    stem = pathlib.PurePath(path).stem.removeprefix("ckpt_")
    return max((n for n in known if stem == n or stem.startswith(n + "_")), key=len, default=None)


def is_desk(path, family):
    """The rules of a family: the one file outside its folder that may look inside."""
    return path == f"check/rules_{family}.c"


def drivers():
    """What stands for a driver in code: its operations and the text of its name, by family."""
    found = {}
    for f in sorted(pathlib.Path("src/frontend").glob("*/*.c")):
        for m in re.finditer(
            r'^const struct frontend_ops (\w+) = \{\s*\.name = ("[^"]+")', f.read_text(), re.M
        ):
            found[m.group(1)] = found[m.group(2)] = f.parent.name
    return found


def no_comments(text):
    """The same lines without comments, so that only code is left."""
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", "", m.group(0)), text, flags=re.S)


# The two that know all drivers: one declares them, one lists them.
REGISTRY = {"frontend/frontend.h", "frontend/frontend.c"}


def names_of_drivers(f, known):
    """Lines that ask for a driver by name, or know one, where none may be known."""
    path = str(f)[4:]
    if path in REGISTRY:
        return 0
    bad = 0
    for nr, line in enumerate(no_comments(f.read_text()).splitlines(), 1):
        for name, family in known.items():
            if family_of(path) == family or is_desk(path, family):
                continue
            if name in line if name[0] == '"' else re.search(rf"\b{name}\b", line):
                print(f"{f}:{nr}: nobody outside frontend/{family}/ names its driver ({name})")
                bad = 1
    return bad


def main():
    bad = 0
    known = formats()
    whose_drivers = drivers()
    if {v for v in whose_drivers.values()} != {
        d.name for d in pathlib.Path("src/frontend").iterdir() if d.is_dir()
    }:
        print("src/frontend: not every folder has a struct frontend_ops")
        bad = 1
    for f in sorted(pathlib.Path("src").rglob("*.[ch]")):
        mine = layer_of(str(f))
        for nr, line in enumerate(f.read_text().splitlines(), 1):
            if mine in ABOVE_FILES and str(f) not in PAGE_OK and PAGE.search(line):
                print(f"{f}:{nr}: pages are asked of guest/memory.h: {line.strip()}")
                bad = 1
            m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if not m:
                continue
            inc = m.group(2)
            if m.group(1) == "<":
                if XEN.search(inc) and mine != "xenhost":
                    print(f"{f}:{nr}: only xenhost/ may include <{inc}>")
                    bad = 1
                continue
            theirs = layer_of("src/" + inc)
            if theirs != mine and theirs not in LAW[mine]:
                print(f"{f}:{nr}: {mine} must not include {theirs} ({inc})")
                bad = 1
            if mine == theirs == "checkpoint":
                whose, other = format_of(f, known), format_of(inc, known)
                if whose and other not in {None, whose} | PAYLOADS.get(whose, set()):
                    print(f"{f}:{nr}: the format {whose} must not include {other} ({inc})")
                    bad = 1
            family = family_of(inc)
            if family and family_of(str(f)[4:]) != family and not is_desk(str(f)[4:], family):
                print(f"{f}:{nr}: a family of frontends is its own ({inc})")
                bad = 1
        bad |= names_of_drivers(f, whose_drivers)
    return bad


sys.exit(main())
