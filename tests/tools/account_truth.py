#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compare dump --who with the account of the guest's program: account_truth.py DUMP ACCOUNT

DUMP is the output of `xbdsnap dump --who -J`, ACCOUNT has a line for each request, as guestio of the lab
prints it. Prints how many sectors were compared.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab"))
import results  # noqa: E402


def main(dump, account):
    with open(dump, encoding="utf-8") as f:
        document = json.load(f)
    found, n = results.stretches(document), 0
    with open(account, encoding="utf-8") as f:
        for r in map(json.loads, f):
            for i in range(r["nr_sectors"]):
                key = r["dev"], r["op"], r["sector"] + i
                if not any(results.is_account_of(w, at, r, i) for w, at in found.get(key, [])):
                    sys.exit(f"{key}: the guest says {r}, dump {found.get(key)}")
                n += 1
    print(n)


if __name__ == "__main__":
    main(*sys.argv[1:])
