#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""journal_socket.py SOCKET OUT [line]: take entries as the journal does; one is a line of JSON in OUT.

The protocol: NAME=value and a newline, or NAME, a newline, the length in 64 bits little-endian,
the value and a newline. With "line", an entry is whatever came, as a string.
"""
import json
import os
import socket
import sys


def fields(data):
    found = {}
    while data:
        line, data = data.split(b"\n", 1)
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[:8], "little")
            value, end, data = data[8 : 8 + size], data[8 + size : 9 + size], data[9 + size :]
            assert end == b"\n", end
        assert name.replace(b"_", b"").isalnum() and name.isupper(), name
        found[name.decode()] = value.decode()
    return found


path, out, *as_line = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)
with open(out, "a", buffering=1) as f:
    while True:
        data = listener.recv(1 << 18)
        f.write(json.dumps(data.decode() if as_line else fields(data)) + "\n")
