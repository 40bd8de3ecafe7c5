#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the list of rules into the manual page: man-rules.py XBDSNAP man/xbdsnap-rules.7

The list stands between two comments of the page; a test compares it with `xbdsnap rules`.
"""
import json
import re
import subprocess
import sys

THEMES = {"0": "The file", "1": "Any block frontend", "2": "netbsd-xbd", "3": "linux-blkfront",
          "4": "The disk", "5": "The target host", "6": "Hazards of a replay",
          "8": "Other frontends"}


def plain(text):
    """Text that roff takes as text, a sentence a line; options without hyphenation."""
    text = text.replace("\\", "\\e").replace("--", "\\-\\-")
    lines = re.sub(r"([.:!?]) (?=[A-Z0-9'\"(])", r"\1\n", text).split("\n")
    return "\n".join("\\&" + l if l[:1] in ".'" else l for l in lines)


def entry(rule):
    return (f".It {rule['id']} {rule['severity']}\n{plain(rule['summary'])}\n.Pp\n"
            f"{plain(rule['explanation'])}\n.br\n{plain(rule['remedy'])}\n")


def write_list(rules):
    out, theme = "", None
    for rule in rules:
        if rule["id"][2] != theme:
            out += ".El\n" if theme else ""
            theme = rule["id"][2]
            out += f".Ss {THEMES[theme]}\n.Bl -tag -width Ds\n"
        out += entry(rule)
    return out + ".El\n"


def main():
    rules = json.loads(subprocess.run([sys.argv[1], "rules", "-J"], check=True,
                                      capture_output=True).stdout)["rules"]
    page = open(sys.argv[2]).read()
    new, found = re.subn(r'(?s)(\.\\" rules begin\n).*(\.\\" rules end\n)',
                         lambda m: m.group(1) + write_list(rules) + m.group(2), page)
    if found != 1:
        sys.exit("the page has no place for rules")
    open(sys.argv[2], "w").write(new)


main()
