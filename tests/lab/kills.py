# SPDX-License-Identifier: BSD-2-Clause
"""What must hold when processes of guard die while a guest goes through it. Of kills.sh's lines."""
from results import Wrong, must

KILLED = "137"  # as a shell says that signal 9 ended it


def lines_of(res):
    return [dict(word.split("=", 1) for word in line.split())
            for line in res.text("kills.txt").splitlines()]


def went_on(t, who):
    """Whatever happened there is one guest, and it answers and uses its disk."""
    must(f"{who}: domains", t["domains"], "Domain-0,lab")
    must(f"{who}: answers", t["alive"], "yes")
    # xl save -p leaves it paused when it was saved; nothing else does.
    paused = "p" in t["state"]
    must(f"{who}: paused", paused, t["way"] == "save" and t["xl"] == "0")
    if not paused and "s" in t["state"]:
        raise Wrong(f"{who}: suspended: {t}")


def passed_on(t, who):
    """The stream has passed unchanged, and where it was not judged that was said."""
    must(f"{who}: xl", t["xl"], "0")
    if t["way"] == "save":
        must(f"{who}: what xl wrote has passed", t["same"], "yes")
        must(f"{who}: guard", t["guard"], "6" if t["unjudged"] == "1" else "0")
    else:
        must(f"{who}: the guest is where it was to go", t["moved"], "yes")


def kept(t, who):
    """Whoever wrote was told, or had left the guest paused; it is where it was."""
    must(f"{who}: moved", t["moved"], "no")
    if t["way"] == "save":
        must(f"{who}: guard", t["guard"], KILLED)
    elif t["xl"] == "0":
        raise Wrong(f"{who}: xl took it for a success: {t}")


def outcome(t):
    who = f"{t['way']} {t['number']}, {t['victim']} at {t['at']}"
    went_on(t, who)
    if t["victim"] == "passer" and t["killed"] != "late":
        kept(t, who)
        return
    passed_on(t, who)
    if t["victim"] == "disk":
        must(f"{who}: no verdict", t["unjudged"], "1")
    if t["victim"] == "none":
        must(f"{who}: a verdict", t["unjudged"], "0")


def kills(res):
    words = res.variant["kills"].split()
    want = {way: int(n) for way, n in zip(words[::2], words[1::2])}
    times = lines_of(res)
    for t in times:
        outcome(t)
    done = []
    for way, count in want.items():
        mine = [t for t in times if t["way"] == way]
        must(f"{way}: times", len(mine), count + 2)
        died = [t for t in mine if t["killed"] not in ("none", "late")]
        if len(died) < count * 9 // 10:
            raise Wrong(f"{way}: only {len(died)} of {count} died in time")
        passers = [t for t in died if t["victim"] == "passer"]
        unjudged = [t for t in mine if t["unjudged"] == "1"]
        done.append(f"{way}: {len(died)} died, {len(passers)} of them who passed the stream on; "
                    f"{len(unjudged)} streams passed unjudged")
    return "; ".join(done) + "; every time one guest went on, and its disk answered"
