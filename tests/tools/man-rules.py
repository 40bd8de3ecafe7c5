#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the list of rules into the manual page: man-rules.py XBDSNAP man/xbdsnap.1

The list stands between two comments of the page; a test compares it with `xbdsnap rules`.
"""
import json
import re
import subprocess
import sys

rules = json.loads(subprocess.run([sys.argv[1], "rules", "-J"], check=True,
                                  capture_output=True).stdout)["rules"]
lines = "".join(f".It {r['id']} {r['severity']}\n{r['summary']}\n" for r in rules)
page = open(sys.argv[2]).read()
new, found = re.subn(r'(\.\\" rules begin\n(?:\.Bl .*\n)?)(?:\.It .*\n.*\n)*',
                     lambda m: m.group(1) + lines, page)
if found != 1:
    sys.exit("the page has no place for rules")
open(sys.argv[2], "w").write(new)
