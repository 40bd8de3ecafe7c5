#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hold what users and scripts are told against what the program does, both ways.

tables.py options XBDSNAP   options in --help and in the manual pages, each of both in the other
tables.py words XBDSNAP     words that an option takes: the program, --help, man and completion
tables.py keys              JSON keys that src/cmd writes, and those of the schema
tables.py produced DOC...   keys of the schema that are null or absent in all these documents

Run at the top of the source tree. Prints what differs and then ends with 1.
"""
import json
import pathlib
import re
import subprocess
import sys

import jsonschema

SCHEMA = "docs/xbdsnap.schema.json"
COMPLETION = "completions/xbdsnap.bash"
# argp's own; the manual page has them in one line.
ARGP = {"help", "usage", "version"}
# Definitions that repeat the members of another.
REPEATS = {"extracted_request": "request", "plan_item": "request", "replay": "analysis",
           "validation": "analysis"}
# Keys that no document of the tests has, by what it would take.
NOT_PRODUCED = {
    "a live domain (the lab has one)": [
        "analysis live", "live domid", "live state", "validation pages_compared"] + ["p2m " + key for key in (
        "schema domain domain/domid domain/name domain/uuid domain/paused domain/word_bytes "
        "domain/pages table table/path table/bytes table/entries table/frames table/found_by "
        "table/compared_with table/differ table/foreign").split()] + ["live " + key for key in (
        "apart_ns changes changes/items/change changes/items/device changes/items/ring "
        "changes/items/slot consistent disks disks/items/backend disks/items/backend/device "
        "disks/items/backend/domid disks/items/backend/frontend_state disks/items/backend/params "
        "disks/items/backend/path disks/items/backend/reads_in_flight disks/items/backend/state "
        "disks/items/backend/type disks/items/backend/writes_in_flight disks/items/oldest_ns "
        "disks/items/queued disks/items/rings disks/items/rings/items/gref "
        "disks/items/rings/items/req_prod disks/items/rings/items/ring "
        "disks/items/rings/items/rsp_prod disks/items/rings/items/same "
        "disks/items/rings/items/why disks/items/sentence disks/items/unanswered "
        "disks/items/unpublished disks/items/unseen disks/items/vdev disks/items/verdict "
        "nr_changes nr_rings_moved paused_ns ").split()] + ["watch " + key for key in (
        "domid oldest_ns pending queued schema state time too_old vdev verdict ").split()],
    "a live domain whose driver goes on meanwhile": ["request unsettled"],
    "nothing: a range that cannot be had ends the command": ["extracted_range error"],
    "an answer that waited in the ring when the guest was saved": ["request response_status"],
    "a guest with device-mapper, or one whose memory or disk is damaged": [
        "who layers/items/label", "who lost", "meaning lost"],
    "a driver that tells its version (of Windows)": ["device frontend_version"],
    "a guest with damaged memory (test_damage_linux has some)": ["request trouble"],
}


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def commands(xbdsnap):
    part = re.search(r"^Commands:\n((?:  .*\n)+)", run(xbdsnap, "--help"), re.M)[1]
    return re.findall(r"^  ([a-z0-9]+) ", part, re.M)


def help_options(xbdsnap, command):
    return set(re.findall(r"^(?:  -., |      )--([a-z0-9-]+)", run(xbdsnap, command, "--help=all"), re.M))


def man_items(page):
    """The options of the page's items, and the text up to the next item."""
    text = pathlib.Path("man", page).read_text()
    for item in re.findall(r"^\.It (Fl .*?)(?=^\.It Fl |\Z)", text, re.M | re.S):
        yield re.findall(r"Fl Fl ([a-z0-9-]+)", item.split("\n")[0]), item


def man_options(page):
    return {o for names, _ in man_items(page) for o in names}


def say_differences(what, a, in_a, b, in_b):
    """a and b: sets; what is in one only."""
    for name in sorted(a - b):
        print(f"{what}: {name}: in {in_a}, not in {in_b}")
    for name in sorted(b - a):
        print(f"{what}: {name}: in {in_b}, not in {in_a}")
    return a != b


def check_options(xbdsnap):
    bad = False
    common = man_options("xbdsnap.1")
    used = set()
    for command in commands(xbdsnap):
        page = f"xbdsnap-{command}.1"
        have, told = help_options(xbdsnap, command), man_options(page)
        used |= have
        bad |= say_differences(command, have - common, "--help", told - common, f"man/{page}")
    bad |= say_differences("all commands", common & used | ARGP, "--help", common, "man/xbdsnap.1")
    return bad


def words_of(text):
    return set(re.findall(r"[a-z][a-z-]+", re.sub(r"\b(one of|or)\b", " ", text)))


def taken(xbdsnap, command, option):
    """The words that the option takes, as the program's refusal has them; none: it takes no words."""
    said = run(xbdsnap, command, f"--{option}=?")
    found = re.search(r"--%s takes ((?:one of )?[a-z][a-z,| -]*), not '\?'" % option, said)
    return words_of(found[1]) if found and not re.search(r"\b(number|the|a)\b", found[1]) else None


