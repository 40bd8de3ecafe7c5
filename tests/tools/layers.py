#!/usr/bin/env python3
"""Enforce the dependency law of the source tree from its #include lines.

A folder may include itself and what stands to its right in LAW. A format (checkpoint/ckpt_NAME.c
with its NAME*.c and NAME*.h) does not include another's headers, except a wrapper those of the
payloads that PAYLOADS gives it; frontends do not include each other. Above guest/ nobody asks a
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
    "replay": ["check", "frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "xenhost": ["checkpoint", "io", "base", "guest"],
    "cmd": ["check", "replay", "xenhost", "frontend", "kernel", "guest", "checkpoint", "io", "base"],
    "main": ["cmd", "base"],
}
TOP = {
    "src/xbdsnap.c": "main",
    "src/parse_checkpoint.c": "checkpoint",
    "src/replay.c": "replay",
}
# They see a guest's memory, not the file that it may stand in.
ABOVE_FILES = {"guest", "kernel", "frontend", "check", "replay", "cmd"}
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


def is_door(f):
    return str(f) == "src/frontend/frontend.c"


def main():
    bad = 0
    known = formats()
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
            if mine == theirs == "frontend" and family_of(inc) and not is_door(f):
                if family_of(inc) != family_of(str(f)[4:]):
                    print(f"{f}:{nr}: a family of frontends is its own ({inc})")
                    bad = 1
    return bad


sys.exit(main())
