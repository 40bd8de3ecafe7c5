#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Type at real shells through a terminal: shells.py SHELL COMPLETIONS XBDSNAP CHECKPOINT

To be run in an empty folder, where it puts files of its own.
"""
import os
import re
import sys
import time

import pexpect

# what is typed; what the tab must make of it or offer
CASES = [
    ("xbdsnap valid", "xbdsnap validate "),
    ("xbdsnap dump --dev", "--device"),
    ("xbdsnap dump --op w", "write"),
    ("xbdsnap dump --locate=sy", "symbols"),
    ("xbdsnap replay --allow ide", "identity"),
    ("xbdsnap dump vm", "vm.save"),
    ("xbdsnap dump vm.save --device xvd", "xvda"),
    ("xbdsnap dump vm.save --device=xvd", "xvda"),
    ("xbdsnap replay vm.save --disk xvd", "xvda="),
    ("xbdsnap replay vm.save --disk xvda=di", "xvda=disk.raw"),
    ("xbdsnap rules XB60", "XB601"),
    ("xbdsnap help form", "formats"),
    ("xbdsnap dump -o SLO", "SLOT"),
]
# A guest may call its devices what it likes: nothing of that is run.
EVIL = "$(touch${IFS}pwned);`touch pwned`"


def start(shell, completions):
    env = dict(os.environ, TERM="dumb", PS1="> ", HOME=os.getcwd(), NO_COLOR="1", INPUTRC="/dev/null",
               LC_ALL="C.UTF-8", XDG_CONFIG_HOME=os.getcwd(), XDG_DATA_HOME=os.getcwd())
    words = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}
    child = pexpect.spawn(shell, words[shell], env=env, encoding="utf-8", dimensions=(60, 300), timeout=60)
    setup = {
        "bash": f"bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {completions}/xbdsnap.bash",
        "zsh": "PS1='> '; unsetopt zle_bracketed_paste beep; fpath=(%s $fpath); autoload -Uz compinit && "
               "compinit -u -D; setopt auto_list" % completions,
        "fish": f"function fish_prompt; echo -n '> '; end; source {completions}/xbdsnap.fish",
    }[shell]
    child.sendline(setup + "; echo rea''dy")
    child.expect("ready\r?\n")
    child.expect("> ")
    return child


def plain(text):
    text = re.sub(r"\x1b\[[0-9;?>=]*[a-zA-Z]|\x1b[=>()][0AB]?|\x1b\][^\x07]*\x07", "", text)
    return text.replace("\r", "").replace("\x07", "")


def complete(child, typed, want):
    """Does the shell answer with what is wanted? Asks again, for the list, and waits longer then."""
    child.send(typed)
    seen = ""
    for seconds in (3, 3, 9, 30):
        child.send("\t")
        end = time.time() + seconds
        while time.time() < end and want not in plain(seen):
            try:
                seen += child.read_nonblocking(4096, timeout=0.1)
            except pexpect.TIMEOUT:
                pass
        if want in plain(seen):
            return True, seen
    return False, seen


def main():
    shell, completions, xbdsnap, checkpoint = sys.argv[1:5]
    os.symlink(checkpoint, "vm.save")
    open("disk.raw", "w").close()
    os.environ["PATH"] = os.path.dirname(xbdsnap) + ":" + os.environ["PATH"]
    child = start(shell, completions)
    bad = 0
    for typed, want in CASES:
        # A tab that interrupts a completion may lose both on a slow machine: a new shell is asked then.
        for again in (False, False, True):
            ok, seen = complete(child, typed, want)
            if ok or again:
                break
            child.close(force=True)
            child = start(shell, completions)
        bad += not ok
        print(("ok " if ok else "NOT OK ") + f"{shell}: {typed!r} gives {want!r}" + ("" if ok else f": {plain(seen)!r}"))
        child.send("\x03")
        child.expect("> ")
        time.sleep(0.1)
    os.mkdir("evil")
    with open("evil/xbdsnap", "w") as f:
        f.write("#!/bin/sh\ncat <<'END'\nfrontend       %s: x\nEND\n" % EVIL)
    os.chmod("evil/xbdsnap", 0o755)
    child.sendline({"fish": f"set -x PATH {os.getcwd()}/evil $PATH"}.get(shell, f"PATH={os.getcwd()}/evil:$PATH"))
    child.expect("> ")
    complete(child, "xbdsnap dump vm.save --device ", "pwned")
    child.send("\x03")
    child.close(force=True)
    if os.path.exists("pwned"):
        print(f"NOT OK {shell}: a device's name was run")
        bad += 1
    sys.exit(bad != 0)


main()
