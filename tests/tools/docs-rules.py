#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the page of what can go wrong, rules by theme: docs-rules.py XBDSNAP docs/what-can-go-wrong.md

A rule stands under the first theme that has its number, or a beginning of it.
"""
import json
import subprocess
import sys

HEAD = """What can go wrong when a guest is restored
==========================================

A saved guest takes block requests with it that may or may not have reached its disk, and issues them
again when it resumes. `xbdsnap validate` looks for what can go wrong then; each finding has a number that
`xbdsnap rules NUMBER` explains, with what to do. Here they stand by what would happen.

This page is written by tests/tools/docs-rules.py (`make generated`).
"""

THEMES = [
    ("A request would go to the wrong place",
     "The worst that can happen: a write lands where other data is. The driver of Xen 2 never recorded the "
     "sectors of its requests; elsewhere a damaged ring, another disk or a smaller one leads there.",
     "XB135 XB201 XB202 XB203 XB206 XB211 XB212 XB215 XB309 XB401 XB509"),
    ("A request would carry the wrong data",
     "The pages of a pending write are read when the backend gets to it, on the new host. What stands in "
     "them then is what is written.",
     "XB116 XB117 XB118 XB119 XB120 XB121 XB122 XB123 XB124 XB125 XB304 XB306 XB316 XB320 XB321 XB501 XB520 "
     "XB521 XB522 XB523"),
    ("Requests would be lost, or issued twice",
     "The guest waits for ever for what is lost; what was answered and is issued again overwrites what came "
     "later.",
     "XB103 XB104 XB105 XB112 XB132 XB133 XB136 XB205 XB209 XB213 XB214 XB303 XB305 XB311 XB313 XB315 XB318 XB319 XB8"),
    ("The order would be another one",
     "A flush or a barrier stands between writes for a reason; on resume the frontend has an order of its own.",
     "XB131 XB502 XB503 XB6"),
    ("The disk is not the one that the guest knows, or not as it was",
     "The guest goes on with the file system that it has in memory. A disk that was mounted, repaired or "
     "written since is destroyed by it, silently.",
     "XB134 XB4"),
    ("The target host does not take what is asked of it",
     "Features are negotiated anew, but what is pending was made for the old backend.",
     "XB5"),
    ("The guest was not at rest",
     "What changes while it is read contradicts itself; that alone is no damage.",
     "XB018 XB019 XB130 XB207 XB208 XB322"),
    ("The configuration does not belong to the guest",
     "A restore builds the domain from the one and its memory from the other.",
     "XB014 XB024 XB026 XB028"),
    ("The file would not be restored, or not whole",
     "The tools of Xen stop in the middle, or go on with less than the guest had.",
     "XB0"),
    ("The driver's own books contradict each other",
     "What the ring, its shadow and the guest's block layer say of the same request must agree. Where it does "
     "not, memory is damaged, or what was found is not what it seems.",
     "XB1 XB2 XB3"),
]


# Known faults of kernels that no rule tells of, because nothing in a saved guest shows them.
TAIL = """
What no rule tells
------------------

These faults of kernels are known, and nothing in a checkpoint shows that a guest will meet them; a guess
by version would be wrong for every kernel that a distribution has mended.

- Linux 3.11 to 3.18 end the requests that they issue again without taking them out of the statistics of
  the disk ("xen/blkfront: fix accounting of reqs when migrating", 3.19): after a restore with requests
  pending they show a disk that is never idle. No data is lost, and before the resume the books are right.
- Guests with pages of 64 KiB split a request over two slots and process both when they resume (arm64).
  Such guests are not decoded; where a slot of one with small pages claims to be half of another, XB302
  says so.
- Which of a backend's requests had reached the disk when the guest was saved, unless a disk is at hand
  (`replay --disk`).
"""


def theme_of(rule):
    for n in (5, 3):  # the whole number first, wherever it stands
        for title, _, ids in THEMES:
            if rule["id"][:n] in ids.split():
                return title
    sys.exit(f"{rule['id']} stands under no theme")


def main():
    rules = json.loads(subprocess.run([sys.argv[1], "rules", "-J"], check=True,
                                      capture_output=True).stdout)["rules"]
    out = HEAD
    for title, text, _ in THEMES:
        out += f"\n{title}\n{'-' * len(title)}\n\n{text}\n\n"
        out += "".join(f"- {r['id']} {r['severity']}: {r['summary']}\n" for r in rules
                       if theme_of(r) == title)
    open(sys.argv[2], "w").write(out + TAIL)


main()
