#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What Xen's verify-stream-v2 rejects, validate rejects: mutants of made streams.

  mutants.py XBDSNAP VERIFY_PYTHONPATH NAME...

Changes bytes of headers, lengths and reserved fields of each recipe of mkstream.py and cuts it at
record borders. The verifier's own library judges each mutant; those that it rejects go to
`validate`, up to MAX of a recipe, evenly spread (one of SAMPLE of them, where that is set). Its false alarms are left out: optional records.
"""
import io
import json
import os
import subprocess
import sys
import tempfile

MAX = max(1, 60 // int(os.environ.get("SAMPLE", "1")))


def mutants(stream):
    """(what was done, bytes) around every border, where headers and padding lie."""
    data, marks = bytes(stream.b), sorted(set(stream.marks))
    places = sorted({m + d for m in marks for d in range(-4, 20) if 0 <= m + d < len(data)})
    for at in places:
        for value in {data[at] ^ 0x10, data[at] ^ 0x01, 0xff} - {data[at]}:
            yield f"byte {at:#x} = {value:#x}", data[:at] + bytes([value]) + data[at + 1:]
    for at in marks:
        for cut in (at - 1, at, at + 1):
            if 0 <= cut < len(data):
                yield f"cut at {cut:#x}", data[:cut]


def verifier(path):
    sys.path.insert(0, path)
    from xen.migration.libxc import VerifyLibxc
    from xen.migration.libxl import VerifyLibxl

    def judge(data):
        kind = VerifyLibxl if data[:8] == b"LibxlFmt" else VerifyLibxc
        try:
            kind(lambda text: None, io.BytesIO(data).read).verify()
        except Exception as why:  # whatever it stumbles over, it does not accept the stream
            return f"{type(why).__name__}: {why}"
        return None
    return judge


def accepted(binary, path):
    out = subprocess.run([binary, "validate", "-J", path], capture_output=True, check=False)
    if out.returncode not in (0, 1, 3, 4, 5):
        return f"status {out.returncode}: {out.stderr.decode(errors='replace')[-200:]}"
    if not out.stdout or out.returncode in (3, 5):
        return None
    found = json.loads(out.stdout)
    return None if found["counts"]["error"] else f"{out.returncode}, {found['findings']}"


def main(binary, path, names):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import mkstream
    judge = verifier(path)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "mutant")
        for name in names:
            rejected = [(what, data, why) for what, data in mutants(mkstream.RECIPES[name]())
                        if (why := judge(data)) and "record type 0x8" not in why
                        and "record type 0xf" not in why]
            step = max(1, len(rejected) // MAX)
            for what, data, why in rejected[::step]:
                with open(file, "wb") as f:
                    f.write(data)
                if said := accepted(binary, file):
                    print(f"{name}, {what}: {why}; but validate: {said}")
                    bad += 1
            print(f"{name}: {len(rejected[::step])} of {len(rejected)} rejected mutants")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2], sys.argv[3:]) else 0)
