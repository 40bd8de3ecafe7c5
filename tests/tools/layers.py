#!/usr/bin/env python3
"""Enforce the dependency law of the source tree from its #include lines.

A folder may include itself and what stands to its right in LAW. Formats (checkpoint/) do not
include each other except a wrapper its payload's opener; frontends do not include each other.
Only xenhost/ may include the Xen libraries' headers.
"""
import pathlib
import re
import sys

LAW = {
    "base": [],
    "io": ["base"],
    "checkpoint": ["io", "base"],
    "guest": ["checkpoint", "io", "base"],
    "frontend": ["guest", "checkpoint", "io", "base"],
    "check": ["frontend", "guest", "checkpoint", "io", "base"],
    "replay": ["check", "frontend", "guest", "checkpoint", "io", "base"],
    "xenhost": ["checkpoint", "io", "base", "guest"],
    "cmd": ["check", "replay", "xenhost", "frontend", "guest", "checkpoint", "io", "base"],
    "main": ["cmd", "base"],
}
TOP = {
    "src/xbdsnap.c": "main",
    "src/parse_checkpoint.c": "checkpoint",
    "src/replay.c": "replay",
    "src/replay.h": "replay",
    "src/replay_match.c": "replay",
    "src/replay_match.h": "replay",
    "src/replay_ops.c": "replay",
    "src/replay_ring.c": "replay",
    "src/replay_split.c": "replay",
    "src/replay_write.c": "replay",
    "src/replay_write.h": "replay",
}
XEN = re.compile(r"xenctrl|xenguest|xenstore|^xen/|xenevtchn|xenforeignmemory|xengnttab|xentoollog")


def layer_of(path):
    if path in TOP:
        return TOP[path]
    return path.split("/")[1]


def main():
    bad = 0
    for f in sorted(pathlib.Path("src").rglob("*.[ch]")):
        mine = layer_of(str(f))
        for nr, line in enumerate(f.read_text().splitlines(), 1):
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
            if mine == theirs == "frontend" and re.search(r"(linux_|netbsd_)", inc):
                stem = re.match(r"(linux|netbsd)", pathlib.Path(inc).name).group(1)
                if not f.name.startswith(stem):
                    print(f"{f}:{nr}: frontends must not include each other ({inc})")
                    bad = 1
    return bad


sys.exit(main())