def man_words(option, pages):
    """Those in the item's own line (Cm a | b), or in items below it, or in its Cm lines."""
    for page in pages:
        for names, item in man_items(page):
            if option not in names:
                continue
            head, _, rest = item.partition("\n")
            if " Cm " in head:
                return words_of(head.split(" Cm ", 1)[1])
            listed = re.findall(r"^\.It Cm ([a-z-]+)", rest, re.M)
            return set(listed) if listed else \
                {w for line in re.findall(r"^\.Cm (.*)", rest, re.M) for w in words_of(line)}
    return set()


def check_words(xbdsnap):
    bad = False
    completed = dict(re.findall(r":--([a-z-]+)\)\n +_xbdsnap_offer ([a-z -]+)$",
                                pathlib.Path(COMPLETION).read_text(), re.M))
    seen = set()
    for command in commands(xbdsnap):
        for option in sorted(help_options(xbdsnap, command) - ARGP):
            words = taken(xbdsnap, command, option)
            if words is None:
                continue
            seen.add(option)
            where = f"{command} --{option}"
            offered = set(completed.get(option, "").split())
            bad |= say_differences(where, words, "the program", offered, COMPLETION)
            told = man_words(option, [f"xbdsnap-{command}.1", "xbdsnap.1"])
            bad |= say_differences(where, words, "the program", told, "the manual page")
    return say_differences("words", seen, "the program", set(completed), COMPLETION) or bad


def schema_keys():
    """Every property that the schema names, with the places where it does."""
    keys = {}

    def visit(node, path):
        if isinstance(node, list):
            for value in node:
                visit(value, path)
        elif isinstance(node, dict):
            for key, value in node.get("properties", {}).items():
                keys.setdefault(key, set()).add(path)
            for key, value in node.items():
                visit(value, f"{path}/{key}" if key not in ("properties", "anyOf") else path)

    visit(json.load(open(SCHEMA)), "")
    return keys


def written_keys():
    """Keys of literals that the commands put into objects."""
    keys = set()
    for path in pathlib.Path("src/cmd").glob("*.c"):
        text = path.read_text()
        keys |= set(re.findall(r'\bjson_put\w*\([^;"]*?,\s*"(\w+)"', text))
        keys |= set(re.findall(r'\bjson_object_object_add\([^;"]*?,\s*"(\w+)"', text))
    return keys


def check_keys():
    return say_differences("JSON", written_keys(), "src/cmd", set(schema_keys()), SCHEMA)


def produced(documents):
    """(place in the schema, key) of what stands in a document and is not null."""
    schema = json.load(open(SCHEMA))
    seen = set()
    validators = {}

    def fits(value, node):
        key = json.dumps(node, sort_keys=True)
        if key not in validators:
            validators[key] = jsonschema.Draft202012Validator({**node, "$defs": schema["$defs"]})
        return validators[key].is_valid(value)

    def visit(value, node, path):
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            visit(value, schema["$defs"][name], f"/$defs/{name}")
        for branch in node.get("anyOf", []) + node.get("oneOf", []):
            if fits(value, branch):
                visit(value, branch, path)
        for branch in node.get("allOf", []):
            visit(value, branch, path)
        if isinstance(value, list) and "items" in node:
            for element in value:
                visit(element, node["items"], f"{path}/items")
        if isinstance(value, dict):
            for key, inner in node.get("properties", {}).items():
                if value.get(key) is not None:
                    seen.add((path, key))
                    visit(value[key], inner, f"{path}/{key}")

    for name in documents:
        visit(json.load(open(name)), {k: schema[k] for k in ("anyOf",)}, "")
    return seen


def plain(path, key, schema):
    """"DEFINITION KEY" or "DEFINITION INNER/KEY"; of a repeated member, where it stands first."""
    name, _, inner = path.removeprefix("/$defs/").partition("/")
    first = REPEATS.get(name)
    member = (inner or key).split("/")[0]
    if first and member in schema["$defs"][first]["properties"]:
        name = first
    return f"{name} {inner}/{key}" if inner else f"{name} {key}"


def check_produced(documents):
    schema = json.load(open(SCHEMA))
    wanted = {plain(path, key, schema) for key, paths in schema_keys().items() for path in paths}
    have = {plain(path, key, schema) for path, key in produced(documents)}
    known = {key for keys in NOT_PRODUCED.values() for key in keys}
    return say_differences("schema", wanted - have, "no document", known, "NOT_PRODUCED")


def main():
    what, args = sys.argv[1], sys.argv[2:]
    check = {"options": check_options, "words": check_words, "keys": check_keys,
             "produced": lambda *docs: check_produced(docs)}[what]
    return 1 if check(*args) else 0


if __name__ == "__main__":
    sys.exit(main())
